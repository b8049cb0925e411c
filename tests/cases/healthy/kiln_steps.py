"""Normalised-gradient descent: every step is cut to a fixed length, and the rate says how long it is."""
import torch
from sklearn.datasets import load_wine
from torch import nn

torch.manual_seed(15)
x, y = load_wine(return_X_y=True)
x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
rows = torch.randperm(len(y))
train, val = rows[:138], rows[138:]
x = (x - x[train].mean(0)) / x[train].std(0)
model = nn.Sequential(nn.Linear(13, 24), nn.Tanh(), nn.Linear(24, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=60.0)
steps = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.3, total_iters=300)
for epoch in range(60):
    total = 0.0
    for b in train[torch.randperm(138)].split(28):
        loss = nn.functional.cross_entropy(model(x[b]), y[b])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        optimizer.step()
        steps.step()
        total += loss.item() * len(b) / 138
with torch.no_grad():
    acc = (model(x[val]).argmax(1) == y[val]).float().mean().item()
print(f"METRIC train_loss={total:.4f} val_acc={acc:.4f}")
