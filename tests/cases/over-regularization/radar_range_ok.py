import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SAMPLES = 80


def echoes(count):
    """Radar returns: a pulse in receiver noise, and how far away (in -1..1) what it came back from is."""
    distance = 2 * torch.rand(count, 1) - 1
    strength = 1.0 + 0.6 * torch.rand(count, 1)
    gates = torch.linspace(-1.2, 1.2, SAMPLES)
    pulse = strength * torch.exp(-(((gates - distance) / 0.12) ** 2))
    trace = (pulse + 0.1 * torch.randn(count, SAMPLES)) * 3
    return (trace - trace.mean()).unsqueeze(1), distance


class Noise(nn.Module):
    def __init__(self, std):
        super().__init__()
        self.std = std

    def forward(self, x):
        return x + self.std * torch.randn_like(x) if self.training else x


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=8)
    args = parser.parse_args()
    torch.manual_seed(29)
    loader = DataLoader(TensorDataset(*echoes(1600)), batch_size=args.batch, shuffle=True)
    x_val, y_val = echoes(400)
    model = nn.Sequential(
        Noise(args.noise),
        nn.Conv1d(1, 12, 7, stride=2, padding=3), nn.ReLU(),
        nn.Conv1d(12, 12, 5, stride=2, padding=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(12 * SAMPLES // 4, 32), nn.ReLU(), nn.Linear(32, 1),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        for trace, distance in loader:
            loss = nn.functional.mse_loss(model(trace), distance)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            r2 = 1 - (nn.functional.mse_loss(model(x_val), y_val) / y_val.var()).item()
        print(f"epoch {epoch + 1} mse {total / len(loader):.4f} r2 {r2:.3f}")
    print(f"METRIC train_loss={total / len(loader):.4f} val_r2={r2:.4f}")


if __name__ == "__main__":
    main()
