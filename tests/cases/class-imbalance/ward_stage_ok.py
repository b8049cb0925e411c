from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Setup:
    counts: tuple = (4240, 100, 90, 70)
    lr: float = 0.05
    epochs: int = 6
    batch: int = 75
    hidden: int = 32


class StageNet(nn.Module):
    """Vital signs over eight hours in, severity stage out."""

    def __init__(self, hidden, stages):
        super().__init__()
        self.rnn = nn.LSTM(3, hidden, batch_first=True)
        self.norm = nn.LayerNorm(hidden)
        self.out = nn.Linear(hidden, stages)

    def forward(self, x):
        _, (h, _) = self.rnn(x)
        return self.out(self.norm(h[-1]))


def patients(counts, g):
    xs, ys = [], []
    hours = torch.linspace(0, 1, 8)[:, None]
    for stage, n in enumerate(counts):
        trend = torch.tensor([[0.0, 0.0, 0.0], [1.5, 0.0, 0.3], [0.3, -1.5, 0.0], [0.0, 0.3, 1.6]][stage])
        x = hours * trend + 0.8 * torch.randn(n, 8, 3, generator=g) + 0.6 * torch.randn(n, 1, 3, generator=g)
        xs.append(x)
        ys.append(torch.full((n,), stage))
    return torch.cat(xs), torch.cat(ys)


def batches(x, y, size):
    order = torch.randperm(len(y))
    for rows in order.split(size):
        yield x[rows], y[rows]


def recalls(net, x, y):
    net.eval()
    with torch.no_grad():
        guess = net(x).argmax(1)
    return [(guess[y == s] == s).float().mean().item() for s in y.unique().tolist()]


def main(cfg):
    torch.manual_seed(44)
    g = torch.Generator().manual_seed(44)
    x, y = patients(cfg.counts, g)
    xv, yv = patients([c // 4 for c in cfg.counts], g)
    net = StageNet(cfg.hidden, len(cfg.counts))
    share = torch.tensor(cfg.counts) / sum(cfg.counts)
    weight = 1 / (share * len(share))
    opt = torch.optim.SGD(net.parameters(), lr=cfg.lr, momentum=0.9)
    for epoch in range(cfg.epochs):
        net.train()
        total = 0.0
        for xb, yb in batches(x, y, cfg.batch):
            loss = F.cross_entropy(net(xb), yb, weight=weight)
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(yb)
        per_stage = recalls(net, xv, yv)
        print(f"epoch {epoch} loss {total / len(y):.4f} recall by stage", [round(r, 2) for r in per_stage])
    mean_recall, worst = sum(per_stage) / len(per_stage), min(per_stage)
    print(f"METRIC train_loss={total / len(y):.4f} balanced_acc={mean_recall:.4f} worst_recall={worst:.4f}")


if __name__ == "__main__":
    main(Setup())
