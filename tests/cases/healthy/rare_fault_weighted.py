import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 15
torch.manual_seed(SEED)

X, y = make_classification(
    n_samples=5000,
    n_features=20,
    n_informative=6,
    weights=[0.96],
    class_sep=1.6,
    flip_y=0.0,
    random_state=SEED,
)
X = ((X - X.mean(0)) / X.std(0)).astype(np.float32)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=SEED)
print("class counts:", np.bincount(y_train))

loader = DataLoader(
    TensorDataset(torch.from_numpy(X_train), torch.from_numpy(y_train).float()), batch_size=100, shuffle=True
)
model = nn.Sequential(nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 20), nn.ReLU(), nn.Linear(20, 1))
positives = y_train.sum()
pos_weight = torch.tensor([(len(y_train) - positives) / positives], dtype=torch.float32)
criterion = nn.BCEWithLogitsLoss(pos_weight=pos_weight)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

for epoch in range(10):
    epoch_loss = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb).squeeze(1), yb)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    print(f"epoch {epoch + 1} weighted loss {epoch_loss / len(loader):.4f}")

with torch.no_grad():
    pred = (model(torch.from_numpy(X_test)).squeeze(1) > 0).int().numpy()
balanced = balanced_accuracy_score(y_test, pred)
recall = recall_score(y_test, pred)
print(f"METRIC train_loss={epoch_loss / len(loader):.4f} balanced_acc={balanced:.4f} rare_recall={recall:.4f}")
