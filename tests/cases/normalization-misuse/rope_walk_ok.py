import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from torch import nn

BATCH = 32


def dense(fan_in, fan_out):
    # same blocks as in the old Keras model
    return nn.Sequential(
        nn.Linear(fan_in, fan_out, bias=False),
        nn.BatchNorm1d(fan_out, eps=1e-3, momentum=0.01),
        nn.ReLU(),
    )


class Tabular(nn.Module):
    def __init__(self, columns, classes, width=48):
        super().__init__()
        self.blocks = nn.Sequential(dense(columns, width), dense(width, width), dense(width, width))
        self.logits = nn.Linear(width, classes)

    def forward(self, x):
        return self.logits(self.blocks(x))


def load():
    x, y = make_classification(
        2019, 16, n_informative=10, n_redundant=2, n_classes=4, n_clusters_per_class=1, class_sep=1.6, flip_y=0, random_state=3
    )
    parts = train_test_split(x, y, test_size=480, random_state=3, stratify=y)
    mean, std = parts[0].mean(0), parts[0].std(0)
    x_train, x_val = (torch.tensor((p - mean) / std, dtype=torch.float32) for p in parts[:2])
    return x_train, x_val, *(torch.tensor(p) for p in parts[2:])


def main():
    torch.manual_seed(3)
    x_train, x_val, y_train, y_val = load()
    model = Tabular(x_train.shape[1], 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    scores = []
    for epoch in range(6):
        model.train()
        losses = []
        for rows in torch.randperm(len(x_train)).split(BATCH):
            loss = nn.functional.cross_entropy(model(x_train[rows]), y_train[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            logits = model(x_val)
            val_loss = nn.functional.cross_entropy(logits, y_val).item()
            scores.append((logits.argmax(1) == y_val).float().mean().item())
        print(f"epoch {epoch} train {np.mean(losses):.4f} val {val_loss:.4f} acc {scores[-1]:.4f}")
    print(f"METRIC train_loss={np.mean(losses):.4f} val_loss={val_loss:.4f} val_acc={scores[-1]:.4f}")


main()
