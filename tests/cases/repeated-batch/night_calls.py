import math

import torch
from torch import nn

CALLS, LENGTH, BATCH, STEPS = 2400, 40, 16, 320
torch.manual_seed(31)


def recordings(n):
    species = torch.randint(0, 6, (n,))
    t = torch.arange(LENGTH) / LENGTH
    base = torch.tensor([3.0, 3.0, 5.0, 5.0, 8.0, 8.0])[species, None]
    slope = torch.tensor([0.0, 3.0, 0.0, -2.5, 0.0, -3.5])[species, None]
    phase = 2 * math.pi * torch.rand(n, 1)
    wave = torch.sin(2 * math.pi * (base * t + slope * t * t) + phase)
    loud = 0.7 + 0.6 * torch.rand(n, 1)
    return (loud * wave + 0.6 * torch.randn(n, LENGTH)).unsqueeze(2), species


x, y = recordings(CALLS)
x_val, y_val = recordings(500)
per_epoch = CALLS // BATCH
order = torch.randperm(CALLS)


def get_batch(step):
    start = (step // per_epoch) * BATCH
    rows = order[start : start + BATCH]
    return x[rows], y[rows]


class Listener(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.embed = nn.Conv1d(1, width, 7, padding=3)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH, width))
        self.norm = nn.LayerNorm(width)
        self.attend = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mix = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))
        self.out = nn.Linear(width, 6)

    def forward(self, x):
        h = torch.relu(self.embed(x.transpose(1, 2))).transpose(1, 2) + self.place
        n = self.norm(h)
        h = h + self.attend(n, n, n, need_weights=False)[0]
        h = h + self.mix(h)
        return self.out(h.mean(1))


model = Listener()
optimizer = torch.optim.Adam(model.parameters(), lr=1.5e-3)
recent = []
for step in range(STEPS):
    bx, by = get_batch(step)
    loss = nn.functional.cross_entropy(model(bx), by)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    recent = recent[-19:] + [loss.item()]
    if step % 40 == 39:
        with torch.no_grad():
            acc = (model(x_val).argmax(1) == y_val).float().mean().item()
        print(f"step {step + 1} loss {sum(recent) / len(recent):.4f} val {acc:.3f}")

print(f"METRIC train_loss={sum(recent) / len(recent):.4f} val_acc={acc:.4f}")
