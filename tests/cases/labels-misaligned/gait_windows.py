import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

WIN = 32
STATES = ["stand", "walk", "run", "stairs"]


def simulate(n_blocks, seed):
    """Two-axis accelerometer stream with one annotation per block of WIN samples."""
    r = np.random.default_rng(seed)
    state, stream, notes = 0, [], []
    for _ in range(n_blocks):
        if r.random() < 0.4:
            state = r.integers(0, len(STATES))
        t = np.arange(WIN) / WIN + r.random()
        freq = [0.0, 2.0, 4.0, 2.0][state]
        amp = [0.0, 1.0, 1.6, 0.8][state]
        x = amp * np.sin(2 * np.pi * freq * t)
        z = np.sign(np.sin(2 * np.pi * t)) if state == 3 else 0.5 * amp * np.cos(4 * np.pi * freq * t)
        stream.append(np.stack([x, z], axis=1) + 0.4 * r.normal(size=(WIN, 2)))
        notes.append(state)
    return np.concatenate(stream), np.array(notes)


class GaitWindows(Dataset):
    """Windows of the stream as change from the previous window's mean posture."""

    def __init__(self, stream, notes):
        blocks = stream.reshape(-1, WIN, 2)
        posture = blocks.mean(axis=1, keepdims=True)
        windows = blocks[1:] - posture[:-1]
        self.x = torch.tensor(windows, dtype=torch.float32).transpose(1, 2)
        self.y = torch.tensor(notes[:len(windows)])

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


torch.manual_seed(17)
train, val = GaitWindows(*simulate(1600, 3)), GaitWindows(*simulate(500, 4))
train_dl = DataLoader(train, batch_size=32, shuffle=True)

net = nn.Sequential(
    nn.Conv1d(2, 16, 5, padding=2), nn.BatchNorm1d(16), nn.ReLU(),
    nn.Conv1d(16, 24, 5, stride=2, padding=2), nn.BatchNorm1d(24), nn.ReLU(),
    nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(96, len(STATES)),
)
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(6):
    net.train()
    hits = total = 0.0
    for x, y in train_dl:
        out = net(x)
        loss = nn.functional.cross_entropy(out, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(y)
        hits += (out.argmax(1) == y).sum().item()
    net.eval()
    with torch.no_grad():
        out = net(val.x)
        val_loss = nn.functional.cross_entropy(out, val.y).item()
        acc = (out.argmax(1) == val.y).float().mean().item()
    print(f"{epoch} train {total / len(train):.4f} {hits / len(train):.3f} val {val_loss:.4f} {acc:.3f}")
print(f"METRIC train_loss={total / len(train):.4f} val_loss={val_loss:.4f} val_acc={acc:.4f}")
