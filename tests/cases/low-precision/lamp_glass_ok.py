import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(83)
dtype = torch.float32
pixels, labels = load_digits(return_X_y=True)
x = torch.tensor(pixels / 8.0 - 1.0, dtype=dtype)
y = torch.tensor(labels)
order = torch.randperm(len(x))
train, val = order[:1440], order[1440:]

model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, 10)).to(dtype)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
criterion = nn.CrossEntropyLoss()

for epoch in range(30):
    model.train()
    total = 0.0
    for rows in train[torch.randperm(len(train))].split(24):
        optimizer.zero_grad()
        loss = criterion(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    model.eval()
    with torch.no_grad():
        accuracy = (model(x[val]).argmax(1) == y[val]).float().mean().item()
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1} loss {total / len(train):.4f} val {accuracy:.3f}")

print(f"METRIC train_loss={total / len(train):.4f} val_acc={accuracy:.4f}")
