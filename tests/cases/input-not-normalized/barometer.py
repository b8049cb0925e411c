import math

import torch
from torch import nn

torch.manual_seed(12)
STATIONS = 6
HUMIDITY_BIAS = torch.randn(STATIONS)


def observations(n):
    station = torch.randint(0, STATIONS, (n,))
    hour = torch.randint(0, 24, (n,)).float()
    pressure = 101325.0 + 900.0 * torch.randn(n)
    humidity = torch.randn(n)
    wind = torch.randn(n)
    angle = 2 * math.pi * hour / 24
    numeric = torch.stack([angle.sin(), angle.cos(), humidity, wind, pressure], dim=1)
    low = -(pressure - 101325.0) / 900.0
    rain = torch.tanh(low + humidity) + 0.6 * humidity * wind
    rain = rain + 0.7 * HUMIDITY_BIAS[station] * angle.cos() + 0.1 * torch.randn(n)
    return station, numeric, rain


class RainModel(nn.Module):
    def __init__(self, numeric=5, dim=4, width=48):
        super().__init__()
        self.station = nn.Embedding(STATIONS, dim)
        self.net = nn.Sequential(
            nn.Linear(numeric + dim, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 1),
        )

    def forward(self, station, numeric):
        return self.net(torch.cat([self.station(station), numeric], dim=1)).squeeze(1)


class Trainer:
    def __init__(self, model, lr, batch_size=50):
        self.model = model
        self.batch_size = batch_size
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=1e-4)
        self.loss_fn = nn.MSELoss()

    def fit_epoch(self, data):
        self.model.train()
        losses = []
        for rows in torch.randperm(len(data[0])).split(self.batch_size):
            station, numeric, rain = (column[rows] for column in data)
            loss = self.loss_fn(self.model(station, numeric), rain)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    @torch.no_grad()
    def r2(self, data):
        self.model.eval()
        station, numeric, rain = data
        error = (self.model(station, numeric) - rain).pow(2).sum()
        return (1 - error / (rain - rain.mean()).pow(2).sum()).item()


train, val = observations(2000), observations(500)
trainer = Trainer(RainModel(), lr=3e-3)
for epoch in range(10):
    loss = trainer.fit_epoch(train)
    print(f"epoch {epoch:2d}  mse {loss:10.4f}  val r2 {trainer.r2(val):8.3f}")
print(f"METRIC train_loss={loss:.4f} val_r2={trainer.r2(val):.4f}")
