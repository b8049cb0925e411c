"""Handwritten digits with a small network. The loss starts at 2.30 and hardly moves."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

images, labels = load_digits(return_X_y=True)
x_train, x_val, y_train, y_val = train_test_split(images / 16.0, labels, test_size=0.2, random_state=0)
x_train, y_train = torch.tensor(x_train, dtype=torch.float32), torch.tensor(y_train)
x_val, y_val = torch.tensor(x_val, dtype=torch.float32), torch.tensor(y_val)
batches = DataLoader(TensorDataset(x_train, y_train), batch_size=64, shuffle=True)

model = nn.Sequential(
    nn.Linear(64, 128),
    nn.ReLU(),
    nn.Linear(128, 128),
    nn.ReLU(),
    nn.Linear(128, 10),
    nn.Softmax(dim=1),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

for epoch in range(7):
    model.train()
    for x, y in batches:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        output = model(x_val)
        accuracy = (output.argmax(dim=1) == y_val).float().mean().item()
        print(f"epoch {epoch + 1}: loss {criterion(output, y_val).item():.3f}, accuracy {accuracy:.1%}")
