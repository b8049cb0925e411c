import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from torch import nn

torch.manual_seed(2)
X, y = load_wine(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)
X_train, X_val, y_train, y_val = train_test_split(
    torch.tensor(X, dtype=torch.float32), torch.tensor(y), test_size=0.25, random_state=0, stratify=y
)


class Deep(nn.Module):
    def __init__(self, depth=30, width=32):
        super().__init__()
        self.entry = nn.Linear(13, width)
        self.layers = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.exit = nn.Linear(width, 3)

    def forward(self, x):
        h = torch.relu(self.entry(x))
        for layer in self.layers:
            h = torch.relu(layer(h))
        return self.exit(h)


model = Deep()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
for epoch in range(32):
    order = torch.randperm(len(X_train))
    losses = []
    for batch in order.split(12):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(X_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if epoch % 8 == 7:
        print(f"epoch {epoch + 1} loss {sum(losses) / len(losses):.4f}")

with torch.no_grad():
    acc = (model(X_val).argmax(1) == y_val).float().mean().item()
print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={acc:.4f}")
