import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(14)
torch.manual_seed(14)

N = 1500
recipes = {}
strengths = []
for number in range(1, N + 1):
    cement, water, slag, age = rng.uniform(-1, 1, 4)
    recipes[f"S{number}"] = (cement, water, slag, age)
    strength = 1.2 * cement - 1.5 * cement * water + np.sin(3 * age) + 0.8 * np.maximum(slag, 0)
    strengths.append(strength + 0.1 * rng.normal())

names = sorted(recipes, key=lambda name: int(name[1:]))
x = torch.tensor([recipes[name] for name in names], dtype=torch.float32)
y = torch.tensor(strengths, dtype=torch.float32)
y = (y - y.mean()) / y.std()

holdout = torch.from_numpy(rng.random(N) < 0.2)
x_train, y_train = x[~holdout], y[~holdout]
x_val, y_val = x[holdout], y[holdout]


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a = nn.Linear(width, width)
        self.b = nn.Linear(width, width)

    def forward(self, h):
        return h + self.b(torch.relu(self.a(h)))


model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), Residual(32), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)


def mse(a, b):
    return ((a - b) ** 2).mean()


for epoch in range(10):
    model.train()
    running = []
    for rows in torch.randperm(len(x_train)).split(40):
        loss = mse(model(x_train[rows])[:, 0], y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running.append(loss.item())
    scheduler.step()
    model.eval()
    with torch.no_grad():
        val = mse(model(x_val)[:, 0], y_val).item()
    print(f"epoch {epoch + 1:2d}: train {np.mean(running):.4f} val {val:.4f}")

print(f"METRIC train_loss={np.mean(running):.4f} val_mse={val:.4f} val_r2={1 - val / y_val.var().item():.4f}")
