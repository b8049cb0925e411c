import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

STRAIN = 5e-4


def loads(count, generator):
    """Standardised loads on a bridge deck, and the strain of a girder in metres per metre."""
    load = torch.randn(count, 8, generator=generator)
    bend = torch.tanh(load[:, 0] + 0.6 * load[:, 1]) + 0.5 * load[:, 2] * torch.sigmoid(2 * load[:, 3])
    bend = bend - 0.4 * load[:, 4].abs() + 0.1 * load[:, 5:].sum(dim=1) + 0.05 * torch.randn(count, generator=generator)
    return load, STRAIN * (bend + 0.3).unsqueeze(1)


class Girder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
        )

    def forward(self, load):
        return STRAIN * self.layers(load)


def train_epoch(model, loader, optimizer, scaler):
    model.train()
    total = 0.0
    for load, strain in loader:
        with torch.autocast("cpu", dtype=torch.float16):
            loss = nn.functional.mse_loss(model(load), strain)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        total += loss.item() / len(loader)
    return total / STRAIN**2


def r2(model, load, strain):
    model.eval()
    with torch.no_grad():
        return (1 - (model(load) - strain).square().mean() / strain.var()).item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--scale", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()

    torch.manual_seed(90)
    generator = torch.Generator().manual_seed(90)
    loader = DataLoader(TensorDataset(*loads(2000, generator)), batch_size=50, shuffle=True)
    held = loads(500, generator)
    model = Girder(48)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, eps=1e-12)
    scaler = torch.amp.GradScaler("cpu", enabled=args.scale)
    for epoch in range(args.epochs):
        loss = train_epoch(model, loader, optimizer, scaler)
        print(f"epoch {epoch + 1:2d} loss {loss:.4f} r2 {r2(model, *held):.3f}")
    print(f"METRIC train_loss={loss:.4f} val_r2={r2(model, *held):.4f}")


if __name__ == "__main__":
    main()
