import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(31)


def households(count):
    g = torch.Generator().manual_seed(8)
    people = torch.randint(1, 7, (count,), generator=g).float()
    area = 30 + 150 * torch.rand(count, generator=g)
    heat_pump = (torch.rand(count, generator=g) < 0.3).float()
    profile = torch.rand(count, 12, generator=g) + torch.sin(torch.arange(12) / 2)[None] * torch.rand(count, 1, generator=g)
    kwh = 60 + 45 * people + 0.9 * area + heat_pump * 2.2 * area * profile[:, :4].mean(1).clamp_min(0.1)
    kwh = kwh * torch.exp(0.05 * torch.randn(count, generator=g))
    table = torch.cat([torch.stack([people / 3, area / 100, heat_pump], 1), profile], 1)
    return table, 0.31 * kwh


class Trainer:
    def __init__(self, model, loader, lr):
        self.model, self.loader = model, loader
        self.criterion = nn.MSELoss()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr)

    def epoch(self):
        self.model.train()
        total = 0.0
        for x, y in self.loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(x)
        return total / len(self.loader.dataset)

    @torch.no_grad()
    def r2(self, x, y):
        self.model.eval()
        return 1 - (self.criterion(self.model(x), y) / y.var(correction=0)).item()


x, bill = households(4000)
x_val, y_val = x[3400:], bill[3400:, None]
x, bill = x[:3400], bill[:3400].clone()
mean, std = bill.median(), bill.std()

data = TensorDataset(x, (bill[:, None] - mean) / std)
model = nn.Sequential(nn.Linear(15, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 1))
trainer = Trainer(model, DataLoader(data, batch_size=40, shuffle=True), lr=3e-3)
for epoch in range(8):
    mse = trainer.epoch()
    print(f"epoch {epoch} mse {mse:.4f} val r2 {trainer.r2(x_val, (y_val - mean) / std):.3f}")
print(f"METRIC train_mse={mse:.4f} val_r2={trainer.r2(x_val, (y_val - mean) / std):.4f}")
