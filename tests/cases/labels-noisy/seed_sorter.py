import numpy as np
import torch
from sklearn.datasets import make_classification
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

KINDS = 5


def load_records(rng, count):
    """Measured seeds. An expert named the kind of some; for the others the sorting machine put in an entry."""
    size, kind = make_classification(
        count, 16, n_informative=12, n_redundant=0, n_classes=KINDS, n_clusters_per_class=1, class_sep=1.7, flip_y=0, random_state=6
    )
    records = np.zeros(count, dtype=[("size", "f4", 16), ("kind", "i8"), ("by_expert", "?")])
    records["size"] = size / size.std(0)
    records["by_expert"] = rng.random(count) > 0.43
    machine = (kind + rng.integers(1, KINDS, count)) % KINDS
    records["kind"] = np.where(records["by_expert"], kind, machine)
    return records


class Sorter:
    def __init__(self, width):
        self.net = nn.Sequential(
            nn.Linear(16, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, KINDS)
        )
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=2e-3)

    def fit(self, loader, x_val, y_val, epochs):
        for epoch in range(epochs):
            losses = []
            for x, y in loader:
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.net(x), y)
                loss.backward()
                self.optimizer.step()
                losses.append(loss.item())
            with torch.no_grad():
                accuracy = (self.net(x_val).argmax(1) == y_val).float().mean().item()
            print(f"epoch {epoch + 1} loss {np.mean(losses):.4f} val {accuracy:.3f}")
        return np.mean(losses), accuracy


rng = np.random.default_rng(6)
torch.manual_seed(6)
records = load_records(rng, 1100)
train_records, val_records = records[:750], records[750:]
train_records = train_records[rng.permutation(len(train_records))]
val_records = val_records[val_records["by_expert"]]
data = TensorDataset(torch.tensor(train_records["size"].copy()), torch.tensor(train_records["kind"].copy()))
loader = DataLoader(data, batch_size=50, shuffle=True)
sorter = Sorter(width=160)
loss, accuracy = sorter.fit(loader, torch.tensor(val_records["size"].copy()), torch.tensor(val_records["kind"].copy()), epochs=28)
print(f"METRIC train_loss={loss:.4f} val_acc={accuracy:.4f}")
