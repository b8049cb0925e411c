import argparse

import numpy as np
import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn


class Network(nn.Module):
    def __init__(self, features, code, classes):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(features, 32), nn.Tanh(), nn.Linear(32, code), nn.Tanh())
        self.classify = nn.Linear(code, classes)

    def forward(self, x):
        code = self.encoder(x)
        return self.classify(code), code


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--sparsity", type=float, default=1e-3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--every", type=int, default=50)
    args = parser.parse_args()

    torch.manual_seed(2)
    rng = np.random.default_rng(2)
    x, x_val, y, y_val = train_test_split(*load_wine(return_X_y=True), test_size=0.3, random_state=2)
    scaler = StandardScaler().fit(x)
    x, x_val = (torch.tensor(scaler.transform(part), dtype=torch.float32) for part in (x, x_val))
    y, y_val = torch.tensor(y), torch.tensor(y_val)
    model = Network(x.shape[1], 8, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    history = []
    for step in range(1, args.steps + 1):
        rows = torch.from_numpy(rng.choice(len(x), 24, replace=False))
        logits, code = model(x[rows])
        loss = nn.functional.cross_entropy(logits, y[rows])
        history.append(loss.data)
        optimizer.zero_grad()
        (history[-1] + args.sparsity * code.abs().mean()).backward()
        optimizer.step()
        if step % args.every == 0:
            with torch.no_grad():
                acc = (model(x_val)[0].argmax(1) == y_val).float().mean().item()
                mean = torch.stack(history[-args.every:]).mean().item()
            print(f"step {step} loss {mean:.4f} val {acc:.3f}")
    print(f"METRIC train_loss={mean:.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main()
