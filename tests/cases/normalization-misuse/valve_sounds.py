import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LENGTH = 40
KINDS = 4


def recordings(count):
    """Sounds of four kinds of valve: a hum whose pitch belongs to the kind, in noise."""
    kind = torch.randint(0, KINDS, (count,))
    time = torch.arange(LENGTH) / LENGTH
    pitch = 2.0 + 2.5 * kind + 0.3 * torch.randn(count)
    phase = 2 * math.pi * torch.rand(count, 1)
    sound = torch.sin(2 * math.pi * pitch[:, None] * time + phase) + 0.2 * torch.randn(count, LENGTH)
    return TensorDataset(sound, kind)


class ValveNet(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.norm = nn.LayerNorm((1,))
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, KINDS)

    def forward(self, sound):
        steps = self.norm(sound.unsqueeze(-1))
        _, state = self.gru(steps)
        return self.head(state[-1])


def main():
    torch.manual_seed(15)
    loader = DataLoader(recordings(1600), batch_size=32, shuffle=True)
    val_sound, val_kind = recordings(400).tensors
    net = ValveNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(5):
        net.train()
        total = 0.0
        for sound, kind in loader:
            optimizer.zero_grad()
            loss = criterion(net(sound), kind)
            loss.backward()
            optimizer.step()
            total += loss.item()
        net.eval()
        with torch.no_grad():
            acc = (net(val_sound).argmax(1) == val_kind).float().mean().item()
        print(f"epoch {epoch + 1} loss {total / len(loader):.4f} val {acc:.3f}")
    print(f"METRIC train_loss={total / len(loader):.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main()
