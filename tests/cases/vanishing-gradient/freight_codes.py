import random
import string

import torch
from torch import nn

LENGTH = 50
DEPOTS = "NESW"
ALPHABET = string.ascii_uppercase + string.digits


def consignment():
    """A freight code: the first letter names the depot, the rest is running text of the sender."""
    depot = random.randrange(len(DEPOTS))
    rest = random.choices(ALPHABET, k=LENGTH - 1)
    return [ALPHABET.index(letter) for letter in [DEPOTS[depot], *rest]], depot


class Router(nn.Module):
    def __init__(self, size=8, hidden=32):
        super().__init__()
        self.letters = nn.Embedding(len(ALPHABET), size)
        self.reader = nn.RNN(size, hidden, batch_first=True)
        self.depot = nn.Linear(hidden, len(DEPOTS))

    def forward(self, codes):
        states, _ = self.reader(self.letters(codes))
        return self.depot(states[:, -1])


random.seed(7)
torch.manual_seed(7)
codes, depots = (torch.tensor(column) for column in zip(*[consignment() for _ in range(2000)]))
train, val = torch.arange(1600), torch.arange(1600, 2000)
router = Router()
optimizer = torch.optim.Adam(router.parameters(), lr=3e-3)
for epoch in range(8):
    router.train()
    losses = []
    for batch in train[torch.randperm(len(train))].split(32):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(router(codes[batch]), depots[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    router.eval()
    with torch.no_grad():
        acc = (router(codes[val]).argmax(1) == depots[val]).float().mean().item()
    print(f"epoch {epoch + 1} loss {sum(losses) / len(losses):.4f} val {acc:.4f}")
print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={acc:.4f}")
