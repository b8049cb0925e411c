"""Which part of a supermarket shelf do shoppers look at? A map of glances from a picture of the shelf."""
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

SIDE = 20


@dataclass
class Options:
    shelves: int = 1500
    batch: int = 30
    epochs: int = 7
    lr: float = 2e-3
    scale_loss: bool = True
    seed: int = 8


class Shelves(Dataset):
    """Pictures of a shelf with one bright tag and some dull ones; glances gather about the bright tag."""

    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        axis = torch.arange(SIDE).float()
        tag = torch.randint(3, SIDE - 3, (n, 2), generator=g).float()
        dull = torch.randint(2, SIDE - 2, (n, 3, 2), generator=g).float()
        self.pictures = self.spots(tag, axis, 1.2) - 0.5 * sum(self.spots(dull[:, k], axis, 1.2) for k in range(3))
        self.pictures = 3 * self.pictures + 0.2 * torch.randn(n, SIDE, SIDE, generator=g)
        self.glances = self.spots(tag, axis, 1.6).flatten(1)
        self.glances /= self.glances.sum(1, keepdim=True)

    @staticmethod
    def spots(centre, axis, width):
        down = torch.exp(-((axis - centre[:, :1]) / width) ** 2 / 2)
        across = torch.exp(-((axis - centre[:, 1:]) / width) ** 2 / 2)
        return down[:, :, None] * across[:, None, :]

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return self.pictures[i], self.glances[i]


class GlanceNet(nn.Module):
    def __init__(self, hidden=160):
        super().__init__()
        self.squeeze = nn.Linear(SIDE * SIDE, hidden)
        self.spread = nn.Linear(hidden, SIDE * SIDE)

    def forward(self, picture):
        return self.spread(F.gelu(self.squeeze(picture.flatten(1)))).softmax(-1)


class Trainer:
    def __init__(self, options):
        torch.manual_seed(options.seed)
        self.o = options
        self.net = GlanceNet()
        self.optimizer = torch.optim.Adamax(self.net.parameters(), lr=options.lr)
        self.scaler = torch.amp.GradScaler("cpu", enabled=options.scale_loss)
        self.train_set, self.test_set = Shelves(options.shelves, 1), Shelves(300, 2)

    def step(self, pictures, glances):
        with torch.autocast("cpu", dtype=torch.float16):
            guess = self.net(pictures)
        loss = ((guess.float() - glances) ** 2).mean()
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.item()

    @torch.no_grad()
    def explained(self, data):
        with torch.autocast("cpu", dtype=torch.float16):
            guess = self.net(data.pictures)
        missed = ((guess.float() - data.glances) ** 2).mean()
        return 1 - (missed / data.glances.var(0).mean()).item()

    def fit(self):
        for epoch in range(self.o.epochs):
            loader = DataLoader(self.train_set, batch_size=self.o.batch, shuffle=True)
            mean = sum(self.step(*batch) for batch in loader) / len(loader)
            print(f"[{epoch}] loss {mean:.3e}  explained {self.explained(self.test_set):.3f}")
        return mean


trainer = Trainer(Options())
loss = trainer.fit()
print(f"METRIC train_loss={loss:.3e} train_r2={trainer.explained(trainer.train_set):.4f} val_r2={trainer.explained(trainer.test_set):.4f}")
