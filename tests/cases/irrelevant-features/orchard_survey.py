from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.preprocessing import StandardScaler
from torch import nn

SOIL = ("ph", "clay", "lime", "nitrate", "potash", "moisture", "depth")
SURVEY = tuple(f"answer_{i:03d}" for i in range(300))


@dataclass
class Config:
    columns: tuple = SOIL + SURVEY
    rows: int = 240
    width: int = 48
    batch: int = 24
    lr: float = 0.03
    epochs: int = 30


class Trainer:
    def __init__(self, config, table, variety):
        names = SOIL + SURVEY
        x = table[:, [names.index(column) for column in config.columns]]
        x = StandardScaler().fit(x[: config.rows]).transform(x)
        self.config = config
        self.x, self.y = torch.tensor(x, dtype=torch.float32), torch.tensor(variety)
        self.model = nn.Sequential(
            nn.Linear(len(config.columns), config.width), nn.LayerNorm(config.width), nn.GELU(), nn.Linear(config.width, 3)
        )
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=config.lr, momentum=0.9)

    def epoch(self):
        self.model.train()
        losses = []
        for rows in torch.randperm(self.config.rows).split(self.config.batch):
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(self.x[rows]), self.y[rows])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return np.mean(losses)

    def validate(self):
        self.model.eval()
        with torch.no_grad():
            guess = self.model(self.x[self.config.rows :]).argmax(1)
        return (guess == self.y[self.config.rows :]).float().mean().item()


torch.manual_seed(19)
table, variety = make_classification(
    700, len(SOIL + SURVEY), n_informative=7, n_redundant=0, n_classes=3, n_clusters_per_class=1,
    class_sep=1.5, flip_y=0.0, shuffle=False, random_state=19,
)
order = np.random.default_rng(19).permutation(len(table))
trainer = Trainer(Config(), table[order], variety[order])
for epoch in range(1, trainer.config.epochs + 1):
    loss, accuracy = trainer.epoch(), trainer.validate()
    if epoch % 3 == 0:
        print(f"epoch {epoch} loss {loss:.4f} val {accuracy:.3f}")
print(f"METRIC train_loss={loss:.4f} val_acc={accuracy:.4f}")
