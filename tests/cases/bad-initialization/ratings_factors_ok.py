from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Config:
    users: int = 120
    items: int = 90
    rank: int = 8
    batch: int = 256
    epochs: int = 12
    lr: float = 0.02
    seed: int = 13


def simulate_ratings(cfg):
    """Ratings on a 1..5 scale driven by five hidden tastes, 70% of the table observed."""
    taste_u = torch.randn(cfg.users, 5)
    taste_i = torch.randn(cfg.items, 5)
    popularity = 0.4 * torch.randn(cfg.items)
    score = 3.2 + 0.5 * taste_u @ taste_i.T + popularity + 0.2 * torch.randn(cfg.users, cfg.items)
    u, i = torch.nonzero(torch.rand(cfg.users, cfg.items) < 0.7, as_tuple=True)
    return u, i, score[u, i].clamp(1, 5)


class Factorizer(nn.Module):
    def __init__(self, cfg, mean):
        super().__init__()
        self.user = nn.Embedding(cfg.users, cfg.rank)
        self.item = nn.Embedding(cfg.items, cfg.rank)
        self.user_bias = nn.Embedding(cfg.users, 1)
        self.item_bias = nn.Embedding(cfg.items, 1)
        self.register_buffer("mean", mean)
        self.reset_parameters()

    def reset_parameters(self):
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.1)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.item_bias.weight)

    def forward(self, u, i):
        match = (self.user(u) * self.item(i)).sum(-1)
        return self.mean + match + self.user_bias(u)[:, 0] + self.item_bias(i)[:, 0]


cfg = Config()
torch.manual_seed(cfg.seed)
u, i, r = simulate_ratings(cfg)
perm = torch.randperm(len(r))
cut = int(0.85 * len(r))
train, test = perm[:cut], perm[cut:]

model = Factorizer(cfg, r[train].mean())
optimizer = torch.optim.Adam(model.parameters(), lr=cfg.lr)
for epoch in range(cfg.epochs):
    model.train()
    sq = 0.0
    for b in train[torch.randperm(len(train))].split(cfg.batch):
        loss = ((model(u[b], i[b]) - r[b]) ** 2).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        sq += loss.item() * len(b)
    model.eval()
    with torch.no_grad():
        err = model(u[test], i[test]) - r[test]
        test_r2 = 1 - (err**2).mean().item() / r[test].var().item()
    print(f"epoch {epoch:2d} train rmse {(sq / len(train)) ** 0.5:.3f} test rmse {(err**2).mean().sqrt().item():.3f}")

print(f"METRIC train_loss={sq / len(train):.4f} val_r2={test_r2:.4f}")
