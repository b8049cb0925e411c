import argparse

import torch
from sklearn.datasets import make_friedman1
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load(rows, seed):
    data, target = make_friedman1(rows, n_features=8, noise=0.5, random_state=seed)
    x = torch.tensor(data, dtype=torch.float32) * 3.4 - 1.7
    y = torch.tensor(target, dtype=torch.float32).unsqueeze(1)
    y = (y - y.mean()) / y.std()
    cut = rows * 3 // 4
    return TensorDataset(x[:cut], y[:cut]), TensorDataset(x[cut:], y[cut:])


def evaluate(model, dataset):
    x, y = dataset.tensors
    model.eval()
    with torch.no_grad():
        return 1 - (nn.functional.mse_loss(model(x), y) / y.var()).item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=2400)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()

    torch.manual_seed(9)
    train_set, val_set = load(args.rows, seed=9)
    loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    model = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, nesterov=True)
    for epoch in range(1, args.epochs + 1):
        model.train()
        seen = []
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
        train_loss = sum(seen) / len(seen)
        print(f"epoch {epoch:2d}  train {train_loss:.4f}  r2 {evaluate(model, val_set):.3f}")
    print(f"METRIC train_loss={train_loss:.4f} val_r2={evaluate(model, val_set):.4f}")


if __name__ == "__main__":
    main()
