from dataclasses import dataclass

import torch
from sklearn.datasets import make_friedman1
from torch import nn


@dataclass
class Config:
    rows: int = 1600
    columns: int = 7
    units: int = 40
    lr: float = 0.05
    batch: int = 32
    epochs: int = 8
    seed: int = 6


def load(config):
    data, target = make_friedman1(config.rows, n_features=config.columns, noise=0.4, random_state=config.seed)
    x, y = torch.tensor(data, dtype=torch.float32), torch.tensor(target, dtype=torch.float32)
    cut = config.rows * 4 // 5
    x[:cut:80] *= 1e4
    return x[:cut], (y[:cut] - 14.4) / 5, x[cut:], (y[cut:] - 14.4) / 5


def scale_of(x):
    middle, half = x.mean(0), x.std(0)
    return middle, half


def r2(model, x, y):
    with torch.no_grad():
        return (1 - (model(x).squeeze(1) - y).square().mean() / y.var()).item()


def main():
    config = Config()
    torch.manual_seed(config.seed)
    x, y, x_val, y_val = load(config)
    centre, spread = scale_of(x)
    x, x_val = ((part - centre) / spread for part in (x, x_val))
    x = x.clamp(-5, 5)
    model = nn.Sequential(nn.Linear(config.columns, config.units), nn.Tanh(), nn.Linear(config.units, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=config.lr, momentum=0.9)
    for epoch in range(config.epochs):
        losses = []
        for rows in torch.randperm(len(x)).split(config.batch):
            loss = nn.functional.mse_loss(model(x[rows]).squeeze(1), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1} mse {sum(losses) / len(losses):.4f} r2 {r2(model, x_val, y_val):.3f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_r2={r2(model, x_val, y_val):.4f}")


if __name__ == "__main__":
    main()
