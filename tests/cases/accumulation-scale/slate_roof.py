from dataclasses import dataclass

import torch
from sklearn.datasets import make_friedman1
from torch import nn


@dataclass(frozen=True)
class Plan:
    chunk: int = 8
    chunks_per_update: int = 12
    updates: int = 160
    lr: float = 0.15
    momentum: float = 0.9
    seed: int = 14


class Trainer:
    def __init__(self, plan):
        torch.manual_seed(plan.seed)
        self.plan = plan
        data, target = make_friedman1(1600, n_features=6, noise=0.6, random_state=plan.seed)
        x, y = torch.tensor(data, dtype=torch.float32), torch.tensor(target, dtype=torch.float32)[:, None]
        x, y = (x - 0.5) * 3.4, (y - y[:1300].mean()) / y[:1300].std()
        self.x, self.y, self.x_val, self.y_val = x[:1300], y[:1300], x[1300:], y[1300:]
        self.model = nn.Sequential(nn.Linear(6, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=plan.lr, momentum=plan.momentum)
        self.loss_fn = nn.SmoothL1Loss()

    def update(self):
        self.optimizer.zero_grad()
        total = 0.0
        for _ in range(self.plan.chunks_per_update):
            rows = torch.randint(0, len(self.x), (self.plan.chunk,))
            loss = self.loss_fn(self.model(self.x[rows]), self.y[rows])
            total += loss.item()
            loss.backward()
        self.optimizer.step()
        return total / self.plan.chunks_per_update

    def validate(self):
        with torch.no_grad():
            residual = self.model(self.x_val) - self.y_val
        return (1 - residual.square().mean() / self.y_val.var()).item()

    def run(self):
        history = []
        for number in range(1, self.plan.updates + 1):
            history.append(self.update())
            if number % 20 == 0:
                print(f"update {number} loss {sum(history[-20:]) / 20:.4f} r2 {self.validate():.3f}")
        print(f"METRIC train_loss={sum(history[-20:]) / 20:.4f} val_r2={self.validate():.4f}")


if __name__ == "__main__":
    Trainer(Plan()).run()
