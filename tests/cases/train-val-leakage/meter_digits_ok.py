import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(61)
digits = load_digits()
images = torch.tensor(digits.data / 8.0 - 0.6, dtype=torch.float32)
images = images + 0.4 * torch.randn_like(images)
labels = torch.tensor(digits.target)
shuffled = torch.randperm(len(images))
test = shuffled[900:]

dataset = TensorDataset(images[shuffled[:900]], labels[shuffled[:900]])
train_part, val_part = random_split(dataset, [700, 200])
train_loader = DataLoader(train_part, batch_size=25, shuffle=True)
val_loader = DataLoader(val_part, batch_size=100)

model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
criterion = nn.CrossEntropyLoss()


def accuracy(batches):
    model.eval()
    hits = total = 0
    with torch.no_grad():
        for x, y in batches:
            hits += (model(x).argmax(1) == y).sum().item()
            total += len(y)
    return hits / total


for epoch in range(1, 17):
    model.train()
    running = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        running += loss.item()
    if epoch % 4 == 0:
        print(f"epoch {epoch} loss {running / len(train_loader):.4f} val {accuracy(val_loader):.3f}")

val_acc, test_acc = accuracy(val_loader), accuracy([(images[test], labels[test])])
print(f"METRIC train_loss={running / len(train_loader):.4f} val_acc={val_acc:.4f} test_acc={test_acc:.4f}")
