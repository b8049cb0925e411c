import pydoc_data.topics
import re
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

ALPHABET = " abcdefghijklmnopqrstuvwxyz"


@dataclass
class Config:
    length: int = 20
    width: int = 64
    batch_size: int = 24
    lr: float = 1e-2
    budget: int = 7_500  # windows to be seen in all
    log_every: int = 10
    seed: int = 3


def corpus():
    topics = pydoc_data.topics.topics
    text = " ".join(topics[key] for key in sorted(topics)[:14]).lower()
    text = re.sub(r"[^a-z]+", " ", text)[:40_000]
    return torch.tensor([ALPHABET.index(c) for c in text])


class Windows(Dataset):
    def __init__(self, codes, length):
        self.codes, self.length = codes, length

    def __len__(self):
        return (len(self.codes) - 1) // self.length

    def __getitem__(self, i):
        part = self.codes[i * self.length : (i + 1) * self.length + 1]
        return part[:-1], part[1:]


class Speller(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.embed = nn.Embedding(len(ALPHABET), 24)
        self.gru = nn.GRU(24, width, batch_first=True)
        self.out = nn.Linear(width, len(ALPHABET))

    def forward(self, x):
        return self.out(self.gru(self.embed(x))[0])


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    hits, loss = [], 0.0
    for x, y in loader:
        logits = model(x)
        loss += nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten()).item()
        hits.append((logits.argmax(-1) == y).float().flatten())
    model.train()
    return loss / len(loader), torch.cat(hits).mean().item()


def forever(loader):
    while True:
        yield from loader


def main():
    config = Config()
    torch.manual_seed(config.seed)
    codes = corpus()
    cut = len(codes) * 9 // 10
    train = DataLoader(Windows(codes[:cut], config.length), batch_size=config.batch_size, shuffle=True, drop_last=True)
    val = DataLoader(Windows(codes[cut:], config.length), batch_size=200)
    model = Speller(config.width)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    steps = config.budget // config.batch_size
    print(f"{len(train.dataset)} windows, {steps} steps")
    smooth = None
    for step, (x, y) in enumerate(forever(train), 1):
        loss = nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        smooth = loss.item() if smooth is None else 0.9 * smooth + 0.1 * loss.item()
        if step % config.log_every == 0:
            print(f"step {step} loss {smooth:.4f}")
        if step >= steps:
            break
    val_loss, val_acc = evaluate(model, val)
    print(f"METRIC train_loss={smooth:.4f} val_loss={val_loss:.4f} val_acc={val_acc:.4f}")


if __name__ == "__main__":
    main()
