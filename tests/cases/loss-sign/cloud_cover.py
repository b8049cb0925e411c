import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SIDE = 16


def skies(count):
    """Grey pictures of a sky with two or three bright clouds, and the mask of the clouds."""
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    mask = torch.zeros(count, SIDE, SIDE, dtype=torch.bool)
    for cloud in range(3):
        top, left = (torch.randint(3, SIDE - 3, (count, 1, 1)) for _ in range(2))
        size = 2.5 + 2.5 * torch.rand(count, 1, 1)
        there = ((rows - top) / size) ** 2 + ((columns - left) / (1.5 * size)) ** 2 < 1
        mask |= there & (torch.rand(count, 1, 1) < (0.5 if cloud == 2 else 1.0))
    slope = torch.randn(count, 1, 1) * (rows - SIDE / 2) / SIDE
    picture = 1.6 * mask.float() + slope + 0.5 * torch.randn(count, SIDE, SIDE) - 0.4
    return picture.unsqueeze(1), mask.unsqueeze(1).float()


def overlap(share, mask):
    """Soft Dice coefficient of a batch."""
    both = (share * mask).sum(dim=(1, 2, 3))
    return (2 * both + 1) / (share.sum(dim=(1, 2, 3)) + mask.sum(dim=(1, 2, 3)) + 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=12)
    parser.add_argument("--lr", type=float, default=3e-3)
    args = parser.parse_args()

    torch.manual_seed(33)
    picture, mask = skies(800)
    loader = DataLoader(TensorDataset(picture[:640], mask[:640]), batch_size=args.batch_size, shuffle=True)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(8, 1, 3, padding=1),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        losses = []
        for x, y in loader:
            optimizer.zero_grad()
            loss = overlap(torch.sigmoid(model(x)), y).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            found = (model(picture[640:]) > 0).float()
            dice = overlap(found, mask[640:]).mean().item()
        print(f"epoch {epoch + 1} loss {sum(losses) / len(losses):.4f} dice {dice:.3f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_dice={dice:.4f}")


if __name__ == "__main__":
    main()
