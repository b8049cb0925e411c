import os
import tempfile

import numpy as np
import torch
from torch import nn


def write_catalogue(path, rng):
    """Rest frequencies (MHz) of twelve lines as an older survey listed them."""
    listed = np.sort(rng.choice(np.arange(8400, 16200, 120), 12, replace=False)).astype(np.float16)
    np.savez_compressed(path, mhz=listed, strength=np.ones(12, np.float16))
    return listed.astype(np.float64)


def observe(listed, rng, count=9000):
    true = listed + rng.uniform(9, 19, 12) * rng.choice([-1, 1], 12)
    strength, width = rng.uniform(0.5, 2.0, 12), rng.uniform(13, 20, 12)
    line = rng.integers(0, 12, count)
    freq = listed[line] + rng.uniform(-55, 55, count)
    flux = (strength * np.exp(-(((freq[:, None] - true) / width) ** 2))).sum(1) + rng.normal(0, 0.03, count)
    return torch.tensor(freq, dtype=torch.float32), torch.tensor(flux, dtype=torch.float32)


class LineModel(nn.Module):
    def __init__(self, path):
        super().__init__()
        table = np.load(path)
        self.centre = nn.Parameter(torch.from_numpy(table["mhz"]).float())
        self.log_strength = nn.Parameter(torch.from_numpy(table["strength"]).float().log())
        self.log_width = nn.Parameter(torch.full((12,), np.log(22.0), dtype=torch.float32))

    def forward(self, freq):
        offset = (freq[:, None] - self.centre) / self.log_width.exp()
        return (self.log_strength.exp() * torch.exp(-offset.square())).sum(1)


def main():
    rng = np.random.default_rng(30)
    torch.manual_seed(30)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "lines.npz")
        freq, flux = observe(write_catalogue(path, rng), rng)
        model = LineModel(path)
    train, val = torch.arange(0, 7500), torch.arange(7500, 9000)

    positions = torch.optim.SGD([model.centre], lr=3.0)
    shapes = torch.optim.Adam([model.log_strength, model.log_width], lr=0.01)
    step = 0
    while step < 480:
        for rows in train[torch.randperm(len(train))].split(125):
            residual = model(freq[rows]) - flux[rows]
            loss = 0.5 * residual.square().sum()
            positions.zero_grad()
            shapes.zero_grad()
            loss.backward()
            positions.step()
            shapes.step()
            step += 1
            if step % 60 == 0:
                print(f"step {step} mse {2 * loss.item() / len(rows):.5f}")

    with torch.no_grad():
        mse = (model(freq[train]) - flux[train]).square().mean().item()
        rest = (model(freq[val]) - flux[val]).square().mean() / flux[val].var()
    print(f"METRIC train_loss={mse:.5f} val_r2={1 - rest.item():.4f}")


main()
