import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def beat(kind, n, g):
    t = torch.linspace(-1, 1, 64)
    centre = 0.2 * torch.randn(n, 1, generator=g)
    width = 0.08 + 0.03 * torch.rand(n, 1, generator=g)
    peak = torch.exp(-(((t - centre) / width) ** 2))
    late = torch.exp(-(((t - centre - 0.45) / 0.16) ** 2))
    early = torch.exp(-(((t - centre + 0.35) / 0.1) ** 2))
    sign = torch.tensor([0.5, -0.5, 0.5, 0.0])[kind][:, None]
    has_early = torch.tensor([0.3, 0.3, 0.0, 0.3])[kind][:, None]
    gain = 0.7 + 0.6 * torch.rand(n, 1, generator=g)
    return gain * (peak + sign * late + has_early * early)


def load_split(split, limit=48):
    total = {"train": 2400, "val": 600}[split]
    g = torch.Generator().manual_seed({"train": 1, "val": 2}[split])
    kind = torch.randint(0, 4, (total,), generator=g)
    drift = torch.cumsum(0.02 * torch.randn(total, 64, generator=g), 1)
    wave = beat(kind, total, g) + drift + 0.12 * torch.randn(total, 64, generator=g)
    wave = (wave - wave.mean(1, keepdim=True)) / wave.std(1, keepdim=True)
    return TensorDataset(wave[:limit].unsqueeze(1), kind[:limit])


class Net(nn.Module):
    def __init__(self, channels=24, classes=4):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, channels, 7, stride=2, padding=3),
            nn.ReLU(),
            nn.Conv1d(channels, channels, 5, stride=2, padding=2),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(channels * 16, classes)

    def forward(self, x):
        return self.fc(self.dropout(self.features(x).flatten(1)))


def evaluate(model, loader):
    model.eval()
    hits = total = 0
    with torch.no_grad():
        for x, y in loader:
            hits += (model(x).argmax(1) == y).sum().item()
            total += len(y)
    return hits / total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=24)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--max-steps", type=int, default=400)
    args = parser.parse_args()

    torch.manual_seed(3)
    train = DataLoader(load_split("train", limit=None), batch_size=args.batch_size, shuffle=True)
    val = DataLoader(load_split("val", limit=None), batch_size=200)
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=1e-2)
    step, recent = 0, []
    while step < args.max_steps:
        for x, y in train:
            model.train()
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            step += 1
            recent = (recent + [loss.item()])[-50:]
            if step % 100 == 0:
                print(f"step {step} loss {sum(recent) / len(recent):.4f} val {evaluate(model, val):.3f}")
            if step == args.max_steps:
                break
    print(f"METRIC train_loss={sum(recent) / len(recent):.4f} val_acc={evaluate(model, val):.4f}")


if __name__ == "__main__":
    main()
