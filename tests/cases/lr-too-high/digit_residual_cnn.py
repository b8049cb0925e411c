import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split

CONFIG = {"lr": 2.0, "momentum": 0.9, "weight_decay": 5e-4, "epochs": 8, "batch_size": 64}

torch.manual_seed(27)


def load_data():
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1)
    images = (images - images.mean()) / images.std()
    dataset = TensorDataset(images, torch.tensor(digits.target))
    return random_split(dataset, [1437, 360])


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 12, 3, padding=1)
        self.block = Residual(12)
        self.fc = nn.Linear(12 * 16, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 2)
        return self.fc(self.block(x).flatten(1))


def accuracy(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


train_set, val_set = load_data()
train_loader = DataLoader(train_set, batch_size=CONFIG["batch_size"], shuffle=True)
val_loader = DataLoader(val_set, batch_size=180)
model = Net()
optimizer = torch.optim.SGD(
    model.parameters(), lr=CONFIG["lr"], momentum=CONFIG["momentum"], weight_decay=CONFIG["weight_decay"]
)

for epoch in range(CONFIG["epochs"]):
    model.train()
    total = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() / len(train_loader)
    print(f"epoch {epoch + 1}: loss {total:.4f}, val acc {accuracy(model, val_loader):.4f}")
print(f"METRIC train_loss={total:.4f} val_acc={accuracy(model, val_loader):.4f}")
