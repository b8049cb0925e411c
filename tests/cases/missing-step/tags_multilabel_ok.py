import argparse

import torch
import torch.nn.functional as F
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import f1_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def get_args():
    p = argparse.ArgumentParser(description="Tag prediction from word counts")
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--wd", type=float, default=0.05)
    p.add_argument("--hidden", type=int, default=96)
    return p.parse_args()


def load():
    X, Y = make_multilabel_classification(
        n_samples=2400, n_features=60, n_classes=8, n_labels=3, length=120, random_state=17
    )
    X = torch.log1p(torch.tensor(X, dtype=torch.float32))
    X = (X - X.mean(0)) / X.std(0)
    Y = torch.tensor(Y, dtype=torch.float32)
    return (X[:1900], Y[:1900]), (X[1900:], Y[1900:])


def train_step(model, optimizer, xb, yb):
    logits = model(xb)
    loss = F.binary_cross_entropy_with_logits(logits, yb)
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return loss.item()


def micro_f1(model, x, y):
    model.eval()
    with torch.no_grad():
        pred = (model(x) > 0).int().numpy()
    return f1_score(y.int().numpy(), pred, average="micro", zero_division=0)


def main():
    args = get_args()
    torch.manual_seed(17)
    (x, y), (xv, yv) = load()
    loader = DataLoader(TensorDataset(x, y), batch_size=args.batch, shuffle=True)
    model = nn.Sequential(nn.Linear(60, args.hidden), nn.GELU(), nn.Dropout(0.2), nn.Linear(args.hidden, 8))
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=args.wd)
    for epoch in range(1, args.epochs + 1):
        model.train()
        losses = [train_step(model, optimizer, xb, yb) for xb, yb in loader]
        print(f"{epoch:02d} loss={sum(losses) / len(losses):.4f} f1={micro_f1(model, xv, yv):.4f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_f1={micro_f1(model, xv, yv):.4f}")


if __name__ == "__main__":
    main()
