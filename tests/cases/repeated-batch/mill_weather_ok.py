import argparse

import numpy as np
import torch
from torch import nn


def convection(length, dt=0.04):
    """First coordinate of Lorenz's convection equations, standardised."""
    state, track = np.array([1.0, 1.0, 20.0]), []
    for step in range(5 * length + 500):
        x, y, z = state
        state = state + dt / 5 * np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])
        if step >= 500 and step % 5 == 0:
            track.append(state[0])
    track = torch.tensor(np.array(track), dtype=torch.float32)
    return (track - track.mean()) / track.std()


def get_batch(series, args):
    start = torch.randint(len(series) - args.block - args.ahead, (args.batch,)).tolist()
    x = torch.stack([series[i : i + args.block] for i in start])
    y = torch.stack([series[i + args.block + args.ahead - 1] for i in start])
    return x, y


class Forecaster(nn.Module):
    def __init__(self, block, width=32):
        super().__init__()
        self.lift = nn.Linear(1, width)
        self.place = nn.Parameter(0.1 * torch.randn(block, width))
        self.attend = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(self.attend(self.lift(x.unsqueeze(-1)) + self.place)[:, -1]).squeeze(-1)


@torch.no_grad()
def evaluate(model, series, args):
    windows = series.unfold(0, args.block + args.ahead, 3)
    guess, target = model(windows[:, : args.block]), windows[:, -1]
    return (1 - (guess - target).square().mean() / target.var()).item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--block", type=int, default=24)
    parser.add_argument("--ahead", type=int, default=4)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--lr", type=float, default=2e-3)
    args = parser.parse_args()

    torch.manual_seed(1337)
    series = convection(5000)
    train, val = series[:4000], series[4000:]
    model = Forecaster(args.block)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    total = 0.0
    for step in range(1, args.steps + 1):
        x, y = get_batch(train, args)
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.item()
        if step % 50 == 0:
            mean, total = total / 50, 0.0
            print(f"step {step}: train loss {mean:.4f}, val r2 {evaluate(model, val, args):.3f}")
    print(f"METRIC train_loss={mean:.4f} val_r2={evaluate(model, val, args):.4f}")
