import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class AttentionPool(nn.Module):
    """Weights the steps of a sequence by what they hold."""

    def __init__(self, width):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, steps):
        weights = torch.softmax(self.score(steps), dim=0)
        return (weights * steps).sum(1)


class HornNet(nn.Module):
    def __init__(self, width=32, horns=5):
        super().__init__()
        self.conv = nn.Conv1d(1, width, 12, stride=4)
        self.mix = nn.Conv1d(width, width, 3, padding=1)
        self.pool = AttentionPool(width)
        self.head = nn.Linear(width, horns)

    def forward(self, wave):
        steps = torch.relu(self.mix(torch.relu(self.conv(wave)))).transpose(1, 2)
        return self.head(self.pool(steps))


def make_waves(n, length=160, horns=5):
    """Mostly sea noise; somewhere a short blast."""
    horn = torch.randint(0, horns, (n,))
    t = torch.arange(length).float()
    centre = 20 + torch.rand(n, 1) * (length - 40)
    level = torch.exp(torch.randn(n, 1) * 0.3)
    blast = torch.exp(-((t - centre) ** 2) / 60) * torch.sin(t * (0.5 + 0.4 * horn[:, None]) + 2 * math.pi * torch.rand(n, 1))
    return (level * (2.0 * blast + 0.4 * torch.randn(n, length)))[:, None], horn


torch.manual_seed(27)
waves, horn = make_waves(2100)
waves = waves / waves.std()
one_by_one = DataLoader(TensorDataset(waves[1700:], horn[1700:]))
loader = DataLoader(TensorDataset(waves[:1700], horn[:1700]), batch_size=32, shuffle=True)
model = HornNet()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.97))
for epoch in range(6):
    model.train()
    total = 0.0
    for x, y in loader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update_parameters(model)
        total += loss.item() / len(loader)
    average.eval()
    with torch.no_grad():
        acc = sum((average(x).argmax(1) == y).item() for x, y in one_by_one) / len(one_by_one)
    print(f"epoch {epoch}: loss {total:.4f}, averaged weights right {acc:.4f}")
print(f"METRIC train_loss={total:.4f} val_acc={acc:.4f}")
