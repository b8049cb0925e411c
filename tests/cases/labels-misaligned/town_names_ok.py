import random

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

random.seed(7)
torch.manual_seed(7)

PARTS = {
    "north": (["sk", "bj", "hol", "ny", "ves"], ["ar", "or", "al", "en"], ["vik", "by", "stad", "heim"]),
    "west": (["ker", "plou", "tre", "lan", "pen"], ["ga", "mor", "bri", "de"], ["ec", "ac", "enn", "oz"]),
    "south": (["mon", "vil", "cas", "san", "ter"], ["te", "la", "ti", "ra"], ["ro", "no", "ella", "ana"]),
    "east": (["kras", "bel", "nov", "ust", "zel"], ["o", "e", "i", "ya"], ["grad", "sk", "ovo", "insk"]),
}
REGIONS = list(PARTS)
LETTERS = {c: i + 1 for i, c in enumerate("abcdefghijklmnopqrstuvwxyz")}


def name(region):
    first, middle, last = PARTS[region]
    core = "".join(random.choice(middle) for _ in range(random.randint(1, 5)))
    word = random.choice(first) + core + random.choice(last)
    return "".join(c if random.random() > 0.08 else random.choice("aeiorst") for c in word)


def sample(count):
    rows = []
    for _ in range(count):
        region = random.randrange(len(REGIONS))
        rows.append((torch.tensor([LETTERS[c] for c in name(REGIONS[region])]), region))
    return rows


def collate(rows):
    rows = sorted(rows, key=lambda row: len(row[0]), reverse=True)
    words = [word for word, _ in rows]
    regions = torch.tensor([region for _, region in rows])
    lengths = [len(word) for word in words]
    return pad_sequence(words, batch_first=True), lengths, regions


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(27, 16, padding_idx=0)
        self.lstm = nn.LSTM(16, 40, batch_first=True)
        self.region = nn.Linear(40, len(REGIONS))

    def forward(self, words, lengths):
        packed = pack_padded_sequence(self.letters(words), lengths, batch_first=True)
        _, (last, _) = self.lstm(packed)
        return self.region(last[0])


train = DataLoader(sample(1600), batch_size=32, shuffle=True, collate_fn=collate)
val = DataLoader(sample(400), batch_size=50, collate_fn=collate)
reader = Reader()
optimizer = torch.optim.Adam(reader.parameters(), lr=4e-3)

for epoch in range(7):
    total = 0.0
    for words, lengths, regions in train:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(reader(words, lengths), regions)
        loss.backward()
        optimizer.step()
        total += loss.item()
    with torch.no_grad():
        hits = sum((reader(words, lengths).argmax(1) == regions).sum().item() for words, lengths, regions in val)
    print(f"epoch {epoch + 1} loss {total / len(train):.4f} val {hits / 400:.4f}")

print(f"METRIC train_loss={total / len(train):.4f} val_acc={hits / 400:.4f}")
