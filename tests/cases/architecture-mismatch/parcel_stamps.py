import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

SIDE = 18


class Parcels(Dataset):
    """A digit stamped somewhere on a parcel, seen from above."""

    def __init__(self, rng):
        images, self.digit = load_digits(return_X_y=True)
        self.view = rng.normal(0, 0.1, (len(images), 1, SIDE, SIDE)).astype(np.float32)
        for view, image in zip(self.view, images.reshape(-1, 8, 8)):
            top, left = rng.integers(0, SIDE - 7, 2)
            view[0, top : top + 8, left : left + 8] += image / 8
        self.view -= self.view.mean()

    def __len__(self):
        return len(self.digit)

    def __getitem__(self, i):
        return self.view[i], self.digit[i]


def build():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(SIDE * SIDE, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10),
    )


def accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        hits = [(model(view).argmax(1) == digit).float() for view, digit in loader]
    return torch.cat(hits).mean().item()


def main():
    torch.manual_seed(9)
    rng = np.random.default_rng(9)
    parcels = Parcels(rng)
    order = rng.permutation(len(parcels))
    loader = DataLoader(Subset(parcels, order[:1440]), batch_size=32, shuffle=True)
    val_loader = DataLoader(Subset(parcels, order[1440:]), batch_size=119)
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for epoch in range(8):
        model.train()
        running = 0.0
        for view, digit in loader:
            loss = nn.functional.cross_entropy(model(view), digit)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running += loss.item()
        print(f"epoch {epoch + 1} loss {running / len(loader):.4f} val {accuracy(model, val_loader):.3f}")
    print(f"METRIC train_loss={running / len(loader):.4f} val_acc={accuracy(model, val_loader):.4f}")


if __name__ == "__main__":
    main()
