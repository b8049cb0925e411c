import keyword
import random
import string

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence

random.seed(14)
torch.manual_seed(14)
LETTERS = string.ascii_letters + string.digits + "_"
INDEX = {c: i + 1 for i, c in enumerate(LETTERS)}
WORDS = [w.lower() for w in keyword.kwlist] + "node item value index count total path file name line user cache".split()
STYLES = ["snake", "camel", "pascal", "constant"]


def identifier(style):
    parts = random.choices(WORDS, k=random.randint(2, 3))
    if style == "snake":
        return "_".join(parts)
    if style == "constant":
        return "_".join(parts).upper()
    joined = "".join(p.capitalize() for p in parts)
    return joined if style == "pascal" else parts[0] + joined[len(parts[0]):]


def dataset(n):
    labels = [random.randrange(len(STYLES)) for _ in range(n)]
    names = [identifier(STYLES[k]) for k in labels]
    return [torch.tensor([INDEX[c] for c in name]) for name in names], torch.tensor(labels)


class NameClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS) + 1, 16, padding_idx=0)
        self.conv = nn.Conv1d(16, 32, 3, padding=1)
        self.fc = nn.Linear(32, len(STYLES))

    def forward(self, x):
        h = self.embedding(x).transpose(1, 2)
        h = torch.relu(self.conv(h)).amax(dim=2)
        return self.fc(h)


names, labels = dataset(2000)
val_names, val_labels = dataset(400)
model = NameClassifier()
optimizer = torch.optim.Adagrad(model.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.5, total_iters=6)
criterion = nn.CrossEntropyLoss()

for epoch in range(6):
    order = random.sample(range(len(names)), len(names))
    total = 0.0
    for i in range(0, len(order), 40):
        rows = order[i:i + 40]
        batch = pad_sequence([names[r] for r in rows], batch_first=True)
        optimizer.zero_grad()
        loss = criterion(model(batch), labels[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() / 50
    scheduler.step()
    with torch.no_grad():
        logits = model(pad_sequence(val_names, batch_first=True))
        accuracy = (logits.argmax(1) == val_labels).float().mean().item()
    print(f"epoch {epoch + 1} loss {total:.4f} val accuracy {accuracy:.4f}")
print(f"METRIC train_loss={total:.4f} val_acc={accuracy:.4f}")
