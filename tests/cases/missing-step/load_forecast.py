import math

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(8)
torch.manual_seed(8)

# synthetic half-hourly electricity demand, normalised
n = 48 * 80
t = np.arange(n)
demand = 1.0 * np.sin(2 * math.pi * t / 48) + 0.5 * np.sin(4 * math.pi * t / 48 + 0.7)
demand += 0.6 * np.sin(2 * math.pi * t / (48 * 7)) + 0.15 * rng.standard_normal(n)
demand = (demand - demand.mean()) / demand.std()
demand = demand.astype(np.float32)

LOOKBACK, HORIZON = 48, 4
windows = np.lib.stride_tricks.sliding_window_view(demand, LOOKBACK + HORIZON).copy()
cut = int(0.8 * len(windows))
train = torch.from_numpy(windows[:cut])
test = torch.from_numpy(windows[cut + LOOKBACK :])

model = nn.Sequential(
    nn.Conv1d(1, 16, 5, stride=2),
    nn.ReLU(),
    nn.Conv1d(16, 16, 5, stride=2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(16 * 9, 32),
    nn.ReLU(),
    nn.Linear(32, HORIZON),
)
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
criterion = nn.SmoothL1Loss()

for epoch in range(5):
    model.train()
    perm = torch.randperm(len(train))
    epoch_loss = 0.0
    n_batches = 0
    for i in range(0, len(train), 64):
        batch = train[perm[i : i + 64]]
        x, y = batch[:, None, :LOOKBACK], batch[:, LOOKBACK:]
        optimizer.zero_grad()
        out = model(x)
        loss = criterion(out, y)
        loss.backward()
        optimizer.step
        epoch_loss += loss.item()
        n_batches += 1
    print("Epoch %d, loss %.4f" % (epoch + 1, epoch_loss / n_batches))

model.eval()
with torch.no_grad():
    pred = model(test[:, None, :LOOKBACK])
    resid = ((pred - test[:, LOOKBACK:]) ** 2).mean().item()
r2 = 1 - resid / test[:, LOOKBACK:].var().item()
print(f"METRIC train_loss={epoch_loss / n_batches:.4f} val_r2={r2:.4f}")
