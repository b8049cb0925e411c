import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset


class Breaths(IterableDataset):
    """A slow wave with coughs in it; the mask says where the coughs are."""

    def __init__(self, n, length, seed):
        self.n, self.length, self.seed = n, length, seed

    def __iter__(self):
        g = torch.Generator().manual_seed(self.seed)
        t = torch.arange(self.length, dtype=torch.float32)
        for _ in range(self.n):
            rate, phase = 0.1 + 0.1 * torch.rand(1, generator=g), 6.28 * torch.rand(1, generator=g)
            wave = torch.sin(rate * t + phase) + 0.25 * torch.randn(self.length, generator=g)
            mask = torch.zeros(self.length)
            for _ in range(int(torch.randint(1, 4, (1,), generator=g))):
                start = int(torch.randint(0, self.length - 12, (1,), generator=g))
                stop = start + int(torch.randint(6, 12, (1,), generator=g))
                mask[start:stop] = 1.0
                wave[start:stop] += torch.sin(2.1 * t[start:stop] + phase) * 1.1
            yield wave[None], mask


class Segmenter(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(1, width, 7, padding=3),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width, 5, padding=4, dilation=2),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, 1, 1),
        )

    def forward(self, x):
        return self.net(x).squeeze(1)


def dice(logits, mask, eps=1.0):
    probability = logits.sigmoid()
    overlap = (probability * mask).sum(1)
    return ((2 * overlap + eps) / (probability.sum(1) + mask.sum(1) + eps)).mean()


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    scores = []
    for x, mask in loader:
        guess = model(x) > 0
        both, any_ = (guess & (mask > 0)).sum(), (guess | (mask > 0)).sum()
        scores.append((both / any_.clamp(min=1)).item())
    model.train()
    return sum(scores) / len(scores)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=16)
    args = parser.parse_args()
    torch.manual_seed(14)
    val = list(DataLoader(Breaths(160, 100, 99), batch_size=80))
    model = Segmenter()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        total, count = 0.0, 0
        for x, mask in DataLoader(Breaths(960, 100, epoch), batch_size=args.batch):
            loss = dice(model(x), mask)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, count = total + loss.item(), count + 1
        print(f"epoch {epoch + 1} dice loss {total / count:.4f} val iou {evaluate(model, val):.3f}")
    print(f"METRIC train_loss={total / count:.4f} val_iou={evaluate(model, val):.4f}")


if __name__ == "__main__":
    main()
