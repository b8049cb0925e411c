import math

import torch
from torch import nn, optim

torch.manual_seed(60)


def spirals(n):
    """Two interleaved arms; the label says which arm a point belongs to."""
    arm = torch.randint(2, (n,))
    turn = torch.rand(n).sqrt() * 1.25 * 2 * math.pi
    angle = turn + math.pi * arm
    points = torch.stack([turn * angle.cos(), turn * angle.sin()], dim=1) / 4.0
    return points + 0.03 * torch.randn(n, 2), arm.float()


class ArmClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(2, 128)
        self.fc2 = nn.Linear(128, 128)
        self.fc3 = nn.Linear(128, 64)
        self.fc4 = nn.Linear(64, 1)

    def forward(self, p):
        p = self.fc1(p)
        p = self.fc2(p)
        p = self.fc3(p)
        return self.fc4(p).squeeze(-1)


points, arm = spirals(1600)
val_points, val_arm = spirals(400)
net = ArmClassifier()
loss_fn = nn.BCEWithLogitsLoss()
optimizer = optim.Adam(net.parameters(), lr=5e-3)

for epoch in range(15):
    perm = torch.randperm(len(points))
    loss_sum = 0.0
    for i in range(0, len(points), 64):
        sel = perm[i : i + 64]
        optimizer.zero_grad()
        loss = loss_fn(net(points[sel]), arm[sel])
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(sel)
    with torch.no_grad():
        guess = (net(val_points) > 0).float()
    val_acc = (guess == val_arm).float().mean().item()
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1}: loss={loss_sum / len(points):.4f} val_acc={val_acc:.3f}")

print(f"METRIC train_loss={loss_sum / len(points):.4f} val_acc={val_acc:.4f}")
