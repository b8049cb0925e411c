import torch
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(17)
hours = torch.arange(3000).float()
gusts = torch.sin(hours / 3.8) + 0.5 * torch.sin(hours / 12.1) + 0.1 * torch.randn(3000)
windows = gusts.unfold(0, 25, 1)
data = TensorDataset(windows[:, :24], windows[:, 24:])
training, checking = random_split(data, [2400, len(data) - 2400])
loader = DataLoader(training, batch_size=48, shuffle=True)

network = nn.Sequential(nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 48), nn.GELU(), nn.Linear(48, 1))
optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
scheduler = ExponentialLR(optimizer, gamma=0.8)
for epoch in range(7):
    total = 0.0
    for a, b in loader:
        loss = nn.functional.mse_loss(network(a), b)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item() * len(a)
    print(f"epoch {epoch + 1}: mse {total / len(training):.4f}")

with torch.no_grad():
    a, b = checking[:]
    r2 = 1 - nn.functional.mse_loss(network(a), b) / b.var()
print(f"METRIC train_loss={total / len(training):.4f} val_r2={r2:.4f}")
