import random

import torch
import torch.nn as nn

random.seed(31)
torch.manual_seed(31)

KEYWORDS = {
    "billing": ["invoice", "charge", "refund", "card", "price", "receipt"],
    "login": ["password", "account", "locked", "email", "token", "session"],
    "mobile": ["android", "iphone", "app", "screen", "battery", "swipe"],
    "network": ["timeout", "slow", "offline", "proxy", "latency", "vpn"],
    "export": ["csv", "report", "download", "pdf", "column", "sheet"],
    "bug": ["crash", "error", "broken", "freeze", "blank", "wrong"],
}
FILLER = "please help the my since when today again still team customer using page new old user thanks hi".split()
TAGS = list(KEYWORDS)
VOCAB = {w: i for i, w in enumerate(FILLER + sum(KEYWORDS.values(), []))}


def make_ticket():
    tags = random.sample(range(len(TAGS)), random.choice([0, 1, 1, 2, 2, 3]))
    words = random.choices(FILLER, k=random.randint(6, 12))
    for t in tags:
        words += random.choices(KEYWORDS[TAGS[t]], k=random.randint(1, 3))
    random.shuffle(words)
    target = torch.zeros(len(TAGS))
    target[tags] = 1.0
    return [VOCAB[w] for w in words], target


def collate(tickets):
    flat = torch.tensor([i for ids, _ in tickets for i in ids])
    starts = torch.tensor([0] + [len(ids) for ids, _ in tickets[:-1]]).cumsum(0)
    return flat, starts, torch.stack([t for _, t in tickets])


class Tagger(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.bag = nn.EmbeddingBag(len(VOCAB), dim, mode="sum")
        self.fc = nn.Sequential(nn.ReLU(), nn.Linear(dim, 32), nn.ReLU(), nn.Linear(32, len(TAGS)))

    def forward(self, flat, starts):
        return self.fc(self.bag(flat, starts))


def micro_f1(model, tickets):
    flat, starts, target = collate(tickets)
    with torch.no_grad():
        hit = torch.sigmoid(model(flat, starts)) > 0.5
    tp = (hit & (target > 0)).sum().item()
    return 2 * tp / max(1, hit.sum().item() + int(target.sum()))


train = [make_ticket() for _ in range(2400)]
val = [make_ticket() for _ in range(400)]
model = Tagger()
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)

for epoch in range(6):
    random.shuffle(train)
    total = 0.0
    for i in range(0, len(train), 48):
        flat, starts, target = collate(train[i:i + 48])
        loss = loss_fn(model(flat, starts), target)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() / 50
    f1 = micro_f1(model, val)
    print(f"epoch {epoch}: loss {total:.4f}  val micro-F1 {f1:.3f}")
print(f"METRIC train_loss={total:.4f} val_f1={f1:.4f}")
