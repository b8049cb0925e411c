import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(13)
images, labels = (torch.as_tensor(a) for a in load_digits(return_X_y=True))
images = (images.float() / 16 - 0.3).view(-1, 1, 8, 8)
shuffle = torch.randperm(len(images))
train, val = shuffle[:1440], shuffle[1440:]

net = nn.Sequential(
    nn.Conv2d(1, 12, 3), nn.ReLU(),
    nn.Conv2d(12, 24, 3), nn.ReLU(), nn.Flatten(),
    nn.Linear(24 * 16, 48), nn.ReLU(), nn.Linear(48, 10),
)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)
criterion = nn.CrossEntropyLoss()
for epoch in range(9):
    net.train()
    total = 0.0
    for rows in train[torch.randperm(len(train))].split(40):
        optimizer.zero_grad()
        loss = criterion(net(images[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    print(f"epoch {epoch} loss {total / len(train):.4f}")
net.eval()
with torch.no_grad():
    acc = (net(images[val]).argmax(1) == labels[val]).float().mean().item()
print(f"METRIC train_loss={total / len(train):.4f} val_acc={acc:.4f}")
