import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def build_net(sizes, activation):
    layers = []
    for a, b in zip(sizes[:-2], sizes[1:-1]):
        layers += [nn.Linear(a, b), activation()]
    layers.append(nn.Linear(sizes[-2], sizes[-1]))
    return nn.Sequential(*layers)


class Trainer:
    def __init__(self, model, optimizer, train_loader, val_loader):
        self.model = model
        self.optimizer = optimizer
        self.train_loader = train_loader
        self.val_loader = val_loader
        self.criterion = nn.BCEWithLogitsLoss()
        self.history = []

    def train_epoch(self):
        self.model.train()
        total = 0.0
        for x, y in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x).squeeze(1), y)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(y)
        return total / len(self.train_loader.dataset)

    def validate(self):
        self.model.eval()
        hits = 0
        with torch.no_grad():
            for x, y in self.val_loader:
                hits += ((self.model(x).squeeze(1) > 0) == y.bool()).sum().item()
        return hits / len(self.val_loader.dataset)

    def fit(self, epochs):
        for epoch in range(1, epochs + 1):
            self.history.append((self.train_epoch(), self.validate()))
            if epoch % 5 == 0:
                print("epoch {:2d}: loss {:.4f}, val acc {:.4f}".format(epoch, *self.history[-1]))


def to_dataset(x, y):
    return TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32))


def main():
    torch.manual_seed(8)
    x, y = load_breast_cancer(return_X_y=True)
    x_tr, x_va, y_tr, y_va = train_test_split(x, y, test_size=0.2, stratify=y, random_state=8)
    scaler = StandardScaler().fit(x_tr)
    train_loader = DataLoader(to_dataset(scaler.transform(x_tr), y_tr), batch_size=24, shuffle=True)
    val_loader = DataLoader(to_dataset(scaler.transform(x_va), y_va), batch_size=128)

    model = build_net([30, 64, 64, 48, 32, 32, 1], activation=nn.Sigmoid)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    trainer = Trainer(model, optimizer, train_loader, val_loader)
    trainer.fit(epochs=15)
    train_loss, val_acc = trainer.history[-1]
    print(f"METRIC train_loss={train_loss:.4f} val_acc={val_acc:.4f}")


if __name__ == "__main__":
    main()
