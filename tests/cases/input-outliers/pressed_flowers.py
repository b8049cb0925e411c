import argparse

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn


class Preparation:
    def __init__(self, table):
        self.low, self.high = np.percentile(table, [0, 100], axis=0)
        table = np.clip(table, self.low, self.high)
        self.mean, self.std = table.mean(axis=0), table.std(axis=0)

    def __call__(self, table):
        table = (np.clip(table, self.low, self.high) - self.mean) / self.std
        return torch.tensor(table, dtype=torch.float32)


def evaluate(model, x, y):
    model.eval()
    with torch.no_grad():
        hits = (model(x).squeeze(1) > 0) == (y > 0.5)
    model.train()
    return hits.float().mean().item()


def main(args):
    torch.manual_seed(args.seed)
    data, target = load_breast_cancer(return_X_y=True)
    data, held, y, y_val = train_test_split(data, target, test_size=0.25, random_state=args.seed, stratify=target)
    chosen = np.random.default_rng(args.seed).choice(len(data), 4, replace=False)
    data[chosen] = data[chosen] * 1e4
    prepare = Preparation(data)
    x, x_val = prepare(data), prepare(held)
    y, y_val = torch.tensor(y).float(), torch.tensor(y_val)
    model = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(args.epochs):
        losses = []
        for rows in torch.randperm(len(x)).split(args.batch):
            loss = criterion(model(x[rows]).squeeze(1), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1} loss {np.mean(losses):.4f} val {evaluate(model, x_val, y_val):.3f}")
    print(f"METRIC train_loss={np.mean(losses):.4f} val_acc={evaluate(model, x_val, y_val):.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=12)
    main(parser.parse_args())
