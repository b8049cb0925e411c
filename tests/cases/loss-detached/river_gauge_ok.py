from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    window: int = 20
    hidden: int = 48
    lr: float = 2e-3
    smooth: float = 1e-3
    batch_size: int = 40
    epochs: int = 6


def river(length=2400):
    hours = torch.arange(length).float()
    level = torch.sin(hours / 5.2) + 0.6 * torch.sin(hours / 17.0 + 1.0) + 0.1 * torch.randn(length)
    return (level - level.mean()) / level.std()


class Trainer:
    def __init__(self, config):
        torch.manual_seed(23)
        windows = river().unfold(0, config.window + 1, 1)
        x, y = windows[:, :-1], windows[:, -1:]
        self.config = config
        self.loader = DataLoader(TensorDataset(x[:1900], y[:1900]), batch_size=config.batch_size, shuffle=True)
        self.x_val, self.y_val = x[1900:], y[1900:]
        self.model = nn.Sequential(nn.Linear(config.window, config.hidden), nn.GELU(), nn.Linear(config.hidden, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=config.lr)
        self.criterion = nn.MSELoss()

    def objective(self, x, y):
        error = self.criterion(self.model(x), y)
        roughness = self.model[0].weight.diff(dim=1).square().sum() + self.model[2].weight.square().sum()
        value = error.item()
        return error + self.config.smooth * roughness, value

    def fit(self):
        for epoch in range(self.config.epochs):
            seen = []
            for x, y in self.loader:
                objective, value = self.objective(x, y)
                self.optimizer.zero_grad()
                objective.backward()
                self.optimizer.step()
                seen.append(value)
            with torch.no_grad():
                r2 = 1 - self.criterion(self.model(self.x_val), self.y_val) / self.y_val.var()
            print(f"epoch {epoch + 1} mse {sum(seen) / len(seen):.4f} r2 {r2:.3f}")
        print(f"METRIC train_loss={sum(seen) / len(seen):.4f} val_r2={r2:.4f}")


if __name__ == "__main__":
    Trainer(Config()).fit()
