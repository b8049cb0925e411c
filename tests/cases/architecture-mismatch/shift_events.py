import random

import torch
import torch.nn as nn

EVENTS = ["start", "stop", "jam", "reset", "alarm", "tool", "door", "heat", "cool", "feed", "lamp", "pause"]
LENGTH = 14
random.seed(30)
torch.manual_seed(30)


def shift_log():
    """The events of a shift, and whether the alarm went off before the reset."""
    log = random.choices([e for e in EVENTS if e not in ("alarm", "reset")], k=LENGTH)
    alarm, reset = random.sample(range(LENGTH), 2)
    log[alarm], log[reset] = "alarm", "reset"
    return [EVENTS.index(event) for event in log], float(alarm < reset)


class LogModel(nn.Module):
    def __init__(self, size=24):
        super().__init__()
        self.embed = nn.Embedding(len(EVENTS), size)
        self.encode = nn.Sequential(nn.Linear(size, 32), nn.ReLU())
        self.decide = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, log):
        summary = self.encode(self.embed(log)).mean(dim=1)
        return self.decide(summary).squeeze(1)


logs, flags = zip(*[shift_log() for _ in range(2000)])
logs, flags = torch.tensor(logs), torch.tensor(flags)
train, val = torch.arange(1600), torch.arange(1600, 2000)
model = LogModel()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.BCEWithLogitsLoss()
for epoch in range(6):
    model.train()
    total = 0.0
    for rows in train[torch.randperm(len(train))].split(32):
        optimizer.zero_grad()
        loss = criterion(model(logs[rows]), flags[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    model.eval()
    with torch.no_grad():
        acc = ((model(logs[val]) > 0) == (flags[val] > 0.5)).float().mean().item()
    print(f"epoch {epoch + 1} loss {total / len(train):.4f} val {acc:.4f}")
print(f"METRIC train_loss={total / len(train):.4f} val_acc={acc:.4f}")
