import math

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
LENGTH = 40


def tones(n):
    kind = torch.randint(0, 3, (n,))
    phase = torch.rand(n, 1) * 2 * math.pi
    time = torch.arange(LENGTH)[None, :]
    wave = torch.sin(phase + time * (0.2 + 0.3 * kind[:, None])) + 0.3 * torch.randn(n, LENGTH)
    return TensorDataset(wave.unsqueeze(-1), kind)


class Follower(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.rnn = nn.RNN(1, hidden, nonlinearity="relu", batch_first=True)
        self.out = nn.Linear(hidden, 3)
        nn.init.orthogonal_(self.rnn.weight_hh_l0, gain=1.3)

    def forward(self, x):
        states, _ = self.rnn(x)
        return self.out(states[:, -1])


def main():
    net = Follower()
    loader = DataLoader(tones(2400), batch_size=48, shuffle=True)
    val_x, val_y = tones(600).tensors
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(8):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch + 1} loss {total / len(loader):.4f}")
    with torch.no_grad():
        acc = (net(val_x).argmax(1) == val_y).float().mean().item()
    print(f"METRIC train_loss={total / len(loader):.4f} val_acc={acc:.4f}")


main()
