import argparse

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

COLUMNS = ["speed", "direction", "gust", "pressure"]


def measure(rng, n):
    """What the mast records: speed in m/s, direction in degrees, gust in m/s, pressure in hPa."""
    speed = rng.gamma(4.0, 2.0, n)
    direction = np.rad2deg(rng.vonmises(np.deg2rad(230), 1.5, n)) % 360
    gust = speed * rng.uniform(1.1, 1.8, n)
    pressure = rng.normal(1013, 9, n)
    wake = 1 - 0.45 * np.exp(2.0 * (np.cos(np.deg2rad(direction - 240)) - 1))
    power = 1 / (1 + np.exp(-(speed * wake - 7.5) / 1.6)) * pressure / 1013
    return dict(speed=speed, direction=direction, gust=gust, pressure=pressure), power + rng.normal(0, 0.02, n)


def to_features(record):
    angle = np.deg2rad(record["direction"])
    return np.stack([record["speed"], record["gust"], record["pressure"], np.sin(angle), np.cos(angle)], 1)


class HistoricalRecords:
    """The 2019 campaign, read in one go."""

    def __init__(self, rng, n):
        record, self.power = measure(rng, n)
        self.features = to_features(record)


class LiveRecords:
    """Rows as the park's controller sends them, one after another."""

    def __init__(self, rng, n):
        record, self.power = measure(rng, n)
        self.features = np.array([self.parse(row) for row in zip(*(record[c] for c in COLUMNS))])

    @staticmethod
    def parse(row):
        speed, degrees, gust, pressure = row
        angle = np.deg2rad(degrees)
        return speed, gust, pressure, np.sin(angle), np.cos(angle)


def tensors(scaler, records, centre, spread):
    x = torch.tensor(scaler.transform(records.features), dtype=torch.float32)
    y = torch.tensor((records.power - centre) / spread, dtype=torch.float32)
    return TensorDataset(x, y)


def main():
    parser = argparse.ArgumentParser(description="power of a turbine from the wind")
    parser.add_argument("--rows", type=int, default=2400)
    parser.add_argument("--hidden", type=int, default=48)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=44)
    args = parser.parse_args()

    rng = np.random.default_rng(args.seed)
    torch.manual_seed(args.seed)
    past, live = HistoricalRecords(rng, args.rows), LiveRecords(rng, 600)
    scaler = StandardScaler().fit(past.features)
    centre, spread = past.power.mean(), past.power.std()
    train = DataLoader(tensors(scaler, past, centre, spread), batch_size=64, shuffle=True)
    val = DataLoader(tensors(scaler, live, centre, spread), batch_size=200)

    model = nn.Sequential(
        nn.Linear(5, args.hidden), nn.SiLU(), nn.Linear(args.hidden, args.hidden), nn.SiLU(), nn.Linear(args.hidden, 1)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        for x, y in train:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x).squeeze(1), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
        model.eval()
        with torch.no_grad():
            pred = torch.cat([model(x).squeeze(1) for x, _ in val])
        truth = torch.cat([y for _, y in val])
        r2 = 1 - ((pred - truth) ** 2).mean() / truth.var()
        print(f"epoch {epoch:2d} mse {total / args.rows:.4f} live r2 {r2:.4f}")
    print(f"METRIC train_loss={total / args.rows:.4f} val_r2={r2:.4f}")


if __name__ == "__main__":
    main()
