import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SHOPS, GOODS, WEEKDAYS = 40, 25, 7


def sales(count):
    """Shop, good, weekday and weather of a day's sale, and the logarithm of the number sold."""
    shop, good, day = (torch.randint(0, size, (count,)) for size in (SHOPS, GOODS, WEEKDAYS))
    weather = torch.randn(count, 3)
    size, taste, week = torch.randn(SHOPS), torch.randn(GOODS), torch.randn(WEEKDAYS)
    warm, wet = torch.randn(GOODS), torch.randn(SHOPS)
    sold = (
        size[shop] + taste[good] + 0.7 * week[day] + 0.5 * warm[good] * weather[:, 0] + 0.5 * wet[shop] * weather[:, 1]
    )
    return torch.stack([shop, good, day], dim=1), weather, sold + 0.1 * torch.randn(count)


class Demand(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, 12) for size in (SHOPS, GOODS, WEEKDAYS))
        self.body = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(39, width),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Dropout(dropout),
        )
        self.head = nn.Linear(width, 1)

    def forward(self, codes, weather):
        parts = [table(codes[:, i]) for i, table in enumerate(self.tables)]
        return self.head(self.body(torch.cat([*parts, weather], dim=1))).squeeze(1)


def train_epoch(model, loader, optimizer):
    losses = []
    for codes, weather, sold in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(codes, weather), sold)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def predict(model, loader):
    with torch.no_grad():
        return torch.cat([model(codes, weather) for codes, weather, _ in loader])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--epochs", type=int, default=9)
    args = parser.parse_args()
    torch.manual_seed(44)
    codes, weather, sold = sales(4000)
    sold = (sold - sold.mean()) / sold.std()
    train_set = TensorDataset(codes[:3200], weather[:3200], sold[:3200])
    val_set = TensorDataset(codes[3200:], weather[3200:], sold[3200:])
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=200)
    model = Demand(args.width, args.dropout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for epoch in range(args.epochs):
        model.train()
        loss = train_epoch(model, train_loader, optimizer)
        guess = predict(model, val_loader)
        model.eval()
        r2 = (1 - (guess - sold[3200:]).square().mean() / sold[3200:].var()).item()
        print(f"epoch {epoch} loss {loss:.4f} r2 {r2:.3f}")
    print(f"METRIC train_loss={loss:.4f} val_r2={r2:.4f}")


if __name__ == "__main__":
    main()
