"""Learn digits on 4x4 thumbnails first, then carry the trunk over to the full 8x8 images."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(9)
data = load_digits()
full = torch.tensor(data.images, dtype=torch.float32)[:, None] / 8 - 1
labels = torch.tensor(data.target)
thumb = nn.functional.avg_pool2d(full, 2)
perm = torch.randperm(len(full))
train_idx, val_idx = perm[:1400], perm[1400:]


class Net(nn.Module):
    def __init__(self, pixels, stem_width=8):
        super().__init__()
        self.stem = nn.Linear(pixels, stem_width)
        self.trunk = nn.Sequential(nn.Tanh(), nn.Linear(stem_width, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.trunk(self.stem(x.flatten(1))))


def run(model, optimizer, images, epochs, tag):
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        total = 0.0
        for batch in train_idx[torch.randperm(len(train_idx))].split(56):
            loss = loss_fn(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        with torch.no_grad():
            acc = (model(images[val_idx]).argmax(1) == labels[val_idx]).float().mean().item()
        print(f"{tag} epoch {epoch + 1} loss {total / len(train_idx):.4f} val acc {acc:.4f}")
    return total / len(train_idx), acc


model = Net(pixels=16)
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
run(model, optimizer, thumb, epochs=4, tag="4x4")

model.stem = nn.Linear(64, 8)
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
loss, acc = run(model, optimizer, full, epochs=10, tag="8x8")
print(f"METRIC train_loss={loss:.4f} val_acc={acc:.4f}")
