import argparse
import math

import torch
from torch import nn


def pings(count, generator):
    """Two echoes over 64 samples with sea noise; the target is the gap between them."""
    time = torch.arange(64.0)
    first = 6 + 14 * torch.rand(count, 1, generator=generator)
    gap = 8 + 28 * torch.rand(count, 1, generator=generator)
    carrier = 2 * math.pi * torch.rand(count, 1, generator=generator)
    pitch = 0.6 + 0.8 * torch.rand(count, 1, generator=generator)
    wave = 0.5 * torch.randn(count, 64, generator=generator)
    for place in (first, first + gap):
        after = time - place
        wave += 2.2 * torch.exp(-(after / 2.5).square()) * torch.cos(pitch * after + carrier)
    return wave.unsqueeze(1), (gap - 22) / 8


class Ranger(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.front = nn.Conv1d(1, channels, 9, padding=4)
        self.back = nn.Conv1d(channels, channels, 5, padding=2)
        self.head = nn.Sequential(nn.Linear(channels * 16, 48), nn.ELU(), nn.Linear(48, 1))

    def forward(self, wave):
        hidden = nn.functional.max_pool1d(nn.functional.elu(self.front(wave)), 2)
        hidden = nn.functional.max_pool1d(nn.functional.elu(self.back(hidden)), 2)
        return self.head(hidden.flatten(1))


def r2(model, waves, gaps):
    with torch.no_grad():
        return (1 - nn.functional.mse_loss(model(waves), gaps) / gaps.var()).item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--lr", type=float, default=8e-3)
    args = parser.parse_args()

    torch.manual_seed(33)
    generator = torch.Generator().manual_seed(33)
    held = pings(500, generator)
    model = Ranger(16)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    recent = []
    for step in range(1, args.steps + 1):
        waves, gaps = pings(args.batch, generator)
        loss = nn.functional.mse_loss(model(waves), gaps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recent = [*recent[-49:], loss.item()]
        if step % 50 == 0:
            print(f"step {step} mse {sum(recent) / len(recent):.4f} r2 {r2(model, *held):.3f}")
    print(f"METRIC train_loss={sum(recent) / len(recent):.4f} val_r2={r2(model, *held):.4f}")


if __name__ == "__main__":
    main()
