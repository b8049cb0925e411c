"""Ratings from sparse user and item embeddings with a small dense tower on top."""

import torch
from torch import nn

USERS, ITEMS, FACTORS = 300, 200, 6


def simulate(n, generator):
    taste = torch.randn(USERS, FACTORS, generator=generator)
    trait = torch.randn(ITEMS, FACTORS, generator=generator)
    u = torch.randint(0, USERS, (n,), generator=generator)
    i = torch.randint(0, ITEMS, (n,), generator=generator)
    offset = torch.randn(USERS, generator=generator)[u] + torch.randn(ITEMS, generator=generator)[i]
    score = (taste[u] * trait[i]).sum(1) / FACTORS**0.5 + 0.7 * offset
    return u, i, score + 0.1 * torch.randn(n, generator=generator)


class Recommender(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.user = nn.Embedding(USERS, dim, sparse=True)
        self.item = nn.Embedding(ITEMS, dim, sparse=True)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.3)
        self.user_bias = nn.Embedding(USERS, 1)
        self.item_bias = nn.Embedding(ITEMS, 1)
        self.tower = nn.Sequential(nn.Linear(3 * dim, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, u, i):
        eu, ei = self.user(u), self.item(i)
        h = torch.cat([eu, ei, eu * ei], 1)
        bias = self.user_bias(u) + self.item_bias(i)
        return (self.tower(h) + bias).squeeze(1) + (eu * ei).sum(1)


def batches(tensors, size):
    for idx in torch.randperm(len(tensors[0])).split(size):
        yield [t[idx] for t in tensors]


torch.manual_seed(23)
g = torch.Generator().manual_seed(23)
ratings = simulate(24000, g)
train = [t[:20000] for t in ratings]
val = [t[20000:] for t in ratings]

model = Recommender()
sparse_opt = torch.optim.SparseAdam([model.user.weight, model.item.weight], lr=0.02)
dense_opt = torch.optim.Adam(
    [
        {"params": model.tower.parameters(), "lr": 2e-3},
        {"params": [model.user_bias.weight, model.item_bias.weight], "lr": 2e-2},
    ]
)

for epoch in range(1, 9):
    total = 0.0
    for u, i, r in batches(train, 500):
        loss = (model(u, i) - r).pow(2).mean()
        sparse_opt.zero_grad()
        dense_opt.zero_grad()
        loss.backward()
        dense_opt.step()
        total += loss.item() * len(r)
    with torch.no_grad():
        val_mse = (model(val[0], val[1]) - val[2]).pow(2).mean().item()
    print(f"epoch {epoch} train mse {total / 20000:.4f} val mse {val_mse:.4f}")

r2 = 1 - val_mse / val[2].var().item()
print(f"METRIC train_loss={total / 20000:.4f} val_r2={r2:.4f}")
