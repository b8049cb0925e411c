"""Pretrain a small conv net on a quick proxy task, then transfer it in two stages."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(33)
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
target = torch.tensor(digits.target)
ink = (images.sum((1, 2, 3)) > images.sum((1, 2, 3)).median()).long()
perm = torch.randperm(len(images))
train, val = perm[:1400], perm[1400:]


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 12, 3, padding=1)
        self.project = nn.Linear(12 * 4, 8)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return torch.tanh(self.project(x.flatten(1)))


def epoch_loop(backbone, head, opt, labels):
    total = 0.0
    for idx in train[torch.randperm(len(train))].split(56):
        loss = F.cross_entropy(head(backbone(images[idx])), labels[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(idx) / len(train)
    return total


@torch.no_grad()
def accuracy(backbone, head, labels):
    return (head(backbone(images[val])).argmax(1) == labels[val]).float().mean().item()


backbone = Backbone()
proxy = nn.Linear(8, 2)
opt = torch.optim.Adam([*backbone.parameters(), *proxy.parameters()], lr=3e-3)
for _ in range(2):
    epoch_loop(backbone, proxy, opt, ink)
print(f"proxy acc {accuracy(backbone, proxy, ink):.4f}")

head = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 10))
opt = torch.optim.AdamW([*backbone.parameters(), *head.parameters()], lr=5e-3, weight_decay=1e-3)
for p in backbone.parameters():
    p.requires_grad = False
for epoch in range(12):
    if epoch == 2:
        for p in backbone.parameters():
            p.requires_grad = True
    loss = epoch_loop(backbone, head, opt, target)
    acc = accuracy(backbone, head, target)
    print(f"epoch {epoch + 1:2d} loss {loss:.4f} val acc {acc:.4f}")
print(f"METRIC train_loss={loss:.4f} val_acc={acc:.4f}")
