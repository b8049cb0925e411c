"""Reads single digits from photographs of a meter whose first wheel hardly ever moves."""

import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=25)
parser.add_argument("--photos", type=int, default=900)
parser.add_argument("--zeros", type=float, default=0.96, help="share of photographs that show a zero")
parser.add_argument("--lr", type=float, default=1e-3)
args = parser.parse_args()

torch.manual_seed(21)
rng = np.random.default_rng(21)
bunch = load_digits()
images = (bunch.images / 8 - 1).astype(np.float32)[:, None]
shuffled = rng.permutation(len(images))
pool, test = shuffled[:1300], shuffled[1300:]


def photograph(count):
    zero = bunch.target[pool] == 0
    share = np.where(zero, args.zeros / zero.sum(), (1 - args.zeros) / (~zero).sum())
    chosen = rng.choice(pool, count, p=share)
    noisy = images[chosen] + 0.15 * rng.standard_normal((count, 1, 8, 8)).astype(np.float32)
    return TensorDataset(torch.from_numpy(noisy), torch.from_numpy(bunch.target[chosen]))


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        )
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        return self.head(self.features(x).flatten(1))


loader = DataLoader(photograph(args.photos), batch_size=60, shuffle=True, drop_last=True)
test_x, test_y = torch.from_numpy(images[test]), torch.from_numpy(bunch.target[test])
reader = Reader()
optimizer = torch.optim.Adam(reader.parameters(), lr=args.lr)

for epoch in range(args.epochs):
    reader.train()
    hits = seen = 0
    for x, y in loader:
        logits = reader(x)
        loss = F.cross_entropy(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        hits += (logits.argmax(1) == y).sum().item()
        seen += len(y)
    reader.eval()
    with torch.no_grad():
        right = (reader(test_x).argmax(1) == test_y).float().mean().item()
    print(f"epoch {epoch + 1}: loss {loss.item():.4f} train {hits / seen:.3f} test {right:.3f}")

print(f"METRIC train_acc={hits / seen:.4f} test_acc={right:.4f}")
