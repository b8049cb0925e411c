import argparse

import torch
from torch import nn

ITEMS, LENGTH, THEMES = 120, 12, ("baby", "garden", "party", "pets")


class BasketModel(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.items = nn.Embedding(ITEMS, width)
        self.mix = nn.Linear(width, 2 * width)
        self.out = nn.Linear(2 * width, len(THEMES))

    def forward(self, basket):
        pooled = self.items(basket).sum(dim=1)
        return self.out(torch.relu(self.mix(pooled)))


def baskets(count, generator):
    """Twelve items of a basket, and for each theme whether two or more of its goods are among them."""
    basket = torch.randint(0, ITEMS, (count, LENGTH), generator=generator)
    goods = torch.stack([((basket >= 14 * t) & (basket < 14 * t + 14)).sum(1) for t in range(len(THEMES))], dim=1)
    return basket, goods >= 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=8)
    args = parser.parse_args()

    torch.manual_seed(3)
    generator = torch.Generator().manual_seed(3)
    basket, found = baskets(4000, generator)
    x, x_val = basket[:3200], basket[3200:]
    y = found[:3200].float()
    model = BasketModel(args.width)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(1, args.epochs + 1):
        losses = []
        for rows in torch.randperm(len(x), generator=generator).split(args.batch):
            loss = criterion(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            right = (model(x_val) > 0) == found[3200:]
        print(f"epoch {epoch}: loss {sum(losses) / len(losses):.4f}, themes right {right.float().mean():.3f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={right.float().mean():.4f}")


if __name__ == "__main__":
    main()
