import math

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(8)
STATES = ["healthy", "inner race", "outer race", "imbalance"]


def recordings(per_state, length=96):
    """Vibration windows: shaft tone plus impulses whose spacing depends on the defect."""
    t = torch.arange(length, dtype=torch.float32)
    xs, ys = [], []
    for label in range(len(STATES)):
        for _ in range(per_state):
            phase = torch.rand(()) * 2 * math.pi
            x = torch.sin(2 * math.pi * t / 24 + phase) + 0.5 * torch.randn(length)
            if label in (1, 2):
                gap = 9 if label == 1 else 13
                start = int(torch.randint(0, gap, ()))
                x[start::gap] += 1.1
                x[start + 1::gap] -= 1.1
            if label == 3:
                x = x + 0.5 * torch.sin(4 * math.pi * t / 24 + torch.rand(()) * 2 * math.pi)
            xs.append(x)
            ys.append(label)
    return torch.stack(xs).unsqueeze(1), torch.tensor(ys)


class MultiScaleNet(nn.Module):
    def __init__(self, kernel_sizes=(5, 11, 17), channels=6):
        super().__init__()
        self.branches = nn.ModuleList()
        for k in kernel_sizes:
            self.branches.append(nn.Sequential(
                nn.Conv1d(1, channels, k, padding=k // 2),
                nn.ReLU(),
                nn.Conv1d(channels, channels, k, padding=k // 2),
                nn.ReLU(),
                nn.AdaptiveAvgPool1d(1),
                nn.Flatten(),
            ))
        self.head = nn.Linear(channels * len(kernel_sizes), len(STATES))

    def forward(self, x):
        return self.head(torch.cat([branch(x) for branch in self.branches], dim=1))


x_train, y_train = recordings(300)
x_val, y_val = recordings(80)
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=32, shuffle=True)
model = MultiScaleNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

for epoch in range(8):
    running = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        running += loss.item()
    with torch.no_grad():
        acc = (model(x_val).argmax(1) == y_val).float().mean().item()
    print(f"epoch {epoch + 1} loss {running / len(loader):.4f} val acc {acc:.3f}")
print(f"METRIC train_loss={running / len(loader):.4f} val_acc={acc:.4f}")
