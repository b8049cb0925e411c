import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(31)
x, y = load_digits(return_X_y=True)
pick = np.random.default_rng(0).permutation(len(x))
train, test = pick[:1500], pick[1500:]
train = train[np.argsort(y[train], kind="stable")]


def tensors(rows):
    return torch.tensor(x[rows] / 16.0, dtype=torch.float32), torch.tensor(y[rows])


loader = DataLoader(TensorDataset(*tensors(train)), batch_size=30, shuffle=True)
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.CrossEntropyLoss()
test_x, test_y = tensors(test)
for epoch in range(8):
    model.train()
    losses = []
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        acc = (model(test_x).argmax(1) == test_y).float().mean().item()
    print(f"epoch {epoch + 1} loss {np.mean(losses):.4f} val {acc:.4f}")
print(f"METRIC train_loss={np.mean(losses):.4f} val_acc={acc:.4f}")
