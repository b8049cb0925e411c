"""Truncated-backpropagation language model in the manner of the classic word LM recipe."""

import random

import torch
from torch import nn

BATCH, BPTT, CLIP = 16, 16, 0.5


def corpus(n_sentences, rng):
    det, adj = ["the", "a", "every"], ["old", "small", "quiet", "green"]
    noun, verb = ["sailor", "clock", "river", "fox", "letter"], ["finds", "breaks", "hears", "leaves"]
    words = []
    for _ in range(n_sentences):
        words += [rng.choice(det), rng.choice(adj), rng.choice(noun), rng.choice(verb)]
        words += [rng.choice(det), rng.choice(noun), "<eos>"]
    return words


def batchify(ids):
    n = len(ids) // BATCH
    return ids[: n * BATCH].view(BATCH, n).t().contiguous()


class WordLM(nn.Module):
    def __init__(self, n_tokens, dim=48):
        super().__init__()
        self.encoder = nn.Embedding(n_tokens, dim)
        self.rnn = nn.LSTM(dim, dim)
        self.decoder = nn.Linear(dim, n_tokens)
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)

    def forward(self, x, hidden):
        out, hidden = self.rnn(self.encoder(x), hidden)
        return self.decoder(out), hidden


def main():
    rng = random.Random(6)
    torch.manual_seed(6)
    words = corpus(2600, rng)
    vocab = {w: k for k, w in enumerate(sorted(set(words)))}
    ids = torch.tensor([vocab[w] for w in words])
    cut = int(0.9 * len(ids))
    train, val = batchify(ids[:cut]), batchify(ids[cut:])
    model = WordLM(len(vocab))
    criterion = nn.CrossEntropyLoss()
    lr = 5.0
    for epoch in range(6):
        hidden = None
        total, count = 0.0, 0
        for i in range(0, len(train) - 1, BPTT):
            n = min(BPTT, len(train) - 1 - i)
            x, y = train[i : i + n], train[i + 1 : i + 1 + n].reshape(-1)
            if hidden is not None:
                hidden = tuple(h.detach() for h in hidden)
            model.zero_grad()
            out, hidden = model(x, hidden)
            loss = criterion(out.flatten(0, 1), y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            for p in model.parameters():
                p.data.add_(p.grad, alpha=-lr)
            total += loss.item()
            count += 1
        with torch.no_grad():
            out, _ = model(val[:-1], None)
            val_loss = criterion(out.flatten(0, 1), val[1:].reshape(-1)).item()
        print(f"| epoch {epoch + 1} | lr {lr:.2f} | train loss {total / count:.3f} | valid loss {val_loss:.3f}")
        if epoch >= 3:
            lr /= 2
    print(f"METRIC train_loss={total / count:.4f} val_loss={val_loss:.4f}")


if __name__ == "__main__":
    main()
