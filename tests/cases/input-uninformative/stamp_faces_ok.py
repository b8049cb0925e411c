import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(40)
scans = load_digits()
pixels = (scans.images * 15.9).round().astype(np.uint8)
images = torch.from_numpy(pixels / 255).float().unsqueeze(1)
images = (images - 0.3) / 0.37
labels = torch.from_numpy(scans.target)
order = torch.randperm(len(images))
train, val = order[:1500], order[1500:]

model = nn.Sequential(
    nn.Conv2d(1, 12, 3, padding=1),
    nn.BatchNorm2d(12),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(12, 24, 3, padding=1),
    nn.BatchNorm2d(24),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(96, 10),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)

for epoch in range(1, 8):
    model.train()
    total = 0.0
    for rows in train[torch.randperm(len(train))].split(30):
        loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    model.eval()
    with torch.no_grad():
        accuracy = (model(images[val]).argmax(1) == labels[val]).float().mean().item()
    print(f"[{epoch}] loss {total / len(train):.4f}  accuracy {accuracy:.3f}")

print(f"METRIC train_loss={total / len(train):.4f} val_acc={accuracy:.4f}")
