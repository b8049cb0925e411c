import io

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(4)


def export_log(rows, seed):
    """A stand-in for the CSV export of the bio-reactor historian."""
    r = np.random.default_rng(seed)
    lines = ["temp,ph,oxygen,stir,feed,yield"]
    for _ in range(rows):
        temp, ph, oxygen, stir, feed = r.normal(size=5)
        out = np.sin(temp) - 0.8 * ph**2 + 0.7 * oxygen * feed + 0.3 * stir + r.normal(0, 0.1)
        cells = [f"{v:.4f}" for v in (temp, ph, oxygen, stir, feed, out)]
        if r.random() < 0.04:
            cells[r.integers(0, 5)] = ""
        lines.append(",".join(cells))
    return "\n".join(lines)


class ReactorLog(Dataset):
    def __init__(self, text):
        table = np.genfromtxt(io.StringIO(text), delimiter=",", skip_header=1, dtype=np.float32)
        features, target = table[:, :-1], table[:, -1]
        features = np.where(np.isnan(features), np.nanmean(features, axis=0), features)
        self.x = torch.from_numpy(features.copy())
        self.y = torch.from_numpy(target.copy())

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


train_set, val_set = ReactorLog(export_log(1500, 0)), ReactorLog(export_log(400, 1))
train_loader = DataLoader(train_set, batch_size=50, shuffle=True)

model = nn.Sequential(nn.Linear(5, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
sched = torch.optim.lr_scheduler.StepLR(opt, step_size=4, gamma=0.5)
mse = nn.MSELoss()

for epoch in range(10):
    model.train()
    total = 0.0
    for x, y in train_loader:
        pred = model(x).squeeze(1)
        loss = mse(pred, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(y)
    sched.step()
    model.eval()
    with torch.no_grad():
        val = mse(model(val_set.x).squeeze(1), val_set.y).item()
    print(f"epoch {epoch} train mse {total / len(train_set):.4f} val mse {val:.4f}")

print(f"METRIC train_loss={total / len(train_set):.4f} val_mse={val:.4f}")
