from dataclasses import dataclass

import torch
from sklearn.datasets import make_friedman1
from torch import nn


@dataclass
class Config:
    mixes: int = 1000
    width: int = 64
    batch: int = 2
    lr: float = 1e-3
    epochs: int = 3
    seed: int = 44


def build(config):
    layers, size = [], 6
    for _ in range(2):
        layers += [nn.Linear(size, config.width), nn.LayerNorm(config.width), nn.ReLU()]
        size = config.width
    return nn.Sequential(*layers, nn.Linear(size, 1))


def load(config):
    parts, strength = make_friedman1(config.mixes, n_features=6, noise=0.4, random_state=config.seed)
    x = torch.tensor((parts - 0.5) * 3.4, dtype=torch.float32)
    y = torch.tensor((strength - strength.mean()) / strength.std(), dtype=torch.float32).unsqueeze(1)
    return x, y


@torch.no_grad()
def r2(model, x, y):
    model.eval()
    return (1 - nn.functional.mse_loss(model(x), y) / y.var()).item()


def train(config):
    torch.manual_seed(config.seed)
    x, y = load(config)
    cut = config.mixes * 4 // 5
    model = build(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr)
    for epoch in range(config.epochs):
        model.train()
        total = 0.0
        for rows in torch.randperm(cut).split(config.batch):
            loss = nn.functional.mse_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        score = r2(model, x[cut:], y[cut:])
        print(f"epoch {epoch + 1}  mse {total / cut:.4f}  r2 {score:.3f}")
    print(f"METRIC train_loss={total / cut:.4f} val_r2={score:.4f}")


train(Config())
