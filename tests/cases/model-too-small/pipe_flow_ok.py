import argparse
import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def measure(count, noise, generator):
    """Pressure drop of a pipe network from six standardised settings."""
    setting = torch.rand(count, 6, generator=generator) * 2 - 1
    valve, speed, bend, heat, load, _ = setting.unbind(1)
    drop = 1.6 * valve * speed + torch.sin(math.pi * bend) * heat + 0.7 * load + 0.8 * valve.square()
    return setting, (drop + noise * torch.randn(count, generator=generator)).unsqueeze(1)


def build(width):
    if not width:
        return nn.Linear(6, 1)
    return nn.Sequential(nn.Linear(6, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1))


def evaluate(model, loader):
    model.eval()
    with torch.no_grad():
        guess, truth = (torch.cat(part) for part in zip(*((model(x), y) for x, y in loader)))
    return 1 - ((guess - truth).square().mean() / truth.var()).item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=40, help="units in the hidden layers")
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=44)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    train_loader = DataLoader(TensorDataset(*measure(2000, 0.05, generator)), batch_size=40, shuffle=True)
    val_loader = DataLoader(TensorDataset(*measure(500, 0.05, generator)), batch_size=250)
    model = build(args.width)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=1e-4)
    for epoch in range(args.epochs):
        model.train()
        losses = []
        for x, y in train_loader:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        mean = sum(losses) / len(losses)
        print(f"epoch {epoch + 1} train {mean:.4f} r2 {evaluate(model, val_loader):.3f}")
    print(f"METRIC train_loss={mean:.4f} val_r2={evaluate(model, val_loader):.4f}")


if __name__ == "__main__":
    main()
