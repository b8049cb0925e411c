import random
import string

import torch
import torch.nn as nn
import torch.nn.functional as F

KINDS = ("date", "mail", "price", "phone", "word")
ALPHABET = string.ascii_lowercase + string.digits + "@.-+/$"
INDEX = {c: i + 1 for i, c in enumerate(ALPHABET)}
LENGTH = 14


def sample_text(kind, rnd):
    letters = lambda k: "".join(rnd.choices(string.ascii_lowercase, k=k))
    digits = lambda k: "".join(rnd.choices(string.digits, k=k))
    if kind == "date":
        return f"{rnd.randint(1, 28)}{rnd.choice('./-')}{rnd.randint(1, 12)}{rnd.choice('./-')}{digits(4)}"
    if kind == "mail":
        return f"{letters(rnd.randint(2, 5))}@{letters(3)}.{letters(2)}"
    if kind == "price":
        return f"${digits(rnd.randint(1, 4))}.{digits(2)}"
    if kind == "phone":
        return f"+{digits(2)}-{digits(3)}-{digits(4)}"
    return letters(rnd.randint(3, 10))


def encode(text):
    ids = [INDEX[c] for c in text[:LENGTH]]
    return ids + [0] * (LENGTH - len(ids))


def corpus(n, rnd):
    kinds = [rnd.randrange(len(KINDS)) for _ in range(n)]
    texts = [sample_text(KINDS[k], rnd) for k in kinds]
    rnd.shuffle(texts)
    return torch.tensor([encode(t) for t in texts]), torch.tensor(kinds)


class CharClassifier(nn.Module):
    def __init__(self, dim=12, hidden=24):
        super().__init__()
        self.embed = nn.Embedding(len(ALPHABET) + 1, dim, padding_idx=0)
        self.rnn = nn.GRU(dim, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, len(KINDS))

    def forward(self, ids):
        h, _ = self.rnn(self.embed(ids))
        return self.out(h.max(dim=1).values)


def main():
    torch.manual_seed(8)
    rnd = random.Random(8)
    ids, kinds = corpus(1800, rnd)
    train_ids, train_kinds = ids[:1500], kinds[:1500]
    val_ids, val_kinds = ids[1500:], kinds[1500:]
    model = CharClassifier()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.02)
    for epoch in range(4):
        model.train()
        losses = []
        order = torch.randperm(1500)
        for i in range(0, 1500, 30):
            rows = order[i:i + 30]
            optimizer.zero_grad()
            loss = F.cross_entropy(model(train_ids[rows]), train_kinds[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            acc = (model(val_ids).argmax(-1) == val_kinds).float().mean().item()
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f}, held-out accuracy {acc:.3f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main()
