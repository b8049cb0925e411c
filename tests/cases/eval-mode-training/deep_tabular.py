import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Sequential):
    def __init__(self, width):
        super().__init__(nn.Linear(width, width, bias=False), nn.BatchNorm1d(width), nn.ReLU())


class DeepTabular(nn.Module):
    def __init__(self, n_features, width=48, depth=10):
        super().__init__()
        self.stem = nn.Linear(n_features, width)
        self.blocks = nn.Sequential(*[Block(width) for _ in range(depth)])
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x))).squeeze(-1)


def make_rings(n, rng):
    x = rng.normal(size=(n, 6))
    radius = np.linalg.norm(x[:, :3], axis=1)
    y = ((radius > 1.1) & (radius < 2.0)) ^ (x[:, 3] > 0.8)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


def describe(model, n_features):
    model.eval()
    n_params = sum(p.numel() for p in model.parameters())
    out = model(torch.zeros(1, n_features))
    print(f"{type(model).__name__}: {n_params} parameters, output {tuple(out.shape)}")


def main():
    torch.manual_seed(14)
    rng = np.random.default_rng(14)
    train = TensorDataset(*make_rings(4000, rng))
    xv, yv = make_rings(800, rng)
    loader = DataLoader(train, batch_size=125, shuffle=True)

    model = DeepTabular(6)
    describe(model, 6)
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    bce = nn.BCEWithLogitsLoss()

    for epoch in range(10):
        total = 0.0
        for xb, yb in loader:
            opt.zero_grad()
            loss = bce(model(xb), yb)
            loss.backward()
            opt.step()
            total += loss.item()
        print(f"epoch {epoch + 1} loss {total / len(loader):.4f}")

    model.eval()
    with torch.no_grad():
        acc = ((model(xv) > 0).float() == yv).float().mean().item()
    print(f"METRIC train_loss={total / len(loader):.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main()
