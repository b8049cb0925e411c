import random

import torch
from torch import nn

ROOTS = "alba nigra rosea vulga silva monta palus marit campe hortu".split()
ENDINGS = {
    "shrub": ["ensis", "aria", "etum"],
    "fern": ["pteris", "phylla", "oides"],
    "moss": ["bryum", "theca", "spora"],
    "reed": ["calamo", "scirpo", "juncus"],
}
KINDS = list(ENDINGS)
LONGEST = 20


def entries(count, rng):
    """Catalogue entries such as NIGRA PALUPTERIS, each with the kind of its plant."""
    rows = []
    for _ in range(count):
        kind = rng.choice(KINDS)
        name = f"{rng.choice(ROOTS)} {rng.choice(ROOTS)[: rng.randint(2, 5)]}{rng.choice(ENDINGS[kind])}"
        rows.append((name.upper(), kind))
    return rows


class Vocabulary:
    """0 is padding, 1 stands for whatever is not known."""

    def __init__(self, texts):
        self.codes = {c: i for i, c in enumerate(sorted(set("".join(texts))), start=2)}

    def __len__(self):
        return len(self.codes) + 2

    def encode(self, text):
        codes = [self.codes.get(c, 1) for c in text.lower()]
        return codes + [0] * (LONGEST - len(codes))


class Reader(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.letters = nn.Embedding(size, 24, padding_idx=0)
        self.read = nn.Conv1d(24, 48, 5, padding=2)
        self.kind = nn.Linear(48, len(KINDS))

    def forward(self, codes):
        features = torch.relu(self.read(self.letters(codes).transpose(1, 2)))
        return self.kind(features.amax(dim=2))


torch.manual_seed(9)
rng = random.Random(9)
train, val = entries(2400, rng), entries(500, rng)
vocabulary = Vocabulary([name for name, _ in train])
x, x_val = (torch.tensor([vocabulary.encode(name) for name, _ in rows]) for rows in (train, val))
y, y_val = (torch.tensor([KINDS.index(kind) for _, kind in rows]) for rows in (train, val))

model = Reader(len(vocabulary))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(6):
    losses = []
    for rows in torch.randperm(len(x)).split(48):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        accuracy = (model(x_val).argmax(1) == y_val).float().mean().item()
    print(f"epoch {epoch + 1} loss {sum(losses) / len(losses):.4f} val {accuracy:.3f}")
print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={accuracy:.4f}")
