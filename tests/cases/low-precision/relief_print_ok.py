import math

import torch
from torch import nn

WEIGHTS = torch.float32
OMEGA = 20.0


class Sine(nn.Module):
    def __init__(self, inputs, outputs, first=False):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        bound = 1 / inputs if first else math.sqrt(6 / inputs) / OMEGA
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x):
        return torch.sin(OMEGA * self.linear(x))


def relief(place):
    """Height of a pressed relief at places in the square from -1 to 1."""
    across, up = place.unbind(1)
    rings = torch.cos(14 * (across.square() + up.square()).sqrt())
    leaf = torch.sin(9 * across + 4 * torch.sin(5 * up))
    return (rings + leaf).unsqueeze(1)


def main():
    torch.manual_seed(47)
    place = torch.rand(4800, 2) * 2 - 1
    height = relief(place) + 0.02 * torch.randn(4800, 1)
    place = place.to(WEIGHTS)
    train, val = torch.arange(4000), torch.arange(4000, 4800)
    net = nn.Sequential(Sine(2, 64, first=True), Sine(64, 64), nn.Linear(64, 1)).to(WEIGHTS)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    for epoch in range(1, 13):
        losses = []
        for rows in train[torch.randperm(len(train))].split(50):
            loss = nn.functional.mse_loss(net(place[rows]).float(), height[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            r2 = 1 - (net(place[val]).float() - height[val]).square().mean() / height[val].var()
        print(f"epoch {epoch:2d} loss {sum(losses) / len(losses):.4f} r2 {r2.item():.3f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_r2={r2.item():.4f}")


if __name__ == "__main__":
    main()
