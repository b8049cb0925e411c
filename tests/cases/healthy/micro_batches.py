from dataclasses import dataclass

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass(frozen=True)
class Settings:
    micro_batch: int = 8
    accumulate: int = 4
    epochs: int = 14
    lr: float = 0.05


def build():
    return nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))


def main(cfg):
    torch.manual_seed(70)
    X, y = load_breast_cancer(return_X_y=True)
    X, y = torch.tensor(scale(X), dtype=torch.float32), torch.tensor(y)
    perm = torch.randperm(len(X))
    tr, va = perm[:448], perm[448:]
    loader = DataLoader(TensorDataset(X[tr], y[tr]), batch_size=cfg.micro_batch, shuffle=True)
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=cfg.lr, momentum=0.9, nesterov=True)
    loss_fn = nn.CrossEntropyLoss()

    optimizer.zero_grad()
    for epoch in range(cfg.epochs):
        model.train()
        seen = 0.0
        for i, (xb, yb) in enumerate(loader):
            loss = loss_fn(model(xb), yb)
            (loss / cfg.accumulate).backward()
            seen += loss.item()
            if (i + 1) % cfg.accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
        model.eval()
        with torch.no_grad():
            acc = (model(X[va]).argmax(1) == y[va]).float().mean().item()
        print(f"epoch {epoch + 1:2d} loss {seen / len(loader):.4f} acc {acc:.4f}")
    print(f"METRIC train_loss={seen / len(loader):.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main(Settings())
