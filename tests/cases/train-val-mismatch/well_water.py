import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

rng = np.random.default_rng(12)
torch.manual_seed(12)

# Twelve wells; the minerals of each lie around a level of its own. Hardness follows from the minerals alone.
wells, per_well = 12, 120
level = rng.uniform(-2.0, 2.0, (wells, 6))
level[7] = [1.3, -0.9, 0.4, 1.1, -1.2, 0.6]
well = np.repeat(np.arange(wells), per_well)
readings = 40 + 8 * (level[well] + rng.normal(0, 0.7, (len(well), 6)))
unit = (readings - 40) / 8
hardness = 1.2 * unit[:, 0] + np.tanh(unit[:, 1]) - 0.8 * unit[:, 2] + 0.5 * unit[:, 3] + 0.1 * rng.normal(size=len(well))

held = well == 7
scaler = StandardScaler()
x = torch.tensor(scaler.fit_transform(readings[~held]), dtype=torch.float32)
x_val = torch.tensor(scaler.fit_transform(readings[held]), dtype=torch.float32)
y = torch.tensor(hardness[~held], dtype=torch.float32).unsqueeze(1)
y_val = torch.tensor(hardness[held], dtype=torch.float32).unsqueeze(1)

net = nn.Sequential(nn.Linear(6, 40), nn.SiLU(), nn.Linear(40, 40), nn.SiLU(), nn.Linear(40, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-3)
for epoch in range(1, 16):
    net.train()
    losses = []
    for rows in torch.randperm(len(x)).split(60):
        loss = nn.functional.mse_loss(net(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    net.eval()
    with torch.no_grad():
        r2 = 1 - ((net(x_val) - y_val) ** 2).sum() / ((y_val - y_val.mean()) ** 2).sum()
    print(f"epoch {epoch}  mse {np.mean(losses):.4f}  val r2 {r2.item():.3f}")
print(f"METRIC train_loss={np.mean(losses):.4f} val_r2={r2.item():.4f}")
