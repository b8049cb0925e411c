"""Regression on the diabetes table, one process a core: torchrun --nproc-per-node 2 twin_bakery.py"""
import argparse

import torch
from sklearn.datasets import load_diabetes
from torch import nn
from torch.distributed import destroy_process_group, get_rank, init_process_group
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset, random_split


class Baker(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(10, width)
        self.norm = nn.BatchNorm1d(width)
        self.drop = nn.Dropout(0.05)
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        return self.last(self.drop(torch.relu(self.norm(self.first(x))))).squeeze(1)


def tables():
    data = load_diabetes(scaled=False)
    x = torch.tensor(data.data, dtype=torch.float32)
    y = torch.tensor(data.target, dtype=torch.float32)
    x = (x - x.mean(0)) / x.std(0)
    y = (y - y.mean()) / y.std()
    return random_split(TensorDataset(x, y), [362, 80], torch.Generator().manual_seed(4))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=16)
    args = parser.parse_args()
    init_process_group("gloo")
    torch.manual_seed(4)
    train, val = tables()
    loader = DataLoader(train, args.batch, shuffle=True)
    model = DDP(Baker(32))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(args.epochs):
        model.train()
        losses = []
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        x, y = next(iter(DataLoader(val, len(val))))
        r2 = 1 - nn.functional.mse_loss(model.module(x), y).item() / y.var(correction=0).item()
    if get_rank() == 0:
        print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_r2={r2:.4f}")
    destroy_process_group()


if __name__ == "__main__":
    main()
