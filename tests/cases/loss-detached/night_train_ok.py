import numpy as np
import torch
from torch import nn


def simulate(rng, n, length=64):
    """Vibration traces; the mask marks where the wheel slips."""
    trace = rng.normal(0, 0.4, (n, length))
    mask = np.zeros((n, length))
    t = np.arange(length)
    for row in range(n):
        for _ in range(rng.integers(1, 3)):
            start, span = rng.integers(0, length - 12), rng.integers(6, 18)
            mask[row, start : start + span] = 1
        trace[row] += mask[row] * 1.4 * np.sin(t * rng.uniform(1.4, 1.8) + rng.uniform(0, 6))
        trace[row] += 0.5 * np.sin(t / rng.uniform(5, 9))
    return torch.tensor(trace, dtype=torch.float32)[:, None], torch.tensor(mask, dtype=torch.float32)


def conv(fan_in, fan_out, dilation=1):
    return nn.Sequential(nn.Conv1d(fan_in, fan_out, 5, padding=2 * dilation, dilation=dilation), nn.ReLU())


class SlipNet(nn.Module):
    def __init__(self, width=20):
        super().__init__()
        self.body = nn.Sequential(conv(1, width), conv(width, width, 2), conv(width, width, 4))
        self.out = nn.Conv1d(width, 1, 1)

    def forward(self, x):
        return self.out(self.body(x)).squeeze(1)


def dice(logits, mask, eps=1.0):
    pred = torch.sigmoid(logits)
    overlap = (pred * mask).sum(1)
    return (2 * overlap + eps) / (pred.sum(1) + mask.sum(1) + eps)


class DiceLoss(nn.Module):
    def forward(self, logits, mask):
        return 1 - dice(logits, mask).mean()


if __name__ == "__main__":
    torch.manual_seed(3)
    x, mask = simulate(np.random.default_rng(3), 1500)
    net, criterion = SlipNet(), DiceLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(8):
        losses = []
        for rows in torch.randperm(1200).split(32):
            loss = criterion(net(x[rows]), mask[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            held = net(x[1200:]) > 0
            truth = mask[1200:] > 0
            iou = ((held & truth).sum() / (held | truth).sum()).item()
        print(f"epoch {epoch} dice loss {np.mean(losses):.4f} iou {iou:.4f}")
    print(f"METRIC train_loss={np.mean(losses):.4f} val_iou={iou:.4f}")
