import torch
from torch import nn

LETTERS = "abcdefghijklmnopqrstuvwxyz"
KINDS = {"street": "strasse", "square": "platz", "alley": "gasse", "path": "weg", "bank": "ufer"}
MAX_NORM = 0.005


def invent_signs(count):
    """Street names that end like a street, a square, an alley, a path or a bank, as rows of letter codes."""
    endings = list(KINDS.values())
    kinds = torch.randint(len(endings), (count,))
    rows = []
    for kind in kinds:
        stem = "".join(LETTERS[code] for code in torch.randint(26, (12,)))
        rows.append([LETTERS.index(letter) for letter in (stem + endings[kind])[-10:]])
    return torch.tensor(rows), kinds


class SignReader(nn.Module):
    def __init__(self, width=24, hidden=32):
        super().__init__()
        self.embed = nn.Embedding(26, width)
        self.gru = nn.GRU(width, hidden, batch_first=True)
        self.head = nn.Linear(hidden, len(KINDS))

    def forward(self, letters):
        states, _ = self.gru(self.embed(letters))
        return self.head(states.mean(dim=1))


class Trainer:
    def __init__(self, model, lr, momentum):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum, nesterov=True)

    def limit(self):
        grads = [p.grad for p in self.model.parameters()]
        norm = torch.stack([g.norm() for g in grads]).norm()
        if norm > MAX_NORM:
            for g in grads:
                g.mul_(MAX_NORM / norm)

    def step(self, letters, kinds):
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(letters), kinds)
        loss.backward()
        self.limit()
        self.optimizer.step()
        return loss.item()

    def fit(self, letters, kinds, epochs, batch=40):
        for epoch in range(1, epochs + 1):
            losses = [self.step(letters[rows], kinds[rows]) for rows in torch.randperm(len(kinds)).split(batch)]
            yield epoch, sum(losses) / len(losses)

    @torch.no_grad()
    def accuracy(self, letters, kinds):
        return (self.model(letters).argmax(dim=1) == kinds).float().mean().item()


torch.manual_seed(61)
train_set, val_set = invent_signs(2400), invent_signs(400)
trainer = Trainer(SignReader(), lr=0.1, momentum=0.9)
for epoch, loss in trainer.fit(*train_set, epochs=8):
    print(f"epoch {epoch} loss {loss:.4f} accuracy {trainer.accuracy(*val_set):.3f}")
print(f"METRIC train_loss={loss:.4f} val_acc={trainer.accuracy(*val_set):.4f}")
