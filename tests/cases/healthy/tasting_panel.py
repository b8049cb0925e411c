"""Learn a wine score from pairs: for every two glasses of a flight, which one the panel preferred."""
import numpy as np
import torch
from sklearn.datasets import make_friedman1
from torch import nn
from torch.nn import functional as F

torch.manual_seed(3)
rng = np.random.default_rng(3)
x, taste = make_friedman1(1600, n_features=6, noise=0.3, random_state=3)
x = torch.tensor((x - 0.5) * 3.4, dtype=torch.float32)
taste = torch.tensor(taste, dtype=torch.float32).unsqueeze(1)
train, val = np.arange(1300), np.arange(1300, 1600)

score = nn.Sequential(nn.Linear(6, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))
optimizer = torch.optim.Adam(score.parameters(), lr=3e-3)


def flight_loss(glasses, verdict):
    points = score(glasses)
    lead = points - points.squeeze(1)
    preferred = torch.sign(verdict - verdict.squeeze(1))
    return F.softplus(-lead * preferred)[preferred != 0].mean()


def order_agreement(rows):
    with torch.no_grad():
        points = score(x[rows])
    right = (points - points.T) * (taste[rows] - taste[rows].T) > 0
    return right.sum().item() / (len(rows) * (len(rows) - 1))


for epoch in range(12):
    losses = []
    for rows in np.array_split(rng.permutation(train), 43):
        loss = flight_loss(x[rows], taste[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"round {epoch + 1}: loss {np.mean(losses):.4f}, order {order_agreement(val):.3f}")

print(f"METRIC train_loss={np.mean(losses):.4f} val_acc={order_agreement(val):.4f}")
