"""Fine-tune on a small target set while the normalisation keeps the statistics it was pretrained with."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


class SmallResNet(nn.Module):
    def __init__(self, classes, width=12):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.norm0 = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.fc = nn.Linear(width * 4, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm0(self.stem(x))), 2)
        x = x + F.relu(self.norm1(self.conv1(x)))
        return self.fc(F.avg_pool2d(x, 2).flatten(1))


def fix_norm(module):
    if isinstance(module, nn.BatchNorm2d):
        module.eval()


def epoch(model, opt, x, y, size):
    total = 0.0
    for idx in torch.randperm(len(x)).split(size):
        loss = F.cross_entropy(model(x[idx]), y[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(idx) / len(x)
    return total


def main():
    torch.manual_seed(88)
    d = load_digits()
    x = torch.tensor(d.images, dtype=torch.float32)[:, None] / 16
    y = torch.tensor(d.target)
    source, target = y < 5, y >= 5

    model = SmallResNet(classes=5)
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    model.train()
    for k in range(5):
        loss = epoch(model, opt, x[source], y[source], 50)
        print(f"pretrain {k + 1} loss {loss:.4f}")

    xt, yt = x[target], y[target] - 5
    perm = torch.randperm(len(xt))
    few, rest = perm[:160], perm[160:]
    model.fc = nn.Linear(model.fc.in_features, 5)
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for k in range(12):
        model.train()
        model.apply(fix_norm)
        loss = epoch(model, opt, xt[few], yt[few], 10)
    model.eval()
    with torch.no_grad():
        acc = (model(xt[rest]).argmax(1) == yt[rest]).float().mean().item()
    print(f"METRIC train_loss={loss:.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main()
