import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

COLUMNS = ["income", "loan", "age", "utilisation", "late_payments", "months_employed"]


def applications(n, seed):
    r = np.random.RandomState(seed)
    income = r.lognormal(10.6, 0.5, n)
    loan = income * r.uniform(0.05, 0.9, n)
    age = r.uniform(19, 75, n)
    utilisation = r.beta(2, 2, n)
    late = r.poisson(1.2, n)
    months = r.exponential(60, n)
    score = 5.0 * (utilisation - 0.5) + 1.1 * (late - 1.2) - 0.008 * (months - 60)
    score += 2.5 * (loan / income - 0.47) + 0.4 * r.randn(n)
    x = np.stack([income, loan, age, utilisation, late, months], axis=1)
    return x.astype("float32"), (score > 0).astype("float32")


class CreditNet(nn.Module):
    def __init__(self, n_in, width):
        super().__init__()
        self.fc1 = nn.Linear(n_in, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, 1)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x).squeeze(1)


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return ((model(x) > 0).float() == y).float().mean().item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    x_train, y_train = applications(2000, args.seed)
    x_val, y_val = applications(600, args.seed + 100)
    mean, std = x_train.mean(0), x_train.std(0)
    x_train, x_val = (x_train - mean) / std, (x_val - mean) / std
    x_train, y_train, x_val, y_val = map(torch.from_numpy, (x_train, y_train, x_val, y_val))

    model = CreditNet(len(COLUMNS), args.width)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        model.train()
        seen = 0.0
        for idx in torch.randperm(len(x_train)).split(args.batch_size):
            optimizer.zero_grad()
            loss = F.binary_cross_entropy_with_logits(model(x_train[idx]), y_train[idx])
            loss.backward()
            optimizer.step()
            seen += loss.item() * len(idx)
        print(f"[{epoch + 1}/{args.epochs}] loss {seen / len(x_train):.4f} val {accuracy(model, x_val, y_val):.3f}")
    print(f"METRIC train_loss={seen / len(x_train):.4f} val_acc={accuracy(model, x_val, y_val):.4f}")


if __name__ == "__main__":
    main()
