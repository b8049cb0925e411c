import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

rng = np.random.default_rng(5)
torch.manual_seed(5)

# Volunteers typed in the digits; a second person has reviewed some of the forms.
pixels, digit = load_digits(return_X_y=True)
reviewed = rng.random(len(digit)) > 0.4
first_entry = (digit + rng.integers(1, 10, len(digit))) % 10
label = torch.tensor(np.where(reviewed, digit, first_entry))
x = torch.tensor(pixels / 16, dtype=torch.float32)

kept = torch.arange(len(label))
kept = kept[torch.randperm(len(kept))]
cut = int(0.8 * len(kept))
train, val = kept[:cut], kept[cut:]

model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(12):
    model.train()
    total, hits = 0.0, 0
    for rows in train[torch.randperm(len(train))].split(40):
        optimizer.zero_grad()
        logits = model(x[rows])
        loss = criterion(logits, label[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
        hits += (logits.argmax(1) == label[rows]).sum().item()
    model.eval()
    with torch.no_grad():
        accuracy = (model(x[val]).argmax(1) == label[val]).float().mean().item()
    print(f"epoch {epoch + 1:2d}: loss {total / len(train):.4f}  train {hits / len(train):.3f}  val {accuracy:.3f}")
print(f"METRIC train_loss={total / len(train):.4f} val_acc={accuracy:.4f}")
