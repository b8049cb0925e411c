import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split

FRAUD_RATE = 0.03


def transactions(n, rate, seed):
    r = np.random.default_rng(seed)
    fraud = r.random(n) < rate
    x = r.normal(size=(n, 10))
    x[fraud, 0] += 1.0
    x[fraud, 3] -= 0.9
    x[fraud, 5] = x[fraud, 5] * 0.6 + 0.8
    x[fraud, 7] += 0.7 * np.sign(x[fraud, 8])
    return torch.tensor(x, dtype=torch.float32), torch.tensor(fraud, dtype=torch.float32)


def report(model, x, y):
    model.eval()
    with torch.no_grad():
        flagged = model(x).squeeze(1) > 0
    tp = (flagged & (y == 1)).sum().item()
    recall = tp / (y == 1).sum().item()
    specificity = (~flagged & (y == 0)).sum().item() / (y == 0).sum().item()
    accuracy = (flagged.float() == y).float().mean().item()
    return accuracy, recall, (recall + specificity) / 2


torch.manual_seed(2)
x, y = transactions(6000, FRAUD_RATE, seed=2)
train, val = random_split(TensorDataset(x, y), [4800, 1200])
x_val, y_val = val[:]
loader = DataLoader(train, batch_size=100, shuffle=True)

model = nn.Sequential(
    nn.Linear(10, 24),
    nn.ReLU(),
    nn.Dropout(0.1),
    nn.Linear(24, 12),
    nn.ReLU(),
    nn.Linear(12, 1),
)
criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor((1 - FRAUD_RATE) / FRAUD_RATE))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

for epoch in range(5):
    model.train()
    total = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb).squeeze(1), yb)
        loss.backward()
        optimizer.step()
        total += loss.item()
    acc, recall, balanced = report(model, x_val, y_val)
    print(f"epoch {epoch + 1} loss {total / len(loader):.4f} acc {acc:.4f} fraud recall {recall:.3f}")

loss = total / len(loader)
print(f"METRIC train_loss={loss:.4f} val_acc={acc:.4f} val_recall={recall:.4f} balanced_acc={balanced:.4f}")
