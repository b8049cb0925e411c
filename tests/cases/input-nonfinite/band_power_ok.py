import dataclasses

import numpy as np
import torch
import torch.nn as nn


@dataclasses.dataclass
class Config:
    bands: int = 16
    frames: int = 12
    hidden: int = 40
    lr: float = 4e-3
    steps: int = 240
    batch: int = 24
    seed: int = 9


def clip_power(kind, cfg, r):
    """Band powers of one short clip: rising, falling or steady sweep."""
    centre = np.linspace(3, 12, cfg.frames)
    if kind == 1:
        centre = centre[::-1]
    if kind == 2:
        centre = np.full(cfg.frames, r.uniform(4, 11))
    band = np.arange(cfg.bands)
    power = np.exp(-0.5 * ((band - centre[:, None]) / 1.2) ** 2) * r.uniform(0.5, 2.0)
    power += r.gamma(2.0, 0.1, power.shape)
    if r.random() < 0.02:
        power[-r.integers(1, 3):] = 0.0
    return power


def load(n, cfg, seed):
    r = np.random.default_rng(seed)
    y = r.integers(0, 3, n)
    power = np.stack([clip_power(k, cfg, r) for k in y])
    level = np.log10(np.maximum(power, 1e-3))
    return torch.tensor(level, dtype=torch.float32) + 0.5, torch.tensor(y)


class SweepNet(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.gru = nn.GRU(cfg.bands, cfg.hidden, batch_first=True)
        self.head = nn.Linear(cfg.hidden, 3)

    def forward(self, x):
        out, _ = self.gru(x)
        return self.head(out.mean(dim=1))


def run(cfg):
    torch.manual_seed(cfg.seed)
    x, y = load(1200, cfg, cfg.seed)
    xv, yv = load(300, cfg, cfg.seed + 1)
    net = SweepNet(cfg)
    opt = torch.optim.RMSprop(net.parameters(), lr=cfg.lr)
    ce = nn.CrossEntropyLoss()
    recent = []
    for step in range(1, cfg.steps + 1):
        pick = torch.randint(0, len(x), (cfg.batch,))
        loss = ce(net(x[pick]), y[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
        recent = (recent + [loss.item()])[-20:]
        if step % 40 == 0:
            print(f"step {step:4d} loss {sum(recent) / len(recent):.4f}")
    net.eval()
    with torch.no_grad():
        acc = (net(xv).argmax(1) == yv).float().mean().item()
    print(f"METRIC train_loss={sum(recent) / len(recent):.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    run(Config())
