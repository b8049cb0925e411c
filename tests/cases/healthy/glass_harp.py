"""Readout on a fixed bank of random filters: which of five notes sounds?"""
import numpy as np
import torch
from torch import nn

torch.manual_seed(83)
rng = np.random.default_rng(83)


def notes(n, length=100):
    kind = rng.integers(0, 5, n)
    t = np.arange(length) / length
    tone = np.sin(2 * np.pi * (6 + 2.5 * kind[:, None]) * t + rng.uniform(0, 6.28, (n, 1)))
    overtone = 0.5 * np.sin(2 * np.pi * (12 + 5.0 * kind[:, None]) * t + rng.uniform(0, 6.28, (n, 1)))
    sound = rng.uniform(0.6, 1.4, (n, 1)) * (tone + overtone) + rng.normal(0, 0.5, (n, length))
    return torch.tensor(sound, dtype=torch.float32)[:, None], torch.tensor(kind)


class Reservoir(nn.Module):
    """Filters stay as they were drawn; only the readout learns (random kitchen sinks)."""

    def __init__(self, filters=150, span=31):
        super().__init__()
        self.filters = nn.Conv1d(1, filters, span)
        nn.init.normal_(self.filters.weight, std=span**-0.5)
        for p in self.filters.parameters():
            p.requires_grad_(False)
        self.norm = nn.BatchNorm1d(2 * filters, affine=False)
        self.readout = nn.Linear(2 * filters, 5)

    def forward(self, sound):
        with torch.no_grad():
            response = self.filters(sound)
            features = torch.cat([response.amax(2), response.std(2)], 1)
        return self.readout(self.norm(features))


x, y = notes(2000)
model = Reservoir()
optimizer = torch.optim.Adam(model.readout.parameters(), lr=3e-3, weight_decay=1e-3)
for epoch in range(8):
    model.train()
    losses = []
    for rows in torch.randperm(1600).split(40):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        acc = (model(x[1600:]).argmax(1) == y[1600:]).float().mean().item()
    print(f"epoch {epoch} loss {np.mean(losses):.4f} acc {acc:.4f}")
print(f"METRIC train_loss={np.mean(losses):.4f} val_acc={acc:.4f}")
