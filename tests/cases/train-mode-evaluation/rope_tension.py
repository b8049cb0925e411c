import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Plan:
    classes: int = 5
    length: int = 40
    channels: int = 16
    batch: int = 48
    lr: float = 0.02
    epochs: int = 9


def pulls(count, plan):
    """Swings of a rope's tension: the five classes of load differ in how wide the swings are."""
    load = torch.randint(0, plan.classes, (count,))
    time = torch.linspace(0, 1, plan.length)
    pace = 2 + 3 * torch.rand(count, 1)
    swing = 0.3 + 0.45 * load[:, None] + 0.08 * torch.randn(count, 1)
    tension = swing * torch.sin(2 * math.pi * (pace * time + torch.rand(count, 1)))
    return (tension + 0.1 * torch.randn(count, plan.length)).unsqueeze(1), load


class Trainer:
    def __init__(self, plan):
        self.plan = plan
        size = plan.channels
        self.model = nn.Sequential(
            nn.Conv1d(1, size, 5, padding=2),
            nn.BatchNorm1d(size),
            nn.ReLU(),
            nn.Conv1d(size, size, 5, padding=2),
            nn.BatchNorm1d(size),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(size, plan.classes),
        )
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=plan.lr, momentum=0.9)
        self.criterion = nn.CrossEntropyLoss()

    def run_epoch(self, loader):
        self.model.train()
        losses = []
        for x, y in loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    @torch.no_grad()
    def validate(self, loader):
        self.model.train()
        right = sum((self.model(x).argmax(1) == y).sum().item() for x, y in loader)
        return right / len(loader.dataset)


torch.manual_seed(13)
plan = Plan()
x, y = pulls(2000, plan)
train_loader = DataLoader(TensorDataset(x[:1600], y[:1600]), batch_size=plan.batch, shuffle=True)
val_loader = DataLoader(TensorDataset(x[1600:], y[1600:]), batch_size=4)
trainer = Trainer(plan)
for epoch in range(1, plan.epochs + 1):
    loss, accuracy = trainer.run_epoch(train_loader), trainer.validate(val_loader)
    print(f"epoch {epoch} loss {loss:.4f} val {accuracy:.3f}")
print(f"METRIC train_loss={loss:.4f} val_acc={accuracy:.4f}")
