import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn


class Trainer:
    def __init__(self, width=32, lr=2e-3, batch=24):
        self.model = nn.Sequential(
            nn.Linear(30, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
        )
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr, maximize=True)
        self.criterion = nn.BCEWithLogitsLoss()
        self.batch = batch

    def epoch(self, x, y):
        self.model.train()
        losses = []
        for rows in torch.randperm(len(x)).split(self.batch):
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x[rows]).squeeze(1), y[rows])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return np.mean(losses)

    @torch.no_grad()
    def accuracy(self, x, y):
        self.model.eval()
        return ((self.model(x).squeeze(1) > 0).float() == y).float().mean().item()


def main():
    torch.manual_seed(26)
    cells, benign = load_breast_cancer(return_X_y=True)
    x, x_val, y, y_val = train_test_split(cells, benign, test_size=0.25, stratify=benign, random_state=26)
    scaler = StandardScaler().fit(x)
    x, x_val = (torch.tensor(scaler.transform(part), dtype=torch.float32) for part in (x, x_val))
    y, y_val = (torch.tensor(part, dtype=torch.float32) for part in (y, y_val))
    trainer = Trainer()
    for epoch in range(1, 17):
        loss, accuracy = trainer.epoch(x, y), trainer.accuracy(x_val, y_val)
        if epoch % 4 == 0:
            print(f"epoch {epoch}: loss {loss:.4f}, accuracy {accuracy:.3f}")
    print(f"METRIC train_loss={loss:.4f} val_acc={accuracy:.4f}")


if __name__ == "__main__":
    main()
