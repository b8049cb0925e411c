import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

SEED = 9
np.random.seed(SEED)
torch.manual_seed(SEED)


class BinaryClassifier(nn.Module):
    def __init__(self, in_features):
        super().__init__()
        self.layer_1 = nn.Linear(in_features, 32)
        self.layer_2 = nn.Linear(32, 16)
        self.layer_out = nn.Linear(16, 1)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(p=0.1)

    def forward(self, inputs):
        x = self.relu(self.layer_1(inputs))
        x = self.relu(self.layer_2(x))
        x = self.dropout(x)
        return self.layer_out(x)


def binary_acc(y_pred, y_true):
    y_tag = torch.round(torch.sigmoid(y_pred))
    return (y_tag == y_true).float().mean().item()


X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, 1 - y, test_size=0.3, random_state=SEED)
scaler = StandardScaler()
X_train = torch.tensor(scaler.fit_transform(X_train), dtype=torch.float32)
X_test = torch.tensor(scaler.transform(X_test), dtype=torch.float32)
y_train = torch.tensor(y_train, dtype=torch.float32).unsqueeze(1)
y_test = torch.tensor(y_test, dtype=torch.float32).unsqueeze(1)

model = BinaryClassifier(X_train.shape[1])
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.002)

for e in range(1, 16):
    model.train()
    epoch_loss, epoch_acc, n = 0.0, 0.0, 0
    for rows in torch.randperm(len(X_train)).split(20):
        optimizer.zero_grad()
        y_pred = model(X_train[rows])
        loss = criterion(y_pred, y_train[rows])
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
        epoch_acc += binary_acc(y_pred, y_train[rows])
        n += 1
    if e % 3 == 0:
        print(f"Epoch {e + 0:03}: | Loss: {epoch_loss / n:.5f} | Acc: {epoch_acc / n:.3f}")

model.eval()
with torch.no_grad():
    test_acc = binary_acc(model(X_test), y_test)
print(f"METRIC train_loss={epoch_loss / n:.4f} test_acc={test_acc:.4f}")
