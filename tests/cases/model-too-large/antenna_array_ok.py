import argparse

import numpy as np
import torch
from torch import nn


def measure(count, elements, rng):
    """What each element of an array receives, and the level at the receiver behind it."""
    field = rng.standard_normal((count, elements))
    gains = rng.standard_normal(elements)
    level = np.abs(field @ gains / np.linalg.norm(gains)) + 0.08 * rng.standard_normal(count)
    level = (level - level.mean()) / level.std()
    return torch.tensor(field, dtype=torch.float32), torch.tensor(level, dtype=torch.float32).unsqueeze(1)


def perceptron(inputs, widths):
    layers = []
    for width in widths:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--elements", type=int, default=16)
    parser.add_argument("--rows", type=int, default=140)
    parser.add_argument("--widths", type=int, nargs="+", default=[6])
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    x, y = measure(args.rows + 400, args.elements, np.random.default_rng(args.seed))
    x_val, y_val = x[args.rows :], y[args.rows :]
    net = perceptron(args.elements, args.widths)
    optimizer = torch.optim.SGD(net.parameters(), lr=args.lr, momentum=0.9, weight_decay=1e-4)
    mse = nn.MSELoss()
    for epoch in range(1, args.epochs + 1):
        net.train()
        losses = []
        for rows in torch.randperm(args.rows).split(10):
            optimizer.zero_grad()
            loss = mse(net(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        if epoch % 10 == 0:
            net.eval()
            with torch.no_grad():
                val = mse(net(x_val), y_val).item()
            print(f"epoch {epoch}: train {np.mean(losses):.4f}, val {val:.4f}")
    print(f"METRIC train_loss={np.mean(losses):.4f} val_loss={val:.4f} val_r2={1 - val / y_val.var().item():.4f}")


if __name__ == "__main__":
    main()
