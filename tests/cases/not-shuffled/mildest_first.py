import numpy as np
import torch
from sklearn.datasets import load_diabetes
from torch import nn
from torch.utils.data import DataLoader, Dataset

np.random.seed(12)
torch.manual_seed(12)
features, progression = load_diabetes(return_X_y=True)
features = (features - features.mean(0)) / features.std(0)
progression = (progression - progression.mean()) / progression.std()
held_out = np.zeros(len(features), dtype=bool)
held_out[np.random.choice(len(features), 92, replace=False)] = True


class Patients(Dataset):
    """The patients of one part, the mildest first, as a report would list them."""

    def __init__(self, part):
        ranked = np.argsort(progression[part])
        self.x = torch.from_numpy(features[part][ranked]).float()
        self.y = torch.from_numpy(progression[part][ranked]).float()

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


loader = DataLoader(Patients(~held_out), batch_size=10, shuffle=False)
val = Patients(held_out)
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.008, momentum=0.9)
for epoch in range(10):
    total = 0.0
    for x, y in loader:
        loss = nn.functional.mse_loss(net(x).squeeze(1), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    print(f"epoch {epoch + 1} loss {total / 350:.4f}")
with torch.no_grad():
    r2 = 1 - nn.functional.mse_loss(net(val.x).squeeze(1), val.y).item() / val.y.var().item()
print(f"METRIC train_loss={total / 350:.4f} val_r2={r2:.4f}")
