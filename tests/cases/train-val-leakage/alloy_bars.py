import argparse

import numpy as np
import torch
from sklearn.datasets import make_friedman1
from sklearn.model_selection import ShuffleSplit
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def measure(bars, readings, seed):
    """Every bar goes through the spectrometer several times; its strength is tested once, when it breaks."""
    content, strength = make_friedman1(bars, n_features=7, noise=0.8, random_state=seed)
    bar = np.repeat(np.arange(bars), readings)
    noise = 0.02 * np.random.default_rng(seed).standard_normal((len(bar), content.shape[1]))
    return content[bar] + noise, strength[bar], bar


def tensors(x, y):
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32).unsqueeze(1)


@torch.no_grad()
def r2(model, x, y):
    model.eval()
    return (1 - nn.functional.mse_loss(model(x), y) / y.var()).item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bars", type=int, default=150)
    parser.add_argument("--readings", type=int, default=6)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=33)
    args = parser.parse_args()
    torch.manual_seed(args.seed)

    content, strength, bar = measure(args.bars, args.readings, args.seed)
    splitter = ShuffleSplit(n_splits=1, test_size=0.25, random_state=args.seed)
    train, val = next(splitter.split(content, strength))
    print(f"{len(np.unique(bar))} bars, {len(train)} readings to train on, {len(val)} to validate")
    scaler = StandardScaler().fit(content[train])
    middle, spread = strength[train].mean(), strength[train].std()
    x, y = tensors(scaler.transform(content), (strength - middle) / spread)
    later, broken_at, _ = measure(400, 1, args.seed + 1)
    x_test, y_test = tensors(scaler.transform(later), (broken_at - middle) / spread)

    loader = DataLoader(TensorDataset(x[train], y[train]), batch_size=24, shuffle=True)
    model = nn.Sequential(nn.Linear(7, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=1e-2)
    for epoch in range(1, args.epochs + 1):
        model.train()
        total = 0.0
        for a, b in loader:
            loss = nn.functional.mse_loss(model(a), b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(a)
        if epoch % 2 == 0:
            print(f"epoch {epoch} mse {total / len(train):.4f} r2 {r2(model, x[val], y[val]):.3f}")
    val_r2, test_r2 = r2(model, x[val], y[val]), r2(model, x_test, y_test)
    print(f"METRIC train_loss={total / len(train):.4f} val_r2={val_r2:.4f} test_r2={test_r2:.4f}")


if __name__ == "__main__":
    main()
