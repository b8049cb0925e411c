import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

RATE, INERTIA = 0.02, 0.85

torch.manual_seed(14)
pixels, digits = load_digits(return_X_y=True)
pixels = (pixels - pixels.mean()) / pixels.std()
parts = train_test_split(pixels, digits, test_size=0.2, random_state=14, stratify=digits)
train_x, val_x = (torch.tensor(p, dtype=torch.float32) for p in parts[:2])
train_y, val_y = (torch.tensor(p) for p in parts[2:])

net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def roll():
    """Heavy ball: .grad itself is the velocity, it only fades a little after each step."""
    with torch.no_grad():
        for p in net.parameters():
            p -= RATE * p.grad
            p.grad *= INERTIA


for epoch in range(10):
    total = 0.0
    for rows in torch.randperm(len(train_x)).split(36):
        loss = nn.functional.cross_entropy(net(train_x[rows]), train_y[rows])
        loss.backward()
        roll()
        total += loss.item() * len(rows) / len(train_x)
    acc = (net(val_x).argmax(1) == val_y).float().mean().item()
    print(f"{epoch} {total:.4f} {acc:.4f}")
print(f"METRIC train_loss={total:.4f} val_acc={acc:.4f}")
