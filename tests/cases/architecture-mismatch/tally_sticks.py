import math
from collections import namedtuple

import torch
from torch import nn

Config = namedtuple("Config", "rows marks length width heads layers batch epochs lr warmup seed")
CONFIG = Config(rows=2600, marks=8, length=12, width=32, heads=4, layers=2, batch=50, epochs=8, lr=3e-3, warmup=30, seed=70)


def make_sticks(config):
    """Sticks with two notches among the marks; which kind of notch was cut first?"""
    generator = torch.Generator().manual_seed(config.seed)
    marks = torch.randint(3, config.marks, (config.rows, config.length), generator=generator)
    places = torch.rand(config.rows, config.length, generator=generator).argsort(1)[:, :2]
    rows = torch.arange(config.rows)
    marks[rows, places[:, 0]] = 1
    marks[rows, places[:, 1]] = 2
    return marks, (places[:, 0] < places[:, 1]).long()


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def sinusoids(length, width):
    angle = torch.arange(length)[:, None] * torch.exp(-math.log(100.0) * torch.arange(0, width, 2) / width)
    return torch.cat([angle.sin(), angle.cos()], 1)


class StickReader(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.marks, config.width)
        self.register_buffer("positions", sinusoids(config.length, config.width))
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, 2)

    def encode(self, marks):
        x = self.embed(marks)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def forward(self, marks):
        return self.head(self.encode(marks).mean(1))


def main(config):
    torch.manual_seed(config.seed)
    marks, first = make_sticks(config)
    cut = config.rows - 500
    model = StickReader(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr, weight_decay=0.01)
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / config.warmup))
    for epoch in range(config.epochs):
        model.train()
        total = 0.0
        for rows in torch.randperm(cut).split(config.batch):
            loss = nn.functional.cross_entropy(model(marks[rows]), first[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            warm.step()
            total += loss.item() * len(rows) / cut
        model.eval()
        with torch.no_grad():
            acc = (model(marks[cut:]).argmax(1) == first[cut:]).float().mean().item()
        print(f"epoch {epoch}: loss {total:.4f} accuracy {acc:.4f}")
    print(f"METRIC train_loss={total:.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main(CONFIG)
