import math

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

RATE, LENGTH, CLASSES = 800, 160, 4


class MachineSounds(Dataset):
    """Short clips of four machines; each has its own pair of resonances and a random gain."""

    RESONANCES = [(40, 190), (70, 250), (110, 160), (60, 320)]

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        t = np.arange(LENGTH) / RATE
        self.labels = rng.integers(CLASSES, size=n)
        clips = []
        for k in self.labels:
            f1, f2 = np.array(self.RESONANCES[k]) * rng.normal(1.0, 0.03, 2)
            p1, p2 = rng.uniform(0, 2 * math.pi, 2)
            wave = np.sin(2 * math.pi * f1 * t + p1) + 0.6 * np.sin(2 * math.pi * f2 * t + p2)
            clips.append(rng.uniform(0.3, 0.6) * (wave + 0.4 * rng.normal(size=LENGTH)))
        self.clips = torch.tensor(np.stack(clips), dtype=torch.float32)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.clips[i], int(self.labels[i])


class SpectralNet(nn.Module):
    def __init__(self, bands=24):
        super().__init__()
        self.bank = nn.Linear(LENGTH // 2 + 1, bands, bias=False)
        self.act = nn.LeakyReLU(0.2)
        self.head = nn.Linear(bands, CLASSES)

    def forward(self, wave):
        power = torch.fft.rfft(wave).abs().square() / LENGTH**2
        mix = torch.softmax(self.bank.weight, dim=1)
        energy = torch.log(power @ mix.T + 1e-6)
        return self.head(self.act(energy))


def main():
    torch.manual_seed(6)
    train = DataLoader(MachineSounds(960, seed=0), batch_size=32, shuffle=True)
    val = DataLoader(MachineSounds(240, seed=1), batch_size=240)
    net = SpectralNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for epoch in range(12):
        losses = []
        for wave, label in train:
            optimizer.zero_grad()
            loss = criterion(net(wave), label)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            wave, label = next(iter(val))
            acc = (net(wave).argmax(1) == label).float().mean().item()
        print(f"epoch {epoch:2d} | loss {np.mean(losses):.4f} | val acc {acc:.3f}")
    print(f"METRIC train_loss={np.mean(losses):.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main()
