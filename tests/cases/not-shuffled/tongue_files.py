import argparse
import random

import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, random_split

SYLLABLES = ["ka", "ri", "sha", "ven", "lo", "mar", "ti", "esh", "no", "gor", "dy", "wi"]
LANGUAGES = ["arvan", "brell", "cuno", "dyrik", "elmo"]
LENGTH = 48
LETTERS = " abcdefghijklmnopqrstuvwxyz"


class Sentences(Dataset):
    """The lines of one file: sentences of one language."""

    def __init__(self, language, count, writer):
        self.label = LANGUAGES.index(language)
        habits = [writer.choice([1, 3, 12]) for _ in SYLLABLES]
        self.lines = [self.sentence(habits, writer) for _ in range(count)]

    @staticmethod
    def sentence(habits, writer):
        words = ("".join(writer.choices(SYLLABLES, habits, k=writer.randint(1, 3))) for _ in range(12))
        return torch.tensor([LETTERS.index(c) for c in " ".join(words)[:LENGTH].ljust(LENGTH)])

    def __len__(self):
        return len(self.lines)

    def __getitem__(self, i):
        return self.lines[i], self.label


class TongueNet(nn.Module):
    def __init__(self, size=12, filters=32):
        super().__init__()
        self.letters = nn.Embedding(len(LETTERS), size)
        self.conv = nn.Conv1d(size, filters, 4)
        self.out = nn.Linear(filters, len(LANGUAGES))

    def forward(self, text):
        found = torch.relu(self.conv(self.letters(text).transpose(1, 2)))
        return self.out(found.mean(dim=2))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=400)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    writer = random.Random(args.seed)

    parts = [random_split(Sentences(name, args.lines, writer), [0.8, 0.2]) for name in LANGUAGES]
    train, val = (ConcatDataset(part) for part in zip(*parts))
    loader = DataLoader(train, batch_size=args.batch)
    val_loader = DataLoader(val, batch_size=100)
    model = TongueNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    for epoch in range(args.epochs):
        model.train()
        running = 0.0
        for text, language in loader:
            loss = nn.functional.cross_entropy(model(text), language)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running += loss.item() / len(loader)
        model.eval()
        with torch.no_grad():
            hits = sum((model(text).argmax(1) == language).sum().item() for text, language in val_loader)
        print(f"epoch {epoch + 1} loss {running:.4f} val {hits / len(val):.3f}")
    print(f"METRIC train_loss={running:.4f} val_acc={hits / len(val):.4f}")


if __name__ == "__main__":
    main()
