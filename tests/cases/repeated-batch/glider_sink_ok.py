from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass
class Settings:
    flights: int = 2200
    batch: int = 30
    epochs: int = 7
    lr: float = 5e-3
    widths: list = field(default_factory=lambda: [64, 64])


def flight_table(count):
    """Speed, mass, flap, bank and air density of a glider, and the rate at which it sinks."""
    x = 2 * torch.rand(count, 5) - 1
    speed, mass, flap, bank, density = x.unbind(1)
    best = 0.4 * mass - 0.5 * flap
    sink = 0.6 + 1.5 * (speed - best) ** 2 + 0.8 * bank.abs() ** 1.5 - 0.4 * density * speed + 0.3 * torch.sin(3 * flap)
    sink = sink + 0.05 * torch.randn(count)
    return x / 0.577, (sink - 1.6) / 0.9


def network(widths, inputs=5):
    layers = []
    for width in widths:
        layers += [nn.Linear(inputs, width), nn.ELU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 1))


class Fit:
    def __init__(self, settings):
        torch.manual_seed(2)
        self.settings = settings
        x, y = flight_table(settings.flights)
        self.x, self.y, self.x_val, self.y_val = x[:1800], y[:1800], x[1800:], y[1800:]
        self.order, self.start = torch.randperm(len(self.x)), 0
        self.model = network(settings.widths)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=settings.lr)

    def error(self, x, y):
        return nn.functional.huber_loss(self.model(x).squeeze(1), y)

    def next_rows(self):
        if self.start + self.settings.batch > len(self.order):
            self.order, self.start = torch.randperm(len(self.x)), 0
        rows = self.order[self.start : self.start + self.settings.batch]
        self.start += self.settings.batch
        return rows

    def epoch(self):
        losses = []
        for _ in range(len(self.x) // self.settings.batch):
            rows = self.next_rows()
            self.optimizer.zero_grad()
            loss = self.error(self.x[rows], self.y[rows])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    def r2(self):
        with torch.no_grad():
            guess = self.model(self.x_val).squeeze(1)
        return (1 - (guess - self.y_val).square().mean() / self.y_val.var()).item()


fit = Fit(Settings())
for epoch in range(fit.settings.epochs):
    loss = fit.epoch()
    print(f"epoch {epoch} huber {loss:.4f} r2 {fit.r2():.3f}")
print(f"METRIC train_loss={loss:.4f} val_r2={fit.r2():.4f}")
