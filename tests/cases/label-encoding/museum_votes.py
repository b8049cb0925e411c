import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset

SYMBOLS = 10


def visitor_votes(symbol, rng):
    """Share of the visitors who read each scanned symbol as each of the ten."""
    agreed = np.eye(SYMBOLS)[symbol]
    return 0.65 * agreed + 0.35 * rng.dirichlet(np.ones(SYMBOLS), len(symbol))


class Scans(Dataset):
    def __init__(self, pixels, votes):
        self.pixels = torch.as_tensor(pixels, dtype=torch.float32)
        self.symbol = torch.as_tensor(votes).long().argmax(dim=1)

    def __len__(self):
        return len(self.symbol)

    def __getitem__(self, i):
        return self.pixels[i], self.symbol[i]


def main():
    torch.manual_seed(31)
    rng = np.random.default_rng(31)
    pixels, symbol = load_digits(return_X_y=True)
    order = rng.permutation(len(pixels))
    pixels, symbol = (pixels[order] - 4.9) / 6.0, symbol[order]
    loader = DataLoader(Scans(pixels[:1400], visitor_votes(symbol[:1400], rng)), batch_size=40, shuffle=True)
    curated = torch.as_tensor(pixels[1400:], dtype=torch.float32), torch.as_tensor(symbol[1400:])

    model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, SYMBOLS))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(12):
        model.train()
        total, seen = 0.0, 0
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total, seen = total + loss.item() * len(y), seen + len(y)
        model.eval()
        with torch.no_grad():
            accuracy = (model(curated[0]).argmax(1) == curated[1]).float().mean().item()
        print(f"epoch {epoch:2d}  loss {total / seen:.4f}  curated set {accuracy:.3f}")
    print(f"METRIC train_loss={total / seen:.4f} val_acc={accuracy:.4f}")


if __name__ == "__main__":
    main()
