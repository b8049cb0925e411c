import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Options:
    samples: int = 64
    channels: int = 16
    lr: float = 1e-3
    batch: int = 40
    epochs: int = 9


def notes(count, samples):
    """One microphone channel a note; the tuner is to tell how far the note lies from the middle of its range."""
    offset = 2 * torch.rand(count, 1) - 1
    time = torch.arange(samples) / samples
    phase = 2 * math.pi * torch.rand(count, 1)
    wave = torch.sin(2 * math.pi * (8 + 3 * offset) * time + phase)
    wave = wave + 0.8 + 0.5 * torch.randn(count, 1) + 0.15 * torch.randn(count, samples)
    wave = wave.unsqueeze(1)
    return wave - wave.mean(dim=2, keepdim=True), offset.squeeze(1) / 0.577


class Tuner(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.ears = nn.Sequential(
            nn.Conv1d(1, channels, 9, padding=4),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Conv1d(channels, 2 * channels, 9, padding=4),
            nn.ReLU(),
        )
        self.judge = nn.Sequential(nn.Linear(2 * channels, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, wave):
        return self.judge(self.ears(wave).mean(dim=2)).squeeze(1)


def evaluate(model, wave, offset):
    model.eval()
    with torch.no_grad():
        return 1 - (nn.functional.mse_loss(model(wave), offset) / offset.var()).item()


def main(options):
    torch.manual_seed(17)
    wave, offset = notes(2000, options.samples)
    loader = DataLoader(TensorDataset(wave[:1600], offset[:1600]), batch_size=options.batch, shuffle=True)
    model = Tuner(options.channels)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=options.lr)
    for epoch in range(options.epochs):
        model.train()
        losses = []
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        r2 = evaluate(model, wave[1600:], offset[1600:])
        print(f"epoch {epoch} mse {sum(losses) / len(losses):.4f} r2 {r2:.3f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_r2={r2:.4f}")


if __name__ == "__main__":
    main(Options())
