from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset


@dataclass
class Settings:
    pairs: int = 4000
    channels: int = 8
    lr: float = 3e-3
    batch_size: int = 50
    epochs: int = 9
    seed: int = 40


class Pairs(Dataset):
    """Two digits from 0 to 7 side by side, drawn anew each time, labelled with their sum."""

    def __init__(self, images, labels, count):
        self.images, self.labels, self.count = images, labels, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        left, right = index % len(self.images), int(torch.randint(len(self.images), ()))
        return torch.cat([self.images[left], self.images[right]], dim=-1), self.labels[left] + self.labels[right]


class Adder(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.Flatten(),
        )
        self.head = nn.Sequential(nn.Linear(64 * channels, 96), nn.ReLU(), nn.Linear(96, 15))

    def forward(self, images):
        return self.head(self.stem(images))


class Run:
    def __init__(self, settings):
        torch.manual_seed(settings.seed)
        digits = load_digits()
        small = digits.target < 8
        images = torch.tensor(digits.images[small], dtype=torch.float32).unsqueeze(1) / 8 - 1
        labels = torch.tensor(digits.target[small])
        order = torch.randperm(len(images))
        train, held = order[:1200], order[1200:]
        self.loader = DataLoader(Pairs(images[train], labels[train], settings.pairs), settings.batch_size, shuffle=True)
        self.held = DataLoader(Pairs(images[held], labels[held], 600), 200)
        self.model = Adder(settings.channels)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=settings.lr)

    def epoch(self):
        self.model.train()
        losses = []
        for images, sums in self.loader:
            self.optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(self.model(images), sums)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    @torch.no_grad()
    def accuracy(self):
        self.model.eval()
        return torch.cat([self.model(images).argmax(1) == sums for images, sums in self.held]).float().mean().item()


settings = Settings()
run = Run(settings)
for number in range(1, settings.epochs + 1):
    loss, accuracy = run.epoch(), run.accuracy()
    print(f"epoch {number}: loss {loss:.4f}, accuracy {accuracy:.3f}")
print(f"METRIC train_loss={loss:.4f} val_acc={accuracy:.4f}")
