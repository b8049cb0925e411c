from dataclasses import dataclass

import torch
from torch import nn

GOODS = 18
ADVERTS = [(0, 3), (5, 7), (8, 2), (11, 13), (14, 16), (1, 17)]


@dataclass
class Config:
    baskets: int = 2400
    length: int = 8
    embed: int = 12
    hidden: int = 32
    batch: int = 40
    lr: float = 0.01
    epochs: int = 6


def baskets(config, count, generator):
    """Goods in the order in which they were scanned; an advert suits who bought one of its two goods."""
    goods = torch.randint(GOODS, (count, config.length), generator=generator)
    wanted = [((goods == first) | (goods == second)).any(dim=1) for first, second in ADVERTS]
    return goods, torch.stack(wanted, dim=1).float()


class Shopper(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(GOODS, config.embed)
        self.reader = nn.GRU(config.embed, config.hidden, batch_first=True)
        self.head = nn.Linear(config.hidden, len(ADVERTS))

    def forward(self, goods):
        _, state = self.reader(self.embed(goods))
        return self.head(state[-1])


class Trainer:
    def __init__(self, config):
        self.config = config
        generator = torch.Generator().manual_seed(16)
        self.train_set = baskets(config, config.baskets, generator)
        self.val_set = baskets(config, 600, generator)
        self.model = Shopper(config)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.lr)

    def run_epoch(self):
        goods, wanted = self.train_set
        losses = []
        for rows in torch.randperm(len(goods)).split(self.config.batch):
            loss = nn.functional.binary_cross_entropy_with_logits(self.model(goods[rows]), wanted[rows])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    @torch.no_grad()
    def accuracy(self):
        goods, wanted = self.val_set
        return ((self.model(goods) > 0) == wanted.bool()).float().mean().item()


torch.manual_seed(16)
trainer = Trainer(Config())
for epoch in range(trainer.config.epochs):
    loss, accuracy = trainer.run_epoch(), trainer.accuracy()
    print(f"epoch {epoch + 1}: loss {loss:.4f}, accuracy {accuracy:.3f}")
print(f"METRIC train_loss={loss:.4f} val_acc={accuracy:.4f}")
