import argparse

import numpy as np
import torch
from torch import nn

YARNS, KNOTS = 20, 8


def weave(rng, rows):
    """Strips of twelve stitches, a yarn and a knot each, and the mill, known by the yarns it favours."""
    mill = rng.integers(0, 5, rows)
    favour = np.where(rng.permutation(YARNS) % 5 == np.arange(5)[:, None], 6.0, 1.0)
    favour /= favour.sum(axis=1, keepdims=True)
    yarn = np.stack([rng.choice(YARNS, 12, p=favour[one]) for one in mill])
    knot = (yarn // 3 + rng.integers(0, 2, (rows, 12))) % KNOTS
    return torch.tensor(yarn), torch.tensor(knot), torch.tensor(mill)


def channels(yarn, knot):
    columns = [yarn.unsqueeze(-1) / (YARNS - 1) * 2 - 1, knot.unsqueeze(-1) / (KNOTS - 1) * 2 - 1]
    return torch.cat([column.float() for column in columns], dim=-1).transpose(1, 2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=2500)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--epochs", type=int, default=8)
    args = parser.parse_args()

    torch.manual_seed(18)
    yarn, knot, mill = weave(np.random.default_rng(18), args.rows)
    strips = channels(yarn, knot)
    train, val = torch.randperm(args.rows).split([args.rows - 500, 500])
    model = nn.Sequential(
        nn.Conv1d(strips.shape[1], args.width, 3, padding=1),
        nn.ReLU(),
        nn.Conv1d(args.width, args.width, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(args.width, 5),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        for rows in train[torch.randperm(len(train))].split(40):
            loss = nn.functional.cross_entropy(model(strips[rows]), mill[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        model.eval()
        with torch.no_grad():
            accuracy = (model(strips[val]).argmax(1) == mill[val]).float().mean().item()
        print(f"epoch {epoch + 1} loss {total / len(train):.4f} accuracy {accuracy:.3f}")
    print(f"METRIC train_loss={total / len(train):.4f} val_acc={accuracy:.4f}")


if __name__ == "__main__":
    main()
