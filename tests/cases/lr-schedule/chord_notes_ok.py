import math

import torch
from torch import nn
from torch.optim.lr_scheduler import PolynomialLR
from torch.utils.data import DataLoader, TensorDataset

NOTES = torch.tensor([4.0, 6.0, 9.0, 13.0, 17.0])
EPOCHS = 10


def chords(count, generator):
    """Short recordings of chords, and which of the five notes sound in each."""
    played = (torch.rand(count, len(NOTES), generator=generator) < 0.5).float()
    time = torch.arange(64) / 64
    phase = 2 * math.pi * torch.rand(count, len(NOTES), 1, generator=generator)
    tones = torch.sin(2 * math.pi * NOTES[:, None] * time + phase)
    sound = (played[:, :, None] * tones).sum(dim=1) + 0.3 * torch.randn(count, 64, generator=generator)
    return TensorDataset(sound.unsqueeze(1) / 1.3, played)


class Listener:
    def __init__(self, loader):
        self.loader = loader
        self.net = nn.Sequential(
            nn.Conv1d(1, 20, 17, padding=8), nn.ReLU(), nn.MaxPool1d(4),
            nn.Conv1d(20, 32, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool1d(2),
            nn.Flatten(), nn.Linear(64, len(NOTES)),
        )
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.02, momentum=0.9, nesterov=True)
        self.schedule = PolynomialLR(self.optimizer, total_iters=EPOCHS * len(loader), power=0.9)

    def epoch(self):
        self.net.train()
        total = 0.0
        for sound, played in self.loader:
            loss = nn.functional.binary_cross_entropy_with_logits(self.net(sound), played)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            total += loss.item()
        return total / len(self.loader)

    @torch.no_grad()
    def validate(self, sound, played):
        self.net.eval()
        return ((self.net(sound) > 0) == played.bool()).float().mean().item()


torch.manual_seed(40)
generator = torch.Generator().manual_seed(40)
listener = Listener(DataLoader(chords(1440, generator), batch_size=36, shuffle=True))
val = chords(400, generator)
for epoch in range(EPOCHS):
    loss = listener.epoch()
    acc = listener.validate(*val.tensors)
    print(f"epoch {epoch + 1} loss {loss:.4f} val {acc:.3f}")
print(f"METRIC train_loss={loss:.4f} val_acc={acc:.4f}")
