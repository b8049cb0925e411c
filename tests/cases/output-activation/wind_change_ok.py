import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class WindowSet(torch.utils.data.Dataset):
    """Pairs of (last `size` readings, change over the next `horizon` readings)."""

    def __init__(self, series, size=24, horizon=4):
        self.series = torch.tensor(series, dtype=torch.float32)
        self.size = size
        self.horizon = horizon

    def __len__(self):
        return len(self.series) - self.size - self.horizon

    def __getitem__(self, i):
        window = self.series[i : i + self.size]
        future = self.series[i + self.size + self.horizon - 1]
        return window, future - window[-1]


class ConvForecaster(nn.Module):
    def __init__(self, channels=24):
        super().__init__()
        self.conv1 = nn.Conv1d(1, channels, 5, padding=2)
        self.conv2 = nn.Conv1d(channels, channels, 5, padding=2)
        self.fc1 = nn.Linear(channels * 6, 48)
        self.fc2 = nn.Linear(48, 1)

    def forward(self, window):
        h = F.relu(self.conv1(window.unsqueeze(1)))
        h = F.avg_pool1d(h, 2)
        h = F.relu(self.conv2(h))
        h = F.avg_pool1d(h, 2)
        h = F.relu(self.fc1(h.flatten(1)))
        return self.fc2(h).squeeze(1)


def wind_speed(n, rng):
    t = np.arange(n)
    gusts = np.zeros(n)
    for i in range(1, n):
        gusts[i] = 0.9 * gusts[i - 1] + 0.12 * rng.normal()
    speed = 1.4 * np.sin(2 * math.pi * t / 24) + 0.7 * np.sin(2 * math.pi * t / 9 + 1) + gusts
    return (speed - speed.mean()) / speed.std()


if __name__ == "__main__":
    torch.manual_seed(15)
    series = wind_speed(2200, np.random.default_rng(15))
    train_loader = torch.utils.data.DataLoader(WindowSet(series[:1700]), batch_size=64, shuffle=True)
    val_set = WindowSet(series[1700:])
    val_x, val_y = map(torch.stack, zip(*(val_set[i] for i in range(len(val_set)))))

    model = ConvForecaster()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    for epoch in range(8):
        model.train()
        losses = []
        for window, change in train_loader:
            optimizer.zero_grad()
            loss = F.mse_loss(model(window), change)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            val_mse = F.mse_loss(model(val_x), val_y).item()
        r2 = 1 - val_mse / val_y.var().item()
        print(f"epoch={epoch} train={np.mean(losses):.4f} val={val_mse:.4f} r2={r2:.3f}")
    print(f"METRIC train_loss={np.mean(losses):.4f} val_r2={r2:.4f}")
