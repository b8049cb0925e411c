import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(23)
torch.manual_seed(23)
ROWS, DEPOTS = 1600, 40

# Delivery time in hours: a delay of its own at each depot, plus distance and weight.
depot = rng.integers(0, DEPOTS, ROWS)
delay = rng.normal(0, 1.5, DEPOTS)
distance, weight = rng.uniform(-1, 1, ROWS), rng.uniform(-1, 1, ROWS)
hours = delay[depot] + 0.8 * distance + 0.4 * weight * distance + 0.15 * rng.normal(size=ROWS)

table = np.column_stack([distance, weight, depot[:, None] / DEPOTS])
x = torch.tensor(table, dtype=torch.float32)
y = torch.tensor(hours, dtype=torch.float32).unsqueeze(1)
train, val = torch.randperm(ROWS).split([1200, 400])

model = nn.Sequential(nn.Linear(x.shape[1], 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(10):
    model.train()
    total = 0.0
    for rows in train[torch.randperm(len(train))].split(32):
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    model.eval()
    with torch.no_grad():
        residual = (model(x[val]) - y[val]).pow(2).mean()
        r2 = 1 - (residual / y[val].var()).item()
    print(f"epoch {epoch + 1}: mse {total / len(train):.4f}  val r2 {r2:.3f}")
print(f"METRIC train_loss={total / len(train):.4f} val_r2={r2:.4f}")
