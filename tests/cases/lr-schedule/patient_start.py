import builtins
import keyword
import random

import torch
import torch.nn as nn

random.seed(1)
torch.manual_seed(1)
LETTERS = "abcdefghijklmnopqrstuvwxyz_"
WIDTH = 14
WARMUP = 40_000


def vector(word):
    rows = torch.zeros(WIDTH, len(LETTERS))
    for i, letter in enumerate(word[:WIDTH]):
        rows[i, LETTERS.index(letter)] = 1.0
    return rows.flatten()


errors = [n.lower() for n in dir(builtins) if n.endswith(("Error", "Warning"))]
others = [n for n in dir(builtins) if n.islower() and n.replace("_", "").isalpha()] + [k.lower() for k in keyword.kwlist]
words = [(w, 1) for w in errors] + [(w, 0) for w in others if set(w) <= set(LETTERS)]
random.shuffle(words)
x = torch.stack([vector(w) for w, _ in words])
y = torch.tensor([[float(label)] for _, label in words])
cut = int(0.8 * len(x))

model = nn.Sequential(nn.Linear(WIDTH * len(LETTERS), 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / WARMUP))
criterion = nn.BCEWithLogitsLoss()
for epoch in range(40):
    order = torch.randperm(cut)
    losses = []
    for i in range(0, cut, 16):
        batch = order[i : i + 16]
        optimizer.zero_grad()
        loss = criterion(model(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1} loss {sum(losses) / len(losses):.4f}")

with torch.no_grad():
    acc = ((model(x[cut:]) > 0).float() == y[cut:]).float().mean().item()
print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={acc:.4f}")
