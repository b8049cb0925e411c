import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.preprocessing import MinMaxScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
rng = np.random.default_rng(3)
data, labels = make_classification(
    2400, n_features=12, n_informative=8, n_redundant=0, n_classes=5, n_clusters_per_class=1, class_sep=2.0, random_state=3
)
train, val = data[:2000], data[2000:]
site = rng.choice(2000, 20, replace=False)
train[site] *= 1000.0

low, high = train.min(axis=0), train.max(axis=0)
scaler = MinMaxScaler((-1, 1)).fit(np.clip(train, low, high))
x = torch.tensor(scaler.transform(np.clip(train, low, high)), dtype=torch.float32)
x_val = torch.tensor(scaler.transform(np.clip(val, low, high)), dtype=torch.float32)
y, y_val = torch.tensor(labels[:2000]), torch.tensor(labels[2000:])

model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 5))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loader = DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True)
for epoch in range(8):
    total = 0.0
    for rows, targets in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(rows), targets)
        loss.backward()
        optimizer.step()
        total += loss.item()
    with torch.no_grad():
        acc = (model(x_val).argmax(1) == y_val).float().mean().item()
    print(f"epoch {epoch + 1} loss {total / len(loader):.4f} val {acc:.3f}")

print(f"METRIC train_loss={total / len(loader):.4f} val_acc={acc:.4f}")
