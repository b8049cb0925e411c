import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, random_split


class PumpLog(Dataset):
    """Flow through a pump from speed, valve opening, viscosity, inlet pressure and temperature."""

    def __init__(self, n=2200, seed=5):
        rng = np.random.default_rng(seed)
        speed, valve = rng.uniform(600, 3000, n), rng.uniform(0.1, 1.0, n)
        viscosity, inlet = rng.lognormal(0.0, 0.4, n), rng.uniform(0.5, 3.0, n)
        temperature = rng.normal(40, 12, n)
        flow = speed / 3000 * np.sqrt(valve) * (1 + 0.2 * inlet) / (0.6 + 0.4 * viscosity)
        flow = flow * (1 + 0.002 * (temperature - 40)) + 0.02 * rng.normal(size=n)
        table = np.stack([speed, valve, viscosity, inlet, temperature], axis=1)
        self.x = ((table - table.mean(0)) / table.std(0)).astype(np.float32)
        self.y = ((flow - flow.mean()) / flow.std()).astype(np.float32)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        return self.x[index], self.y[index]


class Trainer:
    def __init__(self, model, train_set, val_set, lr=3e-3, batch_size=50):
        self.model = model
        self.train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)
        self.val_set = val_set
        self.criterion = nn.MSELoss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def train_epoch(self):
        self.model.train()
        total = 0.0
        for x, y in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x).squeeze(1), y)
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        return total / len(self.train_loader)

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        x = torch.tensor(np.stack([row for row, _ in self.val_set]))
        y = np.array([flow for _, flow in self.val_set])
        prediction = self.model(x).numpy().ravel()
        return 1 - ((prediction - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()

    def fit(self, epochs):
        for epoch in range(1, epochs + 1):
            loss, r2 = self.train_epoch(), self.validate()
            print(f"epoch {epoch}: train loss {loss:.4f}, val r2 {r2:.4f}")
        return loss, r2


if __name__ == "__main__":
    torch.manual_seed(5)
    train_set, val_set = random_split(PumpLog(), [1800, 400])
    network = nn.Sequential(nn.Linear(5, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
    final_loss, final_r2 = Trainer(network, train_set, val_set).fit(9)
    print(f"METRIC train_loss={final_loss:.4f} val_r2={final_r2:.4f}")
