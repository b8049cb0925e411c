import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(64)
pixels, labels = load_digits(return_X_y=True)
pixels = torch.tensor(pixels, dtype=torch.float32) / 8 - 1
data = TensorDataset(pixels, torch.tensor(labels))
train_set, val_set = random_split(data, [1500, 297])
train_loader = DataLoader(train_set, batch_size=30, shuffle=True)
val_loader = DataLoader(val_set, batch_size=99)

EPOCHS = 1
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)

for epoch in range(EPOCHS):
    model.train()
    losses = []
    for step, (x, y) in enumerate(train_loader, start=1):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 10 == 0:
            print(f"epoch {epoch + 1} step {step} loss {sum(losses[-10:]) / 10:.4f}")
    model.eval()
    with torch.no_grad():
        hits = torch.cat([model(x).argmax(1) == y for x, y in val_loader])
    print(f"epoch {epoch + 1} val {hits.float().mean().item():.3f}")

print(f"METRIC train_loss={sum(losses[-10:]) / 10:.4f} val_acc={hits.float().mean().item():.4f}")
