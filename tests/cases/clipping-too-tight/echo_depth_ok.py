from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    soundings: int = 2000
    samples: int = 48
    channels: int = 12
    batch: int = 40
    lr: float = 0.05
    clip: float = 1.0
    epochs: int = 7
    seed: int = 36


def soundings(config, count):
    """Echo of a ping off the sea floor, in noise; the target is the standardised depth."""
    time = torch.arange(float(config.samples))
    delay = 6 + 36 * torch.rand(count, 1)
    strength = 1.5 + torch.rand(count, 1)
    echo = strength * torch.exp(-((time - delay) / 3).square()) + 0.2 * torch.randn(count, config.samples)
    return ((echo - 0.25) / 0.6).unsqueeze(1), (delay - 24) / 10.4


def explained(model, echo, depth):
    model.eval()
    with torch.no_grad():
        return (1 - nn.functional.mse_loss(model(echo), depth) / depth.var()).item()


def main(config):
    torch.manual_seed(config.seed)
    train = DataLoader(TensorDataset(*soundings(config, config.soundings)), batch_size=config.batch, shuffle=True)
    held = soundings(config, 500)
    model = nn.Sequential(
        nn.Conv1d(1, config.channels, 7, stride=2, padding=3),
        nn.ReLU(),
        nn.Conv1d(config.channels, config.channels, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(config.channels * config.samples // 4, 1),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=config.lr)
    for epoch in range(1, config.epochs + 1):
        model.train()
        losses = []
        for echo, depth in train:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(echo), depth)
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), config.clip)
            optimizer.step()
            losses.append(loss.item())
        mean = sum(losses) / len(losses)
        print(f"epoch {epoch}: mse {mean:.4f}, r2 {explained(model, *held):.3f}")
    print(f"METRIC train_loss={mean:.4f} val_r2={explained(model, *held):.4f}")


if __name__ == "__main__":
    main(Config())
