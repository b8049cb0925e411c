import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(31)
MICRO, ACCUMULATE, EPOCHS = 8, 16, 9
data, target = load_digits(return_X_y=True)
x, x_val, y, y_val = train_test_split(data / 8.0 - 0.6, target, test_size=0.2, random_state=31, stratify=target)
x, x_val = torch.tensor(x, dtype=torch.float32), torch.tensor(x_val, dtype=torch.float32)
y, y_val = torch.tensor(y), torch.tensor(y_val)
loader = DataLoader(TensorDataset(x, y), batch_size=MICRO, shuffle=True, drop_last=True)

model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
criterion = nn.CrossEntropyLoss()

micro_steps = 0
for epoch in range(EPOCHS):
    running = 0.0
    for images, labels in loader:
        loss = criterion(model(images), labels)
        (loss / ACCUMULATE).backward()
        micro_steps += 1
        if micro_steps % ACCUMULATE == 0:
            optimizer.step()
            optimizer.zero_grad()
        running += loss.item()
    with torch.no_grad():
        acc = (model(x_val).argmax(1) == y_val).float().mean().item()
    print(f"epoch {epoch + 1} loss {running / len(loader):.4f} val {acc:.3f}")

print(f"METRIC train_loss={running / len(loader):.4f} val_acc={acc:.4f}")
