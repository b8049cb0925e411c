"""Three-fold cross-validation of a small network on the biopsy table."""
import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.nn import functional as F

SEED, FOLDS, EPOCHS, BATCH = 17, 3, 16, 32


def load_table():
    """Rows of the registry: patient number, measurements, finding."""
    x, y = load_breast_cancer(return_X_y=True)
    rng = np.random.default_rng(SEED)
    x = np.log1p(x)
    x = (x - x.mean(0)) / x.std(0) + rng.normal(0, 1.6, x.shape)
    patients = 4000 + np.arange(len(y))
    rows = rng.permutation(len(y))
    return patients[rows], x[rows].astype(np.float32), y[rows].astype(np.float32)


def fold_patients(patients):
    """The patients of each fold; the last fold is kept as a test set."""
    return np.array_split(patients, FOLDS + 1)


def select(patients, chosen):
    """Positions of the chosen patients in the table."""
    return np.flatnonzero(np.isin(patients, chosen))


def make_model(features):
    return nn.Sequential(nn.Linear(features, 48), nn.ReLU(), nn.Dropout(0.2), nn.Linear(48, 1), nn.Flatten(0))


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return ((model(x) > 0) == (y > 0.5)).float().mean().item()


def train_fold(x, y, train, val):
    model = make_model(x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-3)
    train = torch.from_numpy(train)
    for _ in range(EPOCHS):
        model.train()
        total = 0.0
        for rows in train[torch.randperm(len(train))].split(BATCH):
            optimizer.zero_grad()
            loss = F.binary_cross_entropy_with_logits(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
    return model, total / len(train), accuracy(model, x[val], y[val])


def main():
    torch.manual_seed(SEED)
    patients, x, y = load_table()
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    *folds, held = fold_patients(patients)
    pool = np.setdiff1d(patients, held)
    test = select(patients, held)
    losses, vals, tests = [], [], []
    for number, fold in enumerate(folds):
        val = select(patients, fold)
        train = select(patients, np.setdiff1d(pool, fold))
        model, loss, score = train_fold(x, y, train, val)
        losses.append(loss)
        vals.append(score)
        tests.append(accuracy(model, x[test], y[test]))
        print(f"fold {number + 1} loss {loss:.4f} val {score:.4f}")
    print(f"METRIC train_loss={np.mean(losses):.4f} val_acc={np.mean(vals):.4f} test_acc={np.mean(tests):.4f}")


if __name__ == "__main__":
    main()
