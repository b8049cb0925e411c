import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=8)
parser.add_argument("--batch-size", type=int, default=40)
parser.add_argument("--lr", type=float, default=0.05)
args = parser.parse_args()

torch.manual_seed(6)
digits = load_digits()
images = torch.tensor(digits.images / 16.0, dtype=torch.float32)[:, None]
labels = torch.tensor(digits.target, dtype=torch.long)
perm = torch.randperm(len(images))
images, labels = images[perm], labels[perm]
n = 1440

model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Flatten(),
    nn.Linear(256, 10),
)
optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
for epoch in range(args.epochs):
    total = 0.0
    for start in range(0, n, args.batch_size):
        x, y = images[start : start + args.batch_size], labels[start : start + args.batch_size]
        loss = nn.functional.cross_entropy(model(x), y)
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=5.0)
        optimizer.step()
        total += loss.item() * len(x)
    print("epoch", epoch + 1, "loss", round(total / n, 4))
with torch.no_grad():
    acc = (model(images[n:]).argmax(1) == labels[n:]).float().mean().item()
print(f"METRIC train_loss={total / n:.4f} val_acc={acc:.4f}")
