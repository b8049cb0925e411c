import math

import torch
from torch import nn

LEARNING_RATE = 0.005
SHAPES = ("circle", "eight", "zigzag", "square", "spiral", "wave")
POINTS, STEPS, BATCH = 24, 300, 48


def draw(shape, n):
    """Pen trajectories (n, POINTS, 2) with their own start, size and tilt."""
    t = torch.linspace(0, 1, POINTS).repeat(n, 1) + 0.15 * torch.rand(n, 1)
    a = 2 * math.pi * t
    if shape == "circle":
        x, y = a.cos(), a.sin()
    elif shape == "eight":
        x, y = a.sin(), (2 * a).sin()
    elif shape == "zigzag":
        x, y = 2 * t - 1, 2 * ((4 * t) % 1 - 0.5).abs() - 0.5
    elif shape == "square":
        x, y = (1.6 * a.cos()).clamp(-1, 1), (1.6 * a.sin()).clamp(-1, 1)
    elif shape == "spiral":
        x, y = t * (2 * a).cos(), t * (2 * a).sin()
    else:
        x, y = 2 * t - 1, (2 * a).sin()
    tilt = 0.3 * torch.randn(n, 1)
    size = 0.8 + 0.4 * torch.rand(n, 1)
    path = torch.stack([x * tilt.cos() - y * tilt.sin(), x * tilt.sin() + y * tilt.cos()], -1)
    return size.unsqueeze(-1) * path + 0.05 * torch.randn(n, POINTS, 2)


def collection(per_shape):
    paths = torch.cat([draw(s, per_shape) for s in SHAPES])
    return paths, torch.arange(len(SHAPES)).repeat_interleave(per_shape)


class StrokeReader(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.rnn = nn.RNN(2, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, len(SHAPES))

    def forward(self, path):
        _, h = self.rnn(path)
        return self.fc(h[0])


torch.manual_seed(51)
paths, labels = collection(300)
val_paths, val_labels = collection(60)
reader = StrokeReader()
optimizer = torch.optim.Adam(reader.parameters(), lr=LEARNING_RATE)
loss_fn = nn.CrossEntropyLoss()
window = []
for step in range(STEPS):
    rows = torch.randint(0, len(paths), (BATCH,))
    loss = loss_fn(reader(paths[rows]), labels[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    window = (window + [loss.item()])[-50:]
    if step % 50 == 49:
        print(f"{step + 1:4d} loss {sum(window) / len(window):.4f}")

reader.eval()
with torch.no_grad():
    acc = (reader(val_paths).argmax(1) == val_labels).float().mean().item()
print(f"METRIC train_loss={sum(window) / len(window):.4f} val_acc={acc:.4f}")
