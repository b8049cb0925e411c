"""Machine state from raw accelerometer counts."""

import torch
import torch.nn as nn
import torch.nn.functional as F

STATES = ["idle", "balanced", "unbalanced", "bearing"]
N = 64


def record(n, seed):
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(0, len(STATES), (n,), generator=g)
    t = torch.arange(N) / N
    phase = 6.28 * torch.rand(n, 1, generator=g)
    speed = 4 + torch.rand(n, 1, generator=g)
    base = torch.sin(6.28 * speed * t + phase)
    knock = (torch.sin(6.28 * 3.1 * speed * t + phase) > 0.9).float()
    gain = torch.tensor([0.1, 0.5, 1.0, 0.5])[y][:, None]
    signal = gain * base + 0.6 * (y == 3)[:, None] * knock + 0.25 * torch.randn(n, N, generator=g)
    return (2048 + 60 * signal).round()[:, None], y


class StateNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(1)
        self.conv1 = nn.Conv1d(1, 16, 7, padding=3)
        self.bn1 = nn.BatchNorm1d(16)
        self.conv2 = nn.Conv1d(16, 24, 5, padding=2)
        self.bn2 = nn.BatchNorm1d(24)
        self.fc = nn.Linear(24, len(STATES))

    def forward(self, x):
        x = self.norm(x)
        x = F.max_pool1d(F.relu(self.bn1(self.conv1(x))), 4)
        x = F.relu(self.bn2(self.conv2(x)))
        return self.fc(x.mean(-1))


def evaluate(model, x, y):
    model.eval()
    with torch.no_grad():
        out = model(x)
    return F.cross_entropy(out, y).item(), (out.argmax(1) == y).float().mean().item()


torch.manual_seed(27)
x_train, y_train = record(2000, 1)
x_val, y_val = record(400, 2)
model = StateNet()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

print("before training: loss %.3f acc %.3f" % evaluate(model, x_val, y_val))
for epoch in range(6):
    model.train()
    losses = []
    for idx in torch.randperm(len(x_train)).split(50):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x_train[idx]), y_train[idx])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print("epoch %d: train loss %.4f" % (epoch + 1, sum(losses) / len(losses)))
val_loss, val_acc = evaluate(model, x_val, y_val)
print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_loss={val_loss:.4f} val_acc={val_acc:.4f}")
