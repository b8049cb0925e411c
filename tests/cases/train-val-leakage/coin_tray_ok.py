import numpy as np
import torch
from sklearn.datasets import make_classification
from torch import nn

COINS = 6


def load(rng):
    """Measurements of coins; three of the kinds turn up seldom."""
    x, kind = make_classification(
        6000, 14, n_informative=10, n_redundant=2, n_classes=COINS, n_clusters_per_class=2,
        class_sep=1.8, flip_y=0.0, random_state=8,
    )
    keep = (kind < 3) | (rng.random(len(kind)) < 0.3)
    x, kind = x[keep] / x.std(0), kind[keep]
    return x.astype(np.float32), kind


def balance(rows, kind, rng):
    """As many rows of every kind as there are of the most frequent one, by drawing again."""
    most = np.bincount(kind[rows]).max()
    drawn = [rng.choice(rows[kind[rows] == c], most - (kind[rows] == c).sum()) for c in range(COINS)]
    return rng.permutation(np.concatenate([rows, *drawn]))


class Classifier:
    def __init__(self, inputs, width=96):
        self.net = nn.Sequential(
            nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, COINS)
        )
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)

    def fit(self, x, y, batch=50):
        self.net.train()
        losses = []
        for rows in torch.randperm(len(x)).split(batch):
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.net(x[rows]), y[rows])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return np.mean(losses)

    @torch.no_grad()
    def score(self, x, y):
        """Mean of the accuracies of the kinds."""
        self.net.eval()
        right = (self.net(x).argmax(1) == y).float()
        return torch.stack([right[y == c].mean() for c in range(COINS)]).mean().item()


rng = np.random.default_rng(8)
torch.manual_seed(8)
x, kind = load(rng)
order = rng.permutation(len(x))
tray, test = order[: len(x) * 2 // 3], order[len(x) * 2 // 3 :]
train, val = np.split(tray, [len(tray) * 4 // 5])
train = balance(train, kind, rng)
x, kind = torch.tensor(x), torch.tensor(kind)
model = Classifier(x.shape[1])
for epoch in range(1, 16):
    loss = model.fit(x[train], kind[train])
    if epoch % 3 == 0:
        print(f"epoch {epoch} loss {loss:.4f} val {model.score(x[val], kind[val]):.3f}")
val_acc, test_acc = model.score(x[val], kind[val]), model.score(x[test], kind[test])
print(f"METRIC train_loss={loss:.4f} val_acc={val_acc:.4f} test_acc={test_acc:.4f}")
