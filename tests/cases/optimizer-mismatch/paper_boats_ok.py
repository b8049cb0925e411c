import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(21)
images, labels = (torch.as_tensor(a) for a in load_digits(return_X_y=True))
images = ((images.float() - 4.9) / 6.0).view(-1, 1, 8, 8)
order = torch.randperm(len(images))
train, val = order[:1440], order[1440:]

net = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(256, 10),
)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
criterion = nn.CrossEntropyLoss()


def accuracy(rows):
    net.eval()
    with torch.no_grad():
        hits = net(images[rows]).argmax(1) == labels[rows]
    net.train()
    return hits.float().mean().item()


for epoch in range(10):
    total = 0.0
    for rows in train[torch.randperm(len(train))].split(48):
        optimizer.zero_grad()
        loss = criterion(net(images[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    print(f"epoch {epoch + 1} loss {total / len(train):.4f} val {accuracy(val):.3f}")

print(f"METRIC train_loss={total / len(train):.4f} val_acc={accuracy(val):.4f}")
