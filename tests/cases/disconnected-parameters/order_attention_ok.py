from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Args:
    vocab: int = 24
    length: int = 16
    width: int = 32
    heads: int = 2
    steps: int = 360
    batch: int = 64
    lr: float = 3e-3
    seed: int = 4


def make_events(n, args):
    """Event logs in which codes 0 and 1 occur once each; the label says whether 0 came first."""
    codes = torch.randint(2, args.vocab, (n, args.length))
    places = torch.rand(n, args.length).argsort(1)[:, :2]
    rows = torch.arange(n)
    codes[rows, places[:, 0]] = 0
    codes[rows, places[:, 1]] = 1
    return codes, (places[:, 0] < places[:, 1]).long()


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, h):
        q = self.norm(h)
        attended, _ = self.attention(q, q, q, need_weights=False)
        return h + attended


class EventClassifier(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.code = nn.Embedding(args.vocab, args.width)
        self.place = nn.Embedding(args.length, args.width)
        self.blocks = nn.Sequential(*[Block(args.width, args.heads) for _ in range(2)])
        self.out = nn.Sequential(nn.Linear(args.width, args.width), nn.GELU(), nn.Linear(args.width, 2))

    def forward(self, codes):
        h = self.code(codes) + self.place.weight
        return self.out(self.blocks(h).mean(dim=1))


def main(args):
    torch.manual_seed(args.seed)
    model = EventClassifier(args)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    x, y = make_events(4000, args)
    x_val, y_val = make_events(500, args)
    average = 0.7
    for step in range(1, args.steps + 1):
        pick = torch.randint(0, len(x), (args.batch,))
        loss = F.cross_entropy(model(x[pick]), y[pick])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        average += 0.05 * (loss.item() - average)
        if step % 60 == 0:
            print(f"step {step:4d} loss {average:.4f}")
    model.eval()
    with torch.no_grad():
        acc = (model(x_val).argmax(-1) == y_val).float().mean().item()
    print(f"METRIC train_loss={average:.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main(Args())
