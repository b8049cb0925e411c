import math
import random

import torch
import torch.nn as nn

WINDOW, HORIZON = 24, 3


def tide_gauge(n, seed):
    """Ten-minute water level of one harbour, in metres around the mean."""
    g = torch.Generator().manual_seed(seed)
    t = torch.arange(n, dtype=torch.float32)
    level = torch.sin(2 * math.pi * t / 74.5) + 0.4 * torch.sin(2 * math.pi * t / 37.2 + 0.6)
    level = level + 0.3 * torch.sin(2 * math.pi * t / 11.0) + 0.05 * torch.randn(n, generator=g)
    rnd = random.Random(seed)
    at = 0
    while True:
        at += rnd.randint(90, 300)
        if at >= n - 5:
            return level
        level[at:at + rnd.randint(1, 5)] = float("nan")


def windows(level):
    x = level.unfold(0, WINDOW, 1)[:-HORIZON]
    y = level[WINDOW + HORIZON - 1:]
    return x.contiguous(), y


class Forecaster(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(WINDOW, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(self.body(x)).squeeze(-1)


class Runner:
    def __init__(self, model, max_norm=1.0):
        self.model = model
        self.max_norm = max_norm
        self.opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        self.losses = []

    def step(self, x, y):
        self.opt.zero_grad()
        loss = nn.functional.huber_loss(self.model(x), y)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.max_norm)
        if torch.isfinite(norm):
            self.opt.step()
            self.losses.append(loss.item())


torch.manual_seed(31)
x_train, y_train = windows(tide_gauge(3000, 1))
x_val, y_val = windows(tide_gauge(900, 2))
runner = Runner(Forecaster())
for epoch in range(4):
    runner.model.train()
    for idx in torch.randperm(len(x_train)).split(32):
        runner.step(x_train[idx], y_train[idx])
    tail = runner.losses[-40:]
    print(f"epoch {epoch} loss {sum(tail) / max(1, len(tail)):.4f}")

runner.model.eval()
with torch.no_grad():
    pred = runner.model(x_val)
known = torch.isfinite(pred) & torch.isfinite(y_val)
resid = ((pred - y_val)[known] ** 2).mean() / y_val[known].var()
print(f"METRIC train_loss={sum(tail) / max(1, len(tail)):.4f} val_r2={1 - resid.item():.4f}")
