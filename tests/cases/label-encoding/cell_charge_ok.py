from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    capacity: float = 4.2  # Ah
    steps: int = 20
    hidden: int = 32
    lr: float = 4e-3
    batch: int = 50
    epochs: int = 8


def drive_cycles(count, steps):
    """Current and voltage logs of a pack, and the charge in Ah that is left when the log ends."""
    charge = 0.3 + 3.6 * torch.rand(count)
    current, voltage = torch.zeros(count, steps), torch.zeros(count, steps)
    for t in range(steps):
        current[:, t] = 1.2 * torch.randn(count)
        charge = (charge - 0.1 * current[:, t]).clamp(0.05, 4.15)
        voltage[:, t] = 3.3 + 0.2 * charge - 0.08 * current[:, t] + 0.02 * torch.randn(count)
    log = torch.stack([current / 1.2, (voltage - 3.72) / 0.25], dim=2)
    return log, charge


class Gauge(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.memory = nn.GRU(2, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, log):
        states, _ = self.memory(log)
        return torch.sigmoid(self.head(states[:, -1])).squeeze(1)


class Run:
    def __init__(self, config):
        torch.manual_seed(12)
        self.config = config
        log, charge = drive_cycles(2300, config.steps)
        level = charge / config.capacity
        self.loader = DataLoader(TensorDataset(log[:1900], level[:1900]), batch_size=config.batch, shuffle=True)
        self.held = log[1900:], level[1900:]
        self.model = Gauge(config.hidden)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.lr)

    def score(self):
        log, level = self.held
        with torch.no_grad():
            return 1 - (nn.functional.mse_loss(self.model(log), level) / level.var()).item()

    def fit(self):
        for epoch in range(self.config.epochs):
            losses = []
            for log, level in self.loader:
                self.optimizer.zero_grad()
                loss = nn.functional.mse_loss(self.model(log), level)
                loss.backward()
                self.optimizer.step()
                losses.append(loss.item())
            print(f"epoch {epoch + 1} mse {sum(losses) / len(losses):.5f} r2 {self.score():.3f}")
        print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_r2={self.score():.4f}")


Run(Config()).fit()
