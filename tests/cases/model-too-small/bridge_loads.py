"""Deflections at ten points of a footbridge from the loads on its six spans."""
import math

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(44)
SPANS, POINTS, WIDTH = 6, 10, 1


def bridge(count):
    loads = torch.rand(count, SPANS) * 2
    at, span = torch.linspace(0, 1, POINTS), torch.linspace(0, 1, SPANS)
    reach = torch.exp(-((at[None] - span[:, None]) ** 2) / 0.02)
    sag = loads @ reach
    sag = sag + 0.3 * sag.pow(2) * torch.sin(math.pi * at)
    return loads - 1, sag + 0.05 * torch.randn(count, POINTS)


loads, sag = bridge(3000)
sag = (sag - sag[:2400].mean(0)) / sag[:2400].std(0)
train, val = (loads[:2400], sag[:2400]), (loads[2400:], sag[2400:])

encode = nn.Sequential(nn.Linear(SPANS, 48), nn.Tanh(), nn.Linear(48, WIDTH))
decode = nn.Sequential(nn.Linear(WIDTH, 48), nn.Tanh(), nn.Linear(48, POINTS))
parameters = [*encode.parameters(), *decode.parameters()]
optimizer = torch.optim.NAdam(parameters, lr=4e-3)


def error(x, y):
    return F.mse_loss(decode(encode(x)), y)


for epoch in range(10):
    order = torch.randperm(2400)
    for start in range(0, 2400, 60):
        rows = order[start : start + 60]
        loss = error(train[0][rows], train[1][rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print(f"{epoch} train {error(*train):.4f} val {error(*val):.4f}")

with torch.no_grad():
    print(f"METRIC train_r2={1 - error(*train).item():.4f} val_r2={1 - (error(*val) / val[1].var()).item():.4f}")
