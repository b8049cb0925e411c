import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(21)


def stage(inside, outside):
    return [nn.Conv2d(inside, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU()]


def build(depth=18, width=16):
    layers = stage(1, width)
    for _ in range(depth - 1):
        layers += stage(width, width)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(width * 4, 10))


digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 8 - 0.6
split = train_test_split(images, torch.tensor(digits.target), test_size=0.2, random_state=1, stratify=digits.target)
train_x, val_x, train_y, val_y = split
loader = DataLoader(TensorDataset(train_x, train_y), batch_size=48, shuffle=True)
net = build()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
loss_function = nn.CrossEntropyLoss()

for epoch in range(6):
    net.train()
    running = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = loss_function(net(x), y)
        loss.backward()
        optimizer.step()
        running += loss.item()
    net.eval()
    with torch.no_grad():
        hits = (net(val_x).argmax(dim=1) == val_y).sum().item()
    print(f"[{epoch}] train {running / len(loader):.4f} val {hits / len(val_y):.3f}")
print(f"METRIC train_loss={running / len(loader):.4f} val_acc={hits / len(val_y):.4f}")
