import math

import numpy as np
import torch
import torch.nn as nn

torch.manual_seed(33)
rng = np.random.default_rng(33)

# water level every half hour: two tidal lines, surge, and gauge noise that grows with the surge
n = 3000
t = np.arange(n)
surge = np.zeros(n)
for i in range(1, n):
    surge[i] = 0.98 * surge[i - 1] + 0.08 * rng.normal()
level = np.sin(2 * math.pi * t / 24.8) + 0.4 * np.sin(2 * math.pi * t / 24.0 + 0.7) + surge
level = level + (0.02 + 0.05 * np.abs(surge)) * rng.normal(size=n)

LAGS, LEAD = 30, 3
rows = np.stack([level[i:i + LAGS + LEAD] for i in range(n - LAGS - LEAD)]).astype(np.float32)
table = torch.from_numpy(rows)
train, test = table[:2300], table[2300:]


class ProbabilisticNet(nn.Module):
    """Predicts the mean and the log-variance of the level ahead."""

    def __init__(self, n_in, width=64):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(n_in, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.heads = nn.Linear(width, 2)

    def forward(self, x):
        mean, log_var = self.heads(self.trunk(x)).unbind(dim=1)
        return mean, log_var.clamp(-7, 5)


def gaussian_nll(mean, log_var, target):
    return 0.5 * (log_var + (target - mean) ** 2 / log_var.exp()).mean()


model = ProbabilisticNet(LAGS)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-3)

for epoch in range(10):
    losses = []
    for batch in train[torch.randperm(len(train))].split(64):
        x, y = batch[:, :LAGS], batch[:, -1:]
        mean, log_var = model(x)
        loss = gaussian_nll(mean, log_var, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        mean, _ = model(test[:, :LAGS])
        rmse = (mean - test[:, -1]).pow(2).mean().sqrt().item()
    print(f"epoch {epoch + 1:2d}  nll {np.mean(losses):+.4f}  test rmse {rmse:.4f}")

skill = 1 - rmse**2 / test[:, -1].var().item()
print(f"METRIC train_loss={np.mean(losses):.4f} test_rmse={rmse:.4f} test_r2={skill:.4f}")
