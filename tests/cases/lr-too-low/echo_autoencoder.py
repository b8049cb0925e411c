from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class TrainConfig:
    length: int = 64
    code: int = 10
    samples: int = 2000
    batch_size: int = 50
    epochs: int = 8
    learning_rate: float = 1e-5
    weight_decay: float = 1e-5
    seed: int = 77


def radar_echoes(cfg):
    """Returned pulses: two reflections with their own delay, strength and width."""
    t = torch.linspace(0, 1, cfg.length)
    delay = 0.15 + 0.7 * torch.rand(cfg.samples, 2, 1)
    strength = 0.5 + torch.rand(cfg.samples, 2, 1)
    width = 0.05 + 0.05 * torch.rand(cfg.samples, 2, 1)
    pulses = (strength * torch.exp(-((t - delay) / width) ** 2)).sum(1)
    pulses = pulses + 0.02 * torch.randn(cfg.samples, cfg.length)
    return (pulses - pulses.mean()) / pulses.std()


class AutoEncoder(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(cfg.length, 96), nn.LeakyReLU(), nn.Linear(96, 48), nn.LeakyReLU(), nn.Linear(48, cfg.code)
        )
        self.decoder = nn.Sequential(
            nn.Linear(cfg.code, 48), nn.LeakyReLU(), nn.Linear(48, 96), nn.LeakyReLU(), nn.Linear(96, cfg.length)
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def train(cfg):
    torch.manual_seed(cfg.seed)
    echoes = radar_echoes(cfg)
    train_x, val_x = echoes[:1700], echoes[1700:]
    model = AutoEncoder(cfg)
    optimizer = torch.optim.AdamW(model.parameters(), lr=cfg.learning_rate, weight_decay=cfg.weight_decay)
    for epoch in range(cfg.epochs):
        running, batches = 0.0, 0
        for x in train_x[torch.randperm(len(train_x))].split(cfg.batch_size):
            loss = nn.functional.mse_loss(model(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running, batches = running + loss.item(), batches + 1
        with torch.no_grad():
            val = nn.functional.mse_loss(model(val_x), val_x).item()
        print(f"epoch {epoch + 1}: train {running / batches:.4f} val {val:.4f}")
    explained = 1 - val / (val_x - train_x.mean(0)).pow(2).mean().item()
    return running / batches, explained


if __name__ == "__main__":
    loss, explained = train(TrainConfig())
    print(f"METRIC train_loss={loss:.4f} val_explained={explained:.4f}")
