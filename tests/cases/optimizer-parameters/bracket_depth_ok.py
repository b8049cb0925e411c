"""Read a string of brackets and name its deepest nesting level."""

import random

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

VOCAB = {"<pad>": 0, "(": 1, ")": 2, "[": 3, "]": 4}
LEVELS = 5


def sample(rng):
    stack, text, deepest = [], [], 0
    for _ in range(rng.randint(8, 14)):
        if stack and (len(stack) == LEVELS or rng.random() < 0.5):
            text.append(")" if stack.pop() == "(" else "]")
        else:
            stack.append(rng.choice("(["))
            text.append(stack[-1])
            deepest = max(deepest, len(stack))
    return [VOCAB[c] for c in text], deepest - 1


def collate(rows):
    lengths = torch.tensor([len(s) for s, _ in rows])
    ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
    for k, (s, _) in enumerate(rows):
        ids[k, : len(s)] = torch.tensor(s)
    return ids, lengths, torch.tensor([y for _, y in rows])


class DepthReader(nn.Module):
    def __init__(self, dim=12, hidden=32):
        super().__init__()
        self.embed = nn.Embedding(len(VOCAB), dim, padding_idx=0)
        self.encoder = nn.GRU(dim, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, 32), nn.ReLU(), nn.Linear(32, LEVELS))

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        _, h = self.encoder(packed)
        return self.head(h[-1])


def main():
    rng = random.Random(4)
    torch.manual_seed(4)
    train = [sample(rng) for _ in range(2400)]
    val = collate([sample(rng) for _ in range(500)])

    model = DepthReader()
    groups = [
        {"params": model.embed.parameters(), "lr": 3e-3},
        {"params": model.encoder.parameters(), "lr": 8e-3},
        {"params": model.head.parameters(), "lr": 8e-3},
    ]
    opt = torch.optim.Adam(groups)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(7):
        rng.shuffle(train)
        losses = []
        for k in range(0, len(train), 80):
            ids, lengths, y = collate(train[k : k + 80])
            opt.zero_grad()
            loss = loss_fn(model(ids, lengths), y)
            loss.backward()
            opt.step()
            losses.append(loss.item())
        with torch.no_grad():
            ids, lengths, y = val
            acc = (model(ids, lengths).argmax(1) == y).float().mean().item()
        print(f"epoch {epoch + 1} loss {sum(losses) / len(losses):.4f} val acc {acc:.4f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main()
