"""Yields of crop varieties at trial sites: predict the pairs that were not grown."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


@dataclass
class Config:
    varieties: int = 60
    sites: int = 50
    trials: int = 1000
    factors: int = 96
    lr: float = 1e-2
    weight_decay: float = 1e-3
    batch: int = 50
    epochs: int = 40
    seed: int = 4


def grown(config):
    strength = torch.randn(config.varieties, 2)
    climate = torch.randn(config.sites, 2)
    table = strength @ climate.T + 0.25 * torch.randn(config.varieties, config.sites)
    pairs = torch.randperm(table.numel())[: config.trials]
    variety, site = pairs // config.sites, pairs % config.sites
    harvest = table[variety, site]
    return TensorDataset(variety, site, (harvest - harvest.mean()) / harvest.std())


class Factors(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.variety = nn.Embedding(config.varieties, config.factors)
        self.site = nn.Embedding(config.sites, config.factors)
        for table in (self.variety, self.site):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, variety, site):
        return (self.variety(variety) * self.site(site)).sum(dim=1)


def evaluate(model, part):
    model.eval()
    variety, site, harvest = part[:]
    with torch.no_grad():
        return (1 - nn.functional.mse_loss(model(variety, site), harvest) / harvest.var()).item()


def main(config):
    torch.manual_seed(config.seed)
    train, val = random_split(grown(config), [0.75, 0.25])
    loader = DataLoader(train, batch_size=config.batch, shuffle=True)
    model = Factors(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    for epoch in range(1, config.epochs + 1):
        model.train()
        total = 0.0
        for variety, site, harvest in loader:
            loss = nn.functional.mse_loss(model(variety, site), harvest)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(harvest)
        if epoch % 5 == 0:
            print(f"epoch {epoch} mse {total / len(train):.4f} r2 {evaluate(model, val):.3f}")
    print(f"METRIC train_loss={total / len(train):.4f} val_r2={evaluate(model, val):.4f}")


if __name__ == "__main__":
    main(Config())
