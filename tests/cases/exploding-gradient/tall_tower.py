import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn, optim

rng = np.random.default_rng(5)
torch.manual_seed(5)
digits = load_digits()
pixels = torch.tensor(digits.data / 8.0 - 1.0, dtype=torch.float32)
labels = torch.tensor(digits.target)
order = torch.tensor(rng.permutation(len(pixels)))
train, held_out = order[:1400], order[1400:]


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        for layer in (self.first, self.second):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, x):
        return x + self.second(F.relu(self.first(x)))


class Tower(nn.Module):
    def __init__(self, width=64, blocks=40):
        super().__init__()
        self.stem = nn.Linear(64, width)
        self.blocks = nn.Sequential(*[Block(width) for _ in range(blocks)])
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)))


tower = Tower()
optimizer = optim.Adam(tower.parameters(), lr=0.001)
for epoch in range(10):
    total = 0.0
    for part in train[torch.randperm(len(train))].split(50):
        loss = F.cross_entropy(tower(pixels[part]), labels[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(part)
    print(f"epoch {epoch}: {total / len(train):.4f}")

with torch.no_grad():
    right = (tower(pixels[held_out]).argmax(1) == labels[held_out]).float().mean()
print(f"METRIC train_loss={total / len(train):.4f} val_acc={right:.4f}")
