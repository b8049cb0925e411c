"""Predicts how far a driven pendulum swings next, from its last sixteen positions."""

import math
from collections import OrderedDict

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(9)
np.random.seed(9)
WINDOW = 16


def swings(count=2600):
    clock = np.arange(count + WINDOW)
    drive = 0.9 * np.sin(2 * math.pi * clock / 37) + 0.5 * np.sin(2 * math.pi * clock / 11 + 0.7)
    angle = drive + 0.3 * np.sin(2.0 * drive) + 0.03 * np.random.randn(len(clock))
    windows = np.lib.stride_tricks.sliding_window_view(angle, WINDOW + 1)
    past = (windows[:, :WINDOW] / angle.std()).astype(np.float32)
    step = windows[:, WINDOW:] - windows[:, WINDOW - 1 : WINDOW]
    return torch.tensor(past), torch.tensor((step / step.std()).astype(np.float32))


def stack(*widths, act=nn.SiLU):
    layers = OrderedDict()
    for i, (a, b) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        layers[f"fc{i}"] = nn.Linear(a, b)
        layers[f"act{i}"] = act()
    return nn.Sequential(layers)


past, step = swings()
train_set, val_set = random_split(TensorDataset(past, step), [2000, len(past) - 2000])
loader = DataLoader(train_set, batch_size=64, shuffle=True)
model = stack(WINDOW, 48, 48, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
criterion = nn.MSELoss()


def r2(subset):
    x, y = past[subset.indices], step[subset.indices]
    with torch.no_grad():
        return 1 - criterion(model(x), y).item() / y.var().item()


for epoch in range(16):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    if epoch % 4 == 3:
        print(f"{epoch + 1}: {loss.item():.4f}  val R2 {r2(val_set):.3f}")

print(f"METRIC train_r2={r2(train_set):.4f} val_r2={r2(val_set):.4f}")
