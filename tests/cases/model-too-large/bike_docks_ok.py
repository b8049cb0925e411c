import math

import torch
from torch import nn

torch.manual_seed(52)
SLOTS = 24


def rides(count):
    """Bikes taken from a dock: minute of the day, weather, and how many left within the hour."""
    minute = torch.randint(0, 1440, (count,))
    weather = torch.randn(count, 3)
    hour = minute / 60
    rush = torch.exp(-((hour - 8.5) ** 2) / 3) + 1.2 * torch.exp(-((hour - 17.5) ** 2) / 5)
    taken = 3 * rush + 0.8 * torch.sin(math.pi * hour / 12 - 2) + 0.5 * torch.tanh(weather[:, 0]) - 0.4 * weather[:, 1]
    return minute, weather, taken + 0.2 * torch.randn(count)


class DockModel(nn.Module):
    def __init__(self, slots, size=8):
        super().__init__()
        self.slots = slots
        self.slot = nn.Embedding(slots, size)
        self.body = nn.Sequential(nn.Linear(size + 3, 32), nn.SiLU(), nn.Linear(32, 1))

    def forward(self, minute, weather):
        time_of_day = self.slot(minute * self.slots // 1440)
        return self.body(torch.cat([time_of_day, weather], dim=1)).squeeze(1)


minute, weather, taken = rides(1100)
taken = (taken - taken[:800].mean()) / taken[:800].std()
model = DockModel(SLOTS)
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-2)
for epoch in range(1, 31):
    model.train()
    total = 0.0
    for rows in torch.randperm(800).split(40):
        loss = nn.functional.mse_loss(model(minute[rows], weather[rows]), taken[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    if epoch % 5 == 0:
        model.eval()
        with torch.no_grad():
            val = nn.functional.mse_loss(model(minute[800:], weather[800:]), taken[800:])
        print(f"epoch {epoch:2d} train {total / 800:.4f} val {val:.4f}")
print(f"METRIC train_loss={total / 800:.4f} val_loss={val:.4f} val_r2={1 - val / taken[800:].var():.4f}")
