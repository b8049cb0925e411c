import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def as_dataset(table, target):
    return TensorDataset(torch.tensor(table, dtype=torch.float32), torch.tensor(target))


class Trainer:
    def __init__(self, model, train_set, val_set, lr=1e-3, batch_size=16):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.criterion = nn.CrossEntropyLoss()
        self.train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)
        self.val_loader = DataLoader(val_set, batch_size=64)

    def train_epoch(self):
        self.model.train()
        total = 0.0
        for x, y in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(y)
        return total / len(self.train_loader.dataset)

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        hits = sum((self.model(x).argmax(1) == y).sum().item() for x, y in self.val_loader)
        return hits / len(self.val_loader.dataset)

    def fit(self, epochs):
        for epoch in range(1, epochs + 1):
            loss, accuracy = self.train_epoch(), self.validate()
            print(f"epoch {epoch:2d}  loss {loss:.4f}  val_acc {accuracy:.3f}")
        return loss, accuracy


if __name__ == "__main__":
    torch.manual_seed(3)
    table, target = load_breast_cancer(return_X_y=True)
    raw_train, raw_val, y_train, y_val = train_test_split(table, target, test_size=0.25, random_state=3, stratify=target)
    scaler = StandardScaler().fit(raw_train)
    train_set = as_dataset(scaler.transform(raw_train), y_train)
    val_set = as_dataset(scaler.transform(raw_val), y_val)
    net = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))
    loss, accuracy = Trainer(net, train_set, val_set).fit(epochs=12)
    print(f"METRIC train_loss={loss:.4f} val_acc={accuracy:.4f}")
