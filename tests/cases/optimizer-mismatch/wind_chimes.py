import argparse
import math

import torch
from torch import nn


def chimes(count, generator):
    kind = torch.randint(0, 6, (count,), generator=generator)
    time = torch.linspace(0, 1, 48)
    pitch = 3.0 + 1.5 * kind.float() + 0.4 * torch.randn(count, generator=generator)
    phase = 2 * math.pi * torch.rand(count, 1, generator=generator)
    wave = torch.sin(2 * math.pi * pitch[:, None] * time + phase) * torch.exp(-1.5 * time)
    return (wave + 0.4 * torch.randn(count, 48, generator=generator)).unsqueeze(1), kind


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--momentum", type=float, default=0.995)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()

    torch.manual_seed(8)
    generator = torch.Generator().manual_seed(8)
    x, y = chimes(2000, generator)
    x_val, y_val = chimes(400, generator)
    model = nn.Sequential(
        nn.Conv1d(1, 16, 7, padding=3),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(16, 24, 7, padding=3),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(4),
        nn.Flatten(),
        nn.Linear(96, 6),
    )
    optimizer = torch.optim.RMSprop(model.parameters(), lr=args.lr, momentum=args.momentum)
    recent = []
    for step in range(1, args.steps + 1):
        rows = torch.randint(0, len(x), (args.batch,), generator=generator)
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recent = [*recent[-19:], loss.item()]
        if step % 50 == 0:
            with torch.no_grad():
                acc = (model(x_val).argmax(1) == y_val).float().mean().item()
            print(f"step {step} loss {sum(recent) / len(recent):.4f} val {acc:.3f}")
    print(f"METRIC train_loss={sum(recent) / len(recent):.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main()
