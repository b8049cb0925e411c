from dataclasses import dataclass

import torch
from sklearn.datasets import make_friedman1
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Settings:
    samples: int = 1500
    hidden: int = 48
    lr: float = 2e-2
    betas: tuple = (0.999, 0.9)
    batch_size: int = 40
    epochs: int = 10


class Trainer:
    def __init__(self, settings):
        torch.manual_seed(5)
        self.settings = settings
        data, target = make_friedman1(settings.samples, n_features=8, noise=0.5, random_state=5)
        cut = int(0.8 * settings.samples)
        scaler = StandardScaler().fit(data[:cut])
        x = torch.tensor(scaler.transform(data), dtype=torch.float32)
        y = torch.tensor((target - target[:cut].mean()) / target[:cut].std(), dtype=torch.float32).unsqueeze(1)
        self.loader = DataLoader(TensorDataset(x[:cut], y[:cut]), batch_size=settings.batch_size, shuffle=True)
        self.held = x[cut:], y[cut:]
        size = settings.hidden
        self.model = nn.Sequential(nn.Linear(8, size), nn.Tanh(), nn.Linear(size, size), nn.Tanh(), nn.Linear(size, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=settings.lr, betas=settings.betas)

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def score(self):
        x, y = self.held
        return (1 - nn.functional.mse_loss(self.model(x), y) / y.var()).item()

    def fit(self):
        for epoch in range(self.settings.epochs):
            losses = [self.step(x, y) for x, y in self.loader]
            mean = sum(losses) / len(losses)
            print(f"epoch {epoch + 1:2d}  mse {mean:.4f}  r2 {self.score():.3f}")
        print(f"METRIC train_loss={mean:.4f} val_r2={self.score():.4f}")


if __name__ == "__main__":
    Trainer(Settings()).fit()
