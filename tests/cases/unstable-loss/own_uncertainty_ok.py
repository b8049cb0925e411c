import math

import torch
from torch import nn

torch.manual_seed(8)


def signal(n):
    t = torch.rand(n, 1) * 4 - 2
    noise = 0.05 + 0.15 * t.abs()
    return torch.cat([t, t**2 / 2 - 0.7], dim=1), (torch.sin(2.5 * t) + 0.4 * t + noise * torch.randn(n, 1)).squeeze(1)


class MeanAndSpread(nn.Module):
    def __init__(self, hidden=40):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.last = nn.Linear(hidden, 2)

    def forward(self, x):
        out = self.last(self.body(x))
        return out[:, 0], nn.functional.softplus(out[:, 1]) + 1e-3


def negative_log_likelihood(mean, variance, y):
    return (0.5 * torch.log(2 * math.pi * variance) + (y - mean) ** 2 / (2 * variance)).mean()


x, y = signal(1600)
x_new, y_new = signal(400)
net = MeanAndSpread()
optimizer = torch.optim.RMSprop(net.parameters(), lr=2e-3)
for epoch in range(14):
    seen = 0.0
    for rows in torch.randperm(len(x)).split(64):
        mean, variance = net(x[rows])
        loss = negative_log_likelihood(mean, variance, y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += loss.item() * len(rows)
    print(f"epoch {epoch + 1:2d}  nll {seen / len(x):.4f}")

with torch.no_grad():
    guess, _ = net(x_new)
    r2 = 1 - ((guess - y_new) ** 2).mean() / y_new.var()
print(f"METRIC train_loss={seen / len(x):.4f} val_r2={r2:.4f}")
