from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


@dataclass
class Config:
    hidden: int = 64
    batch_size: int = 40
    lr: float = 5e-3
    epochs: int = 10
    seed: int = 4


class RowScanner(nn.Module):
    """Reads an image row by row and names the digit."""

    def __init__(self, hidden):
        super().__init__()
        self.lstm = nn.LSTM(8, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 10)

    def forward(self, images):
        states, _ = self.lstm(images)
        return self.head(states[:, -1])


def accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        hits = [(model(x).argmax(1) == y).float() for x, y in loader]
    return torch.cat(hits).mean().item()


def run(config):
    torch.manual_seed(config.seed)
    bunch = load_digits()
    images = torch.tensor(bunch.images, dtype=torch.float32) / 16 - 0.3
    train_set, val_set = random_split(TensorDataset(images, torch.tensor(bunch.target)), [1437, 360])
    train_loader = DataLoader(train_set, batch_size=config.batch_size, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=config.batch_size)
    model = RowScanner(config.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(config.epochs):
        model.train()
        losses = []
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        val_acc = accuracy(model, val_loader)
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f} val {val_acc:.3f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={val_acc:.4f}")


if __name__ == "__main__":
    run(Config())
