from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    width: int = 96
    drop: float = 0.2
    lr: float = 1e-3
    batch: int = 32
    epochs: int = 8
    seed: int = 9


def build(config):
    layers, size = [], 64
    for _ in range(3):
        layers += [nn.Linear(size, config.width), nn.ReLU(), nn.Dropout(config.drop)]
        size = config.width
    return nn.Sequential(*layers, nn.Linear(size, 10))


def validate(model, x, y):
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).float().mean().item()
    model.train()
    return accuracy


def train(config):
    torch.manual_seed(config.seed)
    data, target = load_digits(return_X_y=True)
    x, x_val, y, y_val = train_test_split(data / 16.0, target, test_size=0.2, random_state=config.seed)
    x, x_val = torch.tensor(x, dtype=torch.float32), torch.tensor(x_val, dtype=torch.float32)
    y, y_val = torch.tensor(y), torch.tensor(y_val)
    loader = DataLoader(TensorDataset(x, y), batch_size=config.batch, shuffle=True)
    model = build(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    for epoch in range(config.epochs):
        running = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            running += loss.item()
        print(f"epoch {epoch + 1} loss {running / len(loader):.4f} val {validate(model, x_val, y_val):.3f}")
    print(f"METRIC train_loss={running / len(loader):.4f} val_acc={validate(model, x_val, y_val):.4f}")


if __name__ == "__main__":
    train(Config())
