from collections import defaultdict

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(17)
images, labels = (torch.as_tensor(a) for a in load_digits(return_X_y=True))
images = images.float() / 16
order = torch.randperm(len(images))
train, val = order[:1437], order[1437:]

model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
decay = 1e-4

for epoch in range(8):
    running = defaultdict(list)
    for rows in train[torch.randperm(len(train))].split(36):
        ce = nn.functional.cross_entropy(model(images[rows]), labels[rows])
        penalty = decay * sum(p.square().sum() for p in model.parameters())
        running["ce"].append(ce.detach())
        running["penalty"].append(penalty.detach())
        total = ce + penalty
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    means = {name: torch.stack(values).mean().item() for name, values in running.items()}
    with torch.no_grad():
        acc = (model(images[val]).argmax(1) == labels[val]).float().mean().item()
    print(f"epoch {epoch + 1} ce {means['ce']:.4f} penalty {means['penalty']:.4f} val {acc:.3f}")

print(f"METRIC train_loss={means['ce']:.4f} val_acc={acc:.4f}")
