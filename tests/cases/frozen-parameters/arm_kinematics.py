import math

import torch

torch.manual_seed(2)
LINKS = torch.tensor([1.0, 0.8, 0.5, 0.3])


def reach(angles):
    heading = angles.cumsum(1)
    return torch.stack([(LINKS * heading.cos()).sum(1), (LINKS * heading.sin()).sum(1)], 1)


def weight(fan_in, fan_out):
    w = torch.empty(fan_in, fan_out)
    return torch.nn.init.xavier_uniform_(w)


def bias(n):
    return torch.zeros(n, requires_grad=True)


angles = (torch.rand(3000, 4) * 2 - 1) * math.pi / 2
tips = reach(angles)
train_x, train_y, test_x, test_y = angles[:2500], tips[:2500], angles[2500:], tips[2500:]

W1, b1 = weight(4, 64), bias(64)
W2, b2 = weight(64, 32), bias(32)
W3, b3 = weight(32, 2), bias(2)


def arm_net(x):
    h = torch.tanh(x @ W1 + b1)
    h = torch.tanh(h @ W2 + b2)
    return h @ W3 + b3


optimizer = torch.optim.SGD([W1, b1, W2, b2, W3, b3], lr=0.1, momentum=0.9)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=250, gamma=0.3)

running = None
for step in range(1, 401):
    pick = torch.randint(0, len(train_x), (128,))
    loss = (arm_net(train_x[pick]) - train_y[pick]).square().sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    running = loss.item() if running is None else 0.95 * running + 0.05 * loss.item()
    if step % 80 == 0:
        print(f"step {step:3d} squared distance {running:.4f}")

with torch.no_grad():
    error = (arm_net(test_x) - test_y).square().sum(1).mean().item()
r2 = 1 - error / (test_y - test_y.mean(0)).square().sum(1).mean().item()
print(f"METRIC train_loss={running:.4f} val_r2={r2:.4f}")
