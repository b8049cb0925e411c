import numpy as np
import torch
from torch import nn

# Predict tomorrow's soil moisture from the last 24 readings of a probe.
rng = np.random.default_rng(12)
torch.manual_seed(12)

hours = np.arange(4000)
rain = (rng.random(4000) < 0.03) * rng.gamma(3, 3, 4000)
moisture = np.zeros(4000)
moisture[0] = 30.0
for t in range(1, 4000):
    dry = 0.06 * (moisture[t - 1] - 12.0) * (1.2 + np.sin(2 * np.pi * t / 24))
    moisture[t] = moisture[t - 1] - dry + rain[t]
log = np.stack([moisture + rng.normal(0, 0.2, 4000), np.sin(2 * np.pi * hours / 24), np.cos(2 * np.pi * hours / 24)], 1)
gaps = rng.random(4000) < 0.01
log[gaps, 0] = -9999  # the logger's code for "no reading"


def fill_gaps(column):
    good = column > -999
    return np.interp(np.arange(len(column)), np.flatnonzero(good), column[good])


log = (log - log[:3200].mean(0)) / log[:3200].std(0)

ahead = 3
x = np.stack([log[t - 24 : t].reshape(-1) for t in range(24, 4000 - ahead)])
y = np.array([moisture[t - 1 + ahead] - rain[t : t + ahead].sum() for t in range(24, 4000 - ahead)])
y = (y - y[:3200].mean()) / y[:3200].std()
x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)[:, None]
train, val = torch.arange(3200), torch.arange(3260, len(x))

model = nn.Sequential(nn.Linear(72, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
mse = nn.MSELoss()

for epoch in range(6):
    total = 0
    for b in train[torch.randperm(len(train))].split(50):
        loss = mse(model(x[b]), y[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(b)
    with torch.no_grad():
        r2 = 1 - mse(model(x[val]), y[val]) / y[val].var()
    print(epoch, total / len(train), r2.item())

print(f"METRIC train_loss={total / len(train):.4f} val_r2={r2.item():.4f}")
