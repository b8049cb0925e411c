from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass
class Config:
    codes: int = 2400
    length: int = 6
    embed: int = 10
    hidden: int = 32
    batch: int = 1200
    lr: float = 5e-3
    epochs: int = 12
    seed: int = 29


class Codes(Dataset):
    """Station codes of six letters; the line is told by the halves of the alphabet they are in."""

    def __init__(self, config, count, seed):
        generator = torch.Generator().manual_seed(seed)
        self.letters = torch.randint(len(LETTERS), (count, config.length), generator=generator)
        half = (self.letters >= len(LETTERS) // 2).long()
        self.lines = 2 * (half[:, 0] ^ half[:, 2]) + half[:, 4]

    def __len__(self):
        return len(self.lines)

    def __getitem__(self, index):
        return self.letters[index], self.lines[index]


class LineReader(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(len(LETTERS), config.embed)
        self.lstm = nn.LSTM(config.embed, config.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * config.hidden, 4)

    def forward(self, letters):
        hidden, _ = self.lstm(self.embed(letters))
        return self.head(hidden.mean(dim=1))


class Trainer:
    def __init__(self, config):
        self.config = config
        self.train_loader = DataLoader(Codes(config, config.codes, config.seed), batch_size=config.batch, shuffle=True)
        self.val_loader = DataLoader(Codes(config, 400, config.seed + 1), batch_size=200)
        self.model = LineReader(config)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=config.lr)

    def train_epoch(self):
        self.model.train()
        losses = []
        for letters, lines in self.train_loader:
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(letters), lines)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        hits = [self.model(letters).argmax(1) == lines for letters, lines in self.val_loader]
        return torch.cat(hits).float().mean().item()


if __name__ == "__main__":
    config = Config()
    torch.manual_seed(config.seed)
    trainer = Trainer(config)
    for epoch in range(config.epochs):
        loss, accuracy = trainer.train_epoch(), trainer.validate()
        print(f"epoch {epoch + 1} loss {loss:.4f} accuracy {accuracy:.3f}")
    print(f"METRIC train_loss={loss:.4f} val_acc={accuracy:.4f}")
