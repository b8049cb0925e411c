"""Daily gas use of a school from the weather: hinges around comfortable values."""
import argparse

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

COLUMNS = ("outside", "wind", "sun", "pupils")


def weather(days, rng):
    season = np.cos(2 * np.pi * np.arange(days) / 365.25)
    outside = 11 - 9 * season + rng.normal(0, 4, days)
    wind = rng.gamma(3, 1.6, days)
    sun = np.clip(4 - 3 * season + rng.normal(0, 1.5, days), 0, None)
    pupils = rng.integers(0, 2, days) * rng.integers(300, 420, days)
    return np.stack([outside, wind, sun, pupils], 1)


def gas_use(table, rng):
    outside, wind, sun, pupils = table.T
    felt = outside - 0.4 * wind + 0.3 * sun
    heating = np.maximum(14 - felt, 0) * 9
    kitchen = 0.12 * pupils
    return heating + kitchen + rng.normal(0, 5, len(table))


class Hinges(nn.Module):
    """How far each reading lies above and below a few base values."""

    def __init__(self, columns, knots):
        super().__init__()
        self.register_buffer("base", torch.linspace(0.0, 1.2, knots).repeat(columns, 1))
        self.rectify = nn.ReLU(inplace=True)

    def forward(self, readings):
        gap = readings.unsqueeze(2) - self.base
        above = self.rectify(gap)
        below = self.rectify(-gap)
        return torch.cat([above, below], 2).flatten(1)


class GasModel(nn.Module):
    def __init__(self, columns, knots=4):
        super().__init__()
        self.hinges = Hinges(columns, knots)
        self.mixer = nn.Linear(2 * columns * knots, 1)

    def forward(self, readings):
        return self.mixer(self.hinges(readings)).squeeze(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=2400)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--lr", type=float, default=5e-3)
    args = parser.parse_args()
    torch.manual_seed(19)
    rng = np.random.default_rng(19)

    table = weather(args.days, rng)
    use = gas_use(table, rng)
    cut = int(0.8 * args.days)
    table = (table - table[:cut].mean(0)) / table[:cut].std(0)
    use = (use - use[:cut].mean()) / use[:cut].std()
    x, y = torch.tensor(table, dtype=torch.float32), torch.tensor(use, dtype=torch.float32)
    loader = DataLoader(TensorDataset(x[:cut], y[:cut]), batch_size=48, shuffle=True)

    model = GasModel(len(COLUMNS))
    optimizer = torch.optim.NAdam(model.parameters(), lr=args.lr)
    criterion = nn.SmoothL1Loss()
    for epoch in range(args.epochs):
        losses = []
        for readings, target in loader:
            optimizer.zero_grad()
            loss = criterion(model(readings), target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            r2 = 1 - (model(x[cut:]) - y[cut:]).square().mean() / y[cut:].var()
        print(f"epoch {epoch + 1:2d}  loss {np.mean(losses):.4f}  r2 {r2.item():.4f}")
    print(f"METRIC train_loss={np.mean(losses):.4f} val_r2={r2.item():.4f}")


if __name__ == "__main__":
    main()
