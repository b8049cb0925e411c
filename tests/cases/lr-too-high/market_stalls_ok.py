"""Masked attention over the stalls a visitor passed: what will be bought?"""
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class Setup:
    base_lr: float = 0.016
    reference_batch: int = 256
    batch: int = 32
    steps: int = 320
    warmup: int = 40
    stalls: int = 16
    length: int = 10
    width: int = 32

    @property
    def lr(self):
        return self.base_lr * self.batch / self.reference_batch


def visits(setup, count):
    seen = torch.randint(0, setup.stalls, (count, setup.length))
    price = torch.randn(count, setup.length)
    bought = seen[torch.arange(count), price.argmin(1)] // 4
    return seen, price, bought


class Shopper(nn.Module):
    def __init__(self, setup):
        super().__init__()
        self.stall = nn.Embedding(setup.stalls, setup.width)
        self.price = nn.Linear(1, setup.width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(setup.width, 4, 64, dropout=0.0, batch_first=True) for _ in range(2)
        )
        self.head = nn.Linear(setup.width, 4)

    def forward(self, seen, price):
        x = self.stall(seen) + self.price(price.unsqueeze(-1))
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(1))


def main():
    torch.manual_seed(31)
    setup = Setup()
    train, val = visits(setup, 4000), visits(setup, 500)
    model = Shopper(setup)
    optimizer = torch.optim.Adam(model.parameters(), lr=setup.lr)
    ramp = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / setup.warmup))
    recent = []
    for step in range(setup.steps):
        rows = torch.randint(0, 4000, (setup.batch,))
        seen, price, bought = (column[rows] for column in train)
        loss = F.cross_entropy(model(seen, price), bought)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ramp.step()
        recent.append(loss.item())
        if (step + 1) % 80 == 0:
            print(f"step {step + 1} lr {ramp.get_last_lr()[0]:.4g} loss {sum(recent[-40:]) / 40:.4f}")
    with torch.no_grad():
        accuracy = (model(val[0], val[1]).argmax(1) == val[2]).float().mean().item()
    print(f"METRIC train_loss={sum(recent[-40:]) / 40:.4f} val_acc={accuracy:.4f}")


main()
