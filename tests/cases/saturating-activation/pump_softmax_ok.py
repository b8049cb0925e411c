import math

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(31)


def pump_data(n):
    """Simulated pump station: speed, valve, temperature, viscosity, wear, inlet -> pressure head."""
    z = torch.rand(n, 6) * 2 - 1
    speed, valve, temp, visc, wear, inlet = z.unbind(1)
    head = 1.5 * speed**2 + torch.sin(math.pi * speed * valve) - 0.8 * visc * temp
    head = head + 0.7 * torch.relu(wear) * speed + 0.5 * inlet
    return z, head + 0.05 * torch.randn(n)


class PumpNet(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.l1 = nn.Linear(6, width)
        self.l2 = nn.Linear(width, width)
        self.l3 = nn.Linear(width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        x = F.relu(self.l1(x))
        x = F.relu(self.l2(x))
        x = F.relu(self.l3(x))
        return self.out(x)[:, 0]


x_train, y_train = pump_data(2000)
x_val, y_val = pump_data(500)
mean, std = y_train.mean(), y_train.std()
y_train, y_val = (y_train - mean) / std, (y_val - mean) / std

net = PumpNet()
optim = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
for epoch in range(12):
    epoch_loss = []
    for batch in torch.randperm(len(x_train)).split(64):
        loss = F.smooth_l1_loss(net(x_train[batch]), y_train[batch])
        optim.zero_grad()
        loss.backward()
        optim.step()
        epoch_loss.append(loss.item())
    with torch.no_grad():
        residual = net(x_val) - y_val
        r2 = 1 - residual.pow(2).sum() / (y_val - y_val.mean()).pow(2).sum()
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1} loss {sum(epoch_loss) / len(epoch_loss):.4f} r2 {r2:.3f}")

print(f"METRIC train_loss={sum(epoch_loss) / len(epoch_loss):.4f} val_r2={r2:.4f}")
