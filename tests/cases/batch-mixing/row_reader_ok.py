"""A GRU reads the digits row by row, from top to bottom."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(4)
digits = load_digits()
pixels = torch.tensor(digits.data, dtype=torch.float32).div(16).sub(0.3).mul(2.7)
target = torch.tensor(digits.target)
order = torch.randperm(len(pixels))
train, val = order[:1400], order[1400:]


class RowReader(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.gru = nn.GRU(8, hidden)
        self.out = nn.Linear(hidden, 10)

    def forward(self, x):
        rows = x.view(-1, 8, 8).transpose(0, 1)
        states, _ = self.gru(rows)
        return self.out(states[-1])


net = RowReader()
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)


def accuracy(part):
    net.eval()
    with torch.no_grad():
        hits = (net(pixels[part]).argmax(1) == target[part]).float().mean().item()
    net.train()
    return hits


for epoch in range(14):
    for part in train[torch.randperm(len(train))].split(50):
        loss = nn.functional.cross_entropy(net(pixels[part]), target[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1:2d}  loss {loss.item():.3f}  val {accuracy(val):.3f}")

print(f"METRIC train_acc={accuracy(train):.4f} val_acc={accuracy(val):.4f}")
