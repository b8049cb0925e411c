import argparse

import torch
from torch import nn


def height(place):
    """Height of a ridge landscape at a place in the unit square."""
    east, north = (place * 2 - 1).unbind(-1)
    ridges = torch.sin(6.5 * east + 2.0 * torch.sin(2.5 * north)) + 0.7 * torch.cos(6.5 * north - 1.5 * east)
    return ridges + 1.2 * torch.exp(-8 * ((east - 0.3).square() + (north + 0.2).square()))


def survey(count, generator):
    place = torch.rand(count, 2, generator=generator)
    reading = height(place) + 0.05 * torch.randn(count, generator=generator)
    return place * 3.4 - 1.7, reading.unsqueeze(1)


def explained(model, place, reading):
    model.eval()
    with torch.no_grad():
        return (1 - (model(place) - reading).square().mean() / reading.var()).item()


def train(args):
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    place, reading = survey(3200, generator)
    held = survey(600, generator)
    width = args.width
    model = nn.Sequential(
        nn.Linear(2, width), nn.GELU(),
        nn.Linear(width, width), nn.GELU(),
        nn.Linear(width, width), nn.GELU(),
        nn.Linear(width, 1),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    for epoch in range(1, args.epochs + 1):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(place)).split(args.batch_size):
            loss = nn.functional.mse_loss(model(place[rows]), reading[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch} mse {total / len(place):.4f} r2 {explained(model, *held):.3f}")
    print(f"METRIC train_loss={total / len(place):.4f} val_r2={explained(model, *held):.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=77)
    train(parser.parse_args())
