import argparse
import math

import torch
from torch import nn


def build_table(n, generator):
    """Hourly heat demand of a block of flats from weather, hour and occupancy."""
    outside = 8 + 9 * torch.randn(n, generator=generator)
    wind = torch.rand(n, generator=generator) * 12
    hour = torch.randint(0, 24, (n,), generator=generator).float()
    occupied = (torch.rand(n, generator=generator) < 0.7).float()
    demand = torch.relu(19 - outside) * (1 + 0.05 * wind) * (0.6 + 0.4 * occupied)
    demand = demand + 4 * torch.sin(2 * math.pi * (hour - 5) / 24) + torch.randn(n, generator=generator)
    features = torch.stack([
        (outside - 8) / 9, (wind - 6) / 3.5, occupied - 0.7,
        torch.sin(2 * math.pi * hour / 24), torch.cos(2 * math.pi * hour / 24),
    ], dim=1)
    return features, demand


def run(args):
    generator = torch.Generator().manual_seed(args.seed)
    torch.manual_seed(args.seed)
    x, demand = build_table(3000, generator)
    y = (demand - demand[:2400].mean()) / demand[:2400].std()
    x_train, y_train, x_val, y_val = x[:2400], y[:2400], x[2400:], y[2400:]

    model = nn.Sequential(nn.Linear(5, 40), nn.SiLU(), nn.Linear(40, 40), nn.SiLU(), nn.Linear(40, 1))
    loss_fn = nn.MSELoss()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=args.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)

    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        batches = torch.randperm(len(x_train)).split(args.batch_size)
        for rows in batches:
            optimizer.zero_grad()
            loss = loss_fn(model(x_train[rows]).flatten(), y_train[rows])
            loss.backward()
            optimizer.step()
            total += loss.item()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            error = (model(x_val).flatten() - y_val).pow(2).mean().item()
        r2 = 1 - error / y_val.var().item()
        print(f"epoch {epoch + 1:2d}/{args.epochs} loss {total / len(batches):.4f} val r2 {r2:.3f}")
    print(f"METRIC train_loss={total / len(batches):.4f} val_r2={r2:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="heat demand model")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=60)
    parser.add_argument("--seed", type=int, default=23)
    run(parser.parse_args())
