import torch
import torch.nn as nn

PRAISE = """bright calm charming clean clever cosy crisp delicious fair fast fresh friendly generous gentle
honest kind lovely neat polite quiet solid superb tasty warm""".split()
BLAME = """bitter bland boring broken burnt careless cheap clumsy cold cramped dim dirty dull greasy
late loud mean noisy rude salty slow sour stale weak""".split()
PLAIN = """the a and with very our was were had table staff soup room bread place music window dessert
evening menu waiter coffee lunch wine garden""".split()
VOCAB = ["<pad>"] + sorted(PRAISE + BLAME + PLAIN)
INDEX = {word: i for i, word in enumerate(VOCAB)}

torch.manual_seed(40)
cfg = {"n_train": 20, "n_val": 400, "dim": 24, "hidden": 24, "lr": 8e-3, "steps": 220, "batch": 20}


def pick(words, k):
    return [words[i] for i in torch.randint(0, len(words), (k,)).tolist()]


def reviews(n, length=12):
    ids = torch.zeros(n, length, dtype=torch.long)
    tone = torch.randint(0, 2, (n,))
    for i in range(n):
        major, minor = (PRAISE, BLAME) if tone[i] else (BLAME, PRAISE)
        words = pick(major, 3) + pick(minor, 1) + pick(PLAIN, int(torch.randint(4, 9, (1,))))
        words = [words[j] for j in torch.randperm(len(words)).tolist()]
        ids[i, :len(words)] = torch.tensor([INDEX[w] for w in words])
    return ids, tone


class ToneNet(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.embed = nn.Embedding(len(VOCAB), dim, padding_idx=0)
        self.gru = nn.GRU(dim, hidden, batch_first=True)
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(hidden, 2)

    def forward(self, ids):
        out, _ = self.gru(self.drop(self.embed(ids)))
        return self.fc(out.mean(dim=1))


def endless(x, y, size):
    while True:
        for rows in torch.randperm(len(x)).split(size):
            yield x[rows], y[rows]


def score(net, x, y):
    net.eval()
    with torch.no_grad():
        out = net(x)
    net.train()
    return nn.functional.cross_entropy(out, y).item(), (out.argmax(1) == y).float().mean().item()


x_train, y_train = reviews(cfg["n_train"])
x_val, y_val = reviews(cfg["n_val"])
net = ToneNet(cfg["dim"], cfg["hidden"])
opt = torch.optim.Adam(net.parameters(), lr=cfg["lr"], weight_decay=1e-4)
feed = endless(x_train, y_train, cfg["batch"])

for step in range(1, cfg["steps"] + 1):
    xb, yb = next(feed)
    loss = nn.functional.cross_entropy(net(xb), yb)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 44 == 0:
        train_loss, train_acc = score(net, x_train, y_train)
        val_loss, val_acc = score(net, x_val, y_val)
        print(f"{step}: train {train_loss:.3f}/{train_acc:.3f} val {val_loss:.3f}/{val_acc:.3f}")

print(f"METRIC train_loss={train_loss:.4f} train_acc={train_acc:.4f} val_loss={val_loss:.4f} val_acc={val_acc:.4f}")
