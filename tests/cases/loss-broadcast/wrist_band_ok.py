"""A wrist band guesses two things from one window of motion: how fast its wearer walks and whether they climb stairs."""

import argparse

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from torch.utils.data import DataLoader, TensorDataset, random_split

parser = argparse.ArgumentParser()
parser.add_argument("--windows", type=int, default=1800)
parser.add_argument("--samples", type=int, default=48)
parser.add_argument("--batch", type=int, default=36)
parser.add_argument("--epochs", type=int, default=8)
parser.add_argument("--seed", type=int, default=77)
args = parser.parse_args()
torch.manual_seed(args.seed)


def record(n: int, samples: int) -> tuple[Tensor, Tensor, Tensor]:
    speed = torch.rand(n) * 1.5 + 0.5
    climbs = (torch.rand(n) < 0.45).float()
    t = torch.arange(samples) / 24
    phase = torch.rand(n, 1) * 6.28
    beat = 6.28 * speed[:, None] * t + phase
    lift = torch.sin(beat) + 0.6 * climbs[:, None] * torch.sin(2 * beat + 0.9)
    sway = 0.7 * torch.cos(0.5 * beat) * (1 - 0.5 * climbs[:, None])
    windows = torch.stack([lift, sway], 1) + 0.15 * torch.randn(n, 2, samples)
    return windows, speed, climbs


class Band(nn.Module):
    def __init__(self, width: int = 20):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(2, width, 9, padding=4), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(width, width, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool1d(6), nn.Flatten(),
        )
        self.speed = nn.Linear(6 * width, 1)
        self.stairs = nn.Linear(6 * width, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.body(x)
        return {"speed": self.speed(h).squeeze(-1), "stairs": self.stairs(h)}


def both_losses(out: dict[str, Tensor], speed: Tensor, climbs: Tensor) -> Tensor:
    pace = (out["speed"] - speed).pow(2)
    logit = out["stairs"].squeeze(-1)
    stairs = -(climbs * logsigmoid(logit) + (1 - climbs) * logsigmoid(-logit))
    return 4 * pace.mean() + stairs.mean()


data = TensorDataset(*record(args.windows, args.samples))
train, held_out = random_split(data, [args.windows - 400, 400])
band = Band()
optimizer = torch.optim.NAdam(band.parameters(), lr=2e-3)


@torch.no_grad()
def score(part) -> tuple[float, float]:
    band.eval()
    windows, speed, climbs = (torch.stack(column) for column in zip(*part))
    out = band(windows)
    r2 = 1 - (out["speed"] - speed).pow(2).mean() / speed.var()
    hits = (out["stairs"].view(-1) > 0) == (climbs > 0.5)
    band.train()
    return r2.item(), hits.float().mean().item()


for epoch in range(args.epochs):
    for windows, speed, climbs in DataLoader(train, args.batch, shuffle=True):
        loss = both_losses(band(windows), speed, climbs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    r2, acc = score(held_out)
    print(f"epoch {epoch}: loss {loss.item():.4f}, speed r2 {r2:.3f}, stairs accuracy {acc:.3f}")

print(f"METRIC train_loss={loss.item():.4f} val_speed_r2={r2:.4f} val_stairs_acc={acc:.4f}")
