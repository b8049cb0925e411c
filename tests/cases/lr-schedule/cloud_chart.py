import copy

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

HISTORY, AHEAD = 24, 4


def make_series(n=2600, seed=6):
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    daily = np.sin(2 * np.pi * t / 24) * (1 + 0.4 * np.sin(2 * np.pi * t / 310))
    weather = np.zeros(n)
    for i in range(1, n):
        weather[i] = 0.95 * weather[i - 1] + rng.normal(0, 0.08)
    series = daily + np.where(daily > 0, weather, 0.3 * weather) + 0.5 * np.sin(2 * np.pi * t / 8) ** 3
    return ((series - series[:2000].mean()) / series[:2000].std()).astype(np.float32)


def windows(series):
    table = torch.from_numpy(np.lib.stride_tricks.sliding_window_view(series, HISTORY + AHEAD).copy())
    return table[:, :HISTORY, None], table[:, HISTORY:]


class Forecaster(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.rnn = nn.GRU(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, AHEAD)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


class EarlyStopping:
    def __init__(self, patience):
        self.patience, self.best, self.waited, self.weights = patience, float("inf"), 0, None

    def __call__(self, value, model):
        if value < self.best:
            self.best, self.waited, self.weights = value, 0, copy.deepcopy(model.state_dict())
        else:
            self.waited += 1
        return self.waited > self.patience


def fit(model, train, val, epochs=14, lr=1e-2, batch=96):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    scheduler = ReduceLROnPlateau(optimizer, mode="max", factor=0.1, patience=1)
    stop = EarlyStopping(patience=6)
    x, y = train
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x)).split(batch):
            loss = nn.functional.mse_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows) / len(x)
        with torch.no_grad():
            score = nn.functional.mse_loss(model(val[0]), val[1]).item()
        scheduler.step(score)
        print(f"epoch {epoch:2d}  train {total:.4f}  val {score:.4f}")
        if stop(score, model):
            break
    model.load_state_dict(stop.weights)
    return total, 1 - stop.best / val[1].var().item()


if __name__ == "__main__":
    torch.manual_seed(6)
    series = make_series()
    train, val = windows(series[:2000]), windows(series[2000:])
    loss, r2 = fit(Forecaster(), train, val)
    print(f"METRIC train_loss={loss:.4f} val_r2={r2:.4f}")
