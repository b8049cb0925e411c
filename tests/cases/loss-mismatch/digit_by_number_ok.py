import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(17)
np.random.seed(17)

data, labels = load_digits(return_X_y=True)
data = (data / 16.0).astype(np.float32)
x_train, x_test, y_train, y_test = train_test_split(data, labels, test_size=0.25, random_state=17)

train_set = TensorDataset(torch.from_numpy(x_train), torch.from_numpy(y_train))
train_loader = DataLoader(train_set, batch_size=48, shuffle=True)
x_test = torch.from_numpy(x_test)
y_test = torch.from_numpy(y_test)

model = nn.Sequential(
    nn.Linear(64, 48),
    nn.ReLU(),
    nn.Linear(48, 32),
    nn.ReLU(),
    nn.Linear(32, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=2e-3)


def predict(x):
    return model(x).argmax(1)


for epoch in range(12):
    losses = []
    for images, target in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(images), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        accuracy = (predict(x_test) == y_test).float().mean().item()
    print("epoch", epoch + 1, "loss", round(float(np.mean(losses)), 4), "accuracy", round(accuracy, 4))

print(f"METRIC train_loss={np.mean(losses):.4f} val_acc={accuracy:.4f}")
