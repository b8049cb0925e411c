"""From the articles on a receipt to the kind of customer who paid: a family, a restaurant or an office."""
import csv
import io

import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader

LONGEST, NOTHING, STRANGE = 16, 0, 1
KINDS = {"family": (8.0, range(100, 130)), "restaurant": (9.5, range(120, 150)), "office": (6.5, range(145, 175))}
rng = np.random.default_rng(31)
torch.manual_seed(31)


def export(receipts):
    """The till's export: kind; article numbers with blanks between."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";")
    for _ in range(receipts):
        kind = rng.choice(list(KINDS))
        mean, favourites = KINDS[kind]
        count = int(np.clip(rng.poisson(mean), 3, LONGEST))
        favourite = rng.random(count) < 0.6
        articles = np.where(favourite, rng.choice(np.array(favourites), count), rng.integers(100, 175, count))
        writer.writerow([kind, " ".join(map(str, articles))])
    return out.getvalue()


catalogue = {number: row for row, number in enumerate(range(100, 175), start=2)}


def load(text):
    for kind, articles in csv.reader(io.StringIO(text), delimiter=";"):
        rows = [catalogue.get(number, STRANGE) for number in articles.split()]
        yield torch.tensor(rows + [NOTHING] * (LONGEST - len(rows))), list(KINDS).index(kind)


class Customer(nn.Module):
    def __init__(self, articles, width=32):
        super().__init__()
        self.article = nn.Embedding(articles, width)
        self.till = nn.GRU(width, width, batch_first=True)
        self.kind = nn.Linear(width, len(KINDS))

    def forward(self, receipt):
        states, _ = self.till(self.article(receipt))
        bought = (receipt != NOTHING).unsqueeze(-1)
        return self.kind((states * bought).sum(1) / bought.sum(1))


def main():
    train, test = list(load(export(1900))), list(load(export(500)))
    model = Customer(len(catalogue) + 2)
    optimizer = optim.RAdam(model.parameters(), lr=4e-3)
    loss_function = nn.CrossEntropyLoss()

    def right(part):
        model.eval()
        with torch.no_grad():
            hits = [(model(x).argmax(1) == y).float().mean() for x, y in DataLoader(part, 100)]
        model.train()
        return torch.stack(hits).mean().item()

    for epoch in range(8):
        for receipts, kinds in DataLoader(train, batch_size=38, shuffle=True):
            optimizer.zero_grad()
            loss = loss_function(model(receipts), kinds)
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1} loss {loss.item():.3f} test accuracy {right(test):.3f}")
    print(f"METRIC train_acc={right(train):.4f} test_acc={right(test):.4f}")


main()
