"""How far diabetes will progress, predicted from ten measurements. Every step takes all earlier gradients along."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def main():
    torch.manual_seed(0)
    features, target = (torch.tensor(a, dtype=torch.float32) for a in load_diabetes(return_X_y=True))
    features = (features - features.mean(0)) / features.std(0)
    target = ((target - target.mean()) / target.std()).unsqueeze(1)
    train, held_out = random_split(TensorDataset(features, target), [0.8, 0.2])

    model = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    loss_fn = nn.MSELoss()

    for epoch in range(25):
        for x, y in DataLoader(train, batch_size=32, shuffle=True):
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()

        x, y = held_out[:]
        with torch.no_grad():
            error = loss_fn(model(x), y).item()
        print(f"epoch {epoch + 1}: error {error:.3f}")


if __name__ == "__main__":
    main()
