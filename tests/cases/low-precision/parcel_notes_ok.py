from dataclasses import dataclass

import torch
from torch import nn

CLERKS = 6


@dataclass
class Config:
    notes: int = 3000
    words: int = 90
    length: int = 12
    width: int = 32
    master: torch.dtype = torch.float32
    batch: int = 50
    lr: float = 4e-4
    epochs: int = 16


def draw_notes(config, count, generator):
    """Notes on parcels: a word is used more often by one of the clerks; which clerk wrote the note?"""
    clerk = torch.randint(CLERKS, (count,), generator=generator)
    habit = torch.where(torch.arange(config.words)[None] % CLERKS == torch.arange(CLERKS)[:, None], 8.0, 1.0)
    words = torch.multinomial(habit[clerk], config.length, replacement=True, generator=generator)
    return words, clerk


class ClerkModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.words, config.width)
        self.gate = nn.Linear(config.width, config.width)
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, CLERKS)

    def forward(self, words):
        hidden = self.embed(words)
        hidden = self.norm((hidden * torch.sigmoid(self.gate(hidden))).mean(dim=1))
        return self.head(hidden).float()


class Trainer:
    """Forward and backward in bfloat16; the optimiser holds its own copy of the weights."""

    def __init__(self, config):
        self.config = config
        self.model = ClerkModel(config).to(torch.bfloat16)
        self.weights = list(self.model.parameters())
        self.master = [weight.detach().clone().to(config.master) for weight in self.weights]
        self.optimizer = torch.optim.AdamW(self.master, lr=config.lr, weight_decay=1e-3)

    def step(self, words, clerk):
        loss = nn.functional.cross_entropy(self.model(words), clerk)
        self.model.zero_grad()
        loss.backward()
        for master, weight in zip(self.master, self.weights):
            master.grad = weight.grad.to(master.dtype)
        self.optimizer.step()
        with torch.no_grad():
            for master, weight in zip(self.master, self.weights):
                weight.copy_(master)
        return loss.item()

    @torch.no_grad()
    def accuracy(self, words, clerk):
        return (self.model(words).argmax(dim=1) == clerk).float().mean().item()


config = Config()
torch.manual_seed(58)
generator = torch.Generator().manual_seed(58)
words, clerk = draw_notes(config, config.notes, generator)
held = draw_notes(config, 600, generator)
trainer = Trainer(config)
for epoch in range(1, config.epochs + 1):
    losses = [trainer.step(words[rows], clerk[rows]) for rows in torch.randperm(len(words)).split(config.batch)]
    if epoch % 2 == 0:
        print(f"epoch {epoch} loss {sum(losses) / len(losses):.4f} accuracy {trainer.accuracy(*held):.3f}")
print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={trainer.accuracy(*held):.4f}")
