"""Pulse shape discrimination with a small convolutional net."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(5)
torch.manual_seed(5)

BASELINE = 32768
TRACE = 64


def record(n):
    """n digitiser traces and the particle kind of each."""
    kind = rng.integers(0, 3, n)
    t = np.arange(TRACE)
    tau = np.array([6.0, 14.0, 14.0])[kind]
    start = rng.integers(8, 16, n)
    since = np.clip(t[None, :] - start[:, None], 0, None)
    pulse = np.exp(-since / tau[:, None]) * (since > 0)
    echo = np.clip(since - 18, 0, None)
    pulse += (kind == 2)[:, None] * 0.6 * np.exp(-echo / 6.0) * (echo > 0)
    amplitude = rng.uniform(1500, 4000, n)[:, None]
    trace = BASELINE + amplitude * pulse + rng.normal(0, 150, (n, TRACE))
    return trace.round().astype(np.uint16), kind


def to_tensors(trace, kind):
    x = torch.from_numpy((trace.astype(np.float32) - BASELINE) / 1500.0)
    return x.unsqueeze(1), torch.from_numpy(kind)


train = TensorDataset(*to_tensors(*record(1600)))
x_val, y_val = to_tensors(*record(500))
loader = DataLoader(train, batch_size=40, shuffle=True)

net = nn.Sequential(
    nn.Conv1d(1, 12, 7, padding=3),
    nn.ReLU(),
    nn.MaxPool1d(2),
    nn.Conv1d(12, 16, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool1d(4),
    nn.Flatten(),
    nn.Linear(16 * 8, 3),
)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
criterion = nn.CrossEntropyLoss()

for epoch in range(6):
    net.train()
    total = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(net(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item()
    net.eval()
    with torch.no_grad():
        acc = (net(x_val).argmax(1) == y_val).float().mean().item()
    print(f"epoch {epoch}: loss {total / len(loader):.4f} val acc {acc:.3f}")

print(f"METRIC train_loss={total / len(loader):.4f} val_acc={acc:.4f}")
