from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    kernel: int = 9
    channels: int = 24
    blocks: int = 2
    lr: float = 0.05
    batch: int = 32
    epochs: int = 6
    seed: int = 18


def calls(count):
    """Four birds: a rising call, a falling one, a trill, and a call that swells."""
    bird = torch.randint(0, 4, (count,))
    time = torch.linspace(0, 1, 64).expand(count, -1)
    start = 3 + 2 * torch.rand(count, 1)
    sweep = 7 + 3 * torch.rand(count, 1)
    rising = start * time + sweep * time**2 / 2
    falling = (start + sweep) * time - sweep * time**2 / 2
    trill = (start + sweep / 2) * time + 0.7 * torch.sin(2 * torch.pi * 3 * time)
    level = (start + sweep / 2) * time
    turns = torch.stack([rising, falling, trill, level])[bird, torch.arange(count)]
    loudness = torch.where(bird[:, None] == 3, 1.5 * time, 1.0)
    wave = loudness * torch.sin(2 * torch.pi * (turns + torch.rand(count, 1)))
    return (wave + 0.15 * torch.randn(count, 64)).unsqueeze(1), bird


class CallNet(nn.Module):
    def __init__(self, config):
        super().__init__()
        layers, inside = [], 1
        for _ in range(config.blocks):
            layers += [
                nn.Conv1d(inside, config.channels, config.kernel, padding="same"),
                nn.BatchNorm1d(config.channels),
                nn.ReLU(),
            ]
            inside = config.channels
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(inside, 4)

    def forward(self, wave):
        return self.head(self.features(wave).mean(dim=2))


class Trainer:
    def __init__(self, config):
        torch.manual_seed(config.seed)
        self.loader = DataLoader(TensorDataset(*calls(1600)), batch_size=config.batch, shuffle=True)
        self.held_out = calls(400)
        self.model = CallNet(config)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=config.lr, momentum=0.9)

    def epoch(self):
        self.model.train()
        losses = []
        for wave, bird in self.loader:
            loss = nn.functional.cross_entropy(self.model(wave), bird)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        wave, bird = self.held_out
        return (self.model(wave).argmax(1) == bird).float().mean().item()


config = Config()
trainer = Trainer(config)
for epoch in range(config.epochs):
    loss, acc = trainer.epoch(), trainer.validate()
    print(f"epoch {epoch + 1} loss {loss:.4f} val {acc:.3f}")
print(f"METRIC train_loss={loss:.4f} val_acc={acc:.4f}")
