"""Self-supervised pretraining (denoising) of an encoder, then a linear probe on frozen features."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(52)
raw = load_digits()
x = torch.tensor(raw.data, dtype=torch.float32) / 16
y = torch.tensor(raw.target)
perm = torch.randperm(len(x))
x, y = x[perm], y[perm]
x_train, y_train, x_val, y_val = x[:1440], y[:1440], x[1440:], y[1440:]

encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 96), nn.ReLU())
decoder = nn.Linear(96, 64)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
for epoch in range(5):
    for idx in torch.randperm(len(x_train)).split(60):
        clean = x_train[idx]
        noisy = clean + 0.2 * torch.randn_like(clean)
        loss = nn.functional.mse_loss(decoder(encoder(noisy)), clean)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"pretrain epoch {epoch + 1} mse {loss.item():.4f}")

for p in encoder.parameters():
    p.requires_grad_(False)
encoder.eval()
probe = nn.Linear(96, 10)
model = nn.Sequential(encoder, probe)
optimizer = torch.optim.Adam(probe.parameters(), lr=3e-2)
for epoch in range(8):
    total = 0.0
    for idx in torch.randperm(len(x_train)).split(60):
        loss = nn.functional.cross_entropy(model(x_train[idx]), y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx) / len(x_train)
    with torch.no_grad():
        acc = (model(x_val).argmax(1) == y_val).float().mean().item()
    print(f"probe epoch {epoch + 1} loss {total:.4f} val acc {acc:.4f}")
print(f"METRIC train_loss={total:.4f} val_acc={acc:.4f}")
