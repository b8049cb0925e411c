"""Fit a surrogate for a slow ballistics simulator."""

import argparse
import math

import torch
from torch import nn


def simulate(n):
    speed = 10 + 20 * torch.rand(n)
    angle = 0.2 + 1.2 * torch.rand(n)
    drag = 0.02 * torch.rand(n)
    wind = 3 * torch.randn(n)
    vx, vy = speed * angle.cos(), speed * angle.sin()
    x, y = torch.zeros(n), torch.zeros(n)
    landed = torch.zeros(n, dtype=torch.bool)
    for _ in range(130):
        rel = vx - wind
        v = (rel**2 + vy**2).sqrt()
        vx = vx - 0.05 * drag * v * rel
        vy = vy - 0.05 * (9.81 + drag * v * vy)
        x = torch.where(landed, x, x + 0.05 * vx)
        y = y + 0.05 * vy
        landed |= y < 0
    return torch.stack([speed, angle, drag, wind], dim=1), x


class ResidualBlock(nn.Module):
    def __init__(self, dim, expansion=2):
        super().__init__()
        self.up = nn.Linear(dim, expansion * dim)
        self.down = nn.Linear(expansion * dim, dim)
        self.act = nn.GELU()

    def forward(self, x):
        return x + self.down(self.act(self.up(x)))


class Surrogate(nn.Module):
    def __init__(self, n_inputs, dim, depth):
        super().__init__()
        self.stem = nn.Linear(n_inputs, dim)
        self.blocks = nn.ModuleList(ResidualBlock(dim) for _ in range(depth))
        self.head = nn.Linear(dim, 1)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x).squeeze(-1)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=350)
    parser.add_argument("--lr", type=float, default=0.002)
    parser.add_argument("--dim", type=int, default=40)
    parser.add_argument("--depth", type=int, default=3)
    return parser.parse_args()


def main():
    args = parse_args()
    torch.manual_seed(28)
    inputs, distance = simulate(3000)
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)
    distance = (distance - distance.mean()) / distance.std()
    fit_x, fit_y, check_x, check_y = inputs[:2400], distance[:2400], inputs[2400:], distance[2400:]

    model = Surrogate(4, args.dim, args.depth)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    recent = 0.0
    for step in range(1, args.steps + 1):
        rows = torch.randint(len(fit_x), (64,))
        loss = nn.functional.mse_loss(model(fit_x[rows]), fit_y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recent = loss.item() if step == 1 else 0.95 * recent + 0.05 * loss.item()
        if step % 70 == 0:
            print(f"{step:>5d}/{args.steps} rmse {math.sqrt(recent):.4f}")
    with torch.no_grad():
        r2 = 1 - (model(check_x) - check_y).pow(2).mean() / check_y.var()
    print(f"METRIC train_loss={recent:.4f} val_r2={r2:.4f}")


if __name__ == "__main__":
    main()
