import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    def __init__(self, images, labels, transform=None):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        image = torch.tensor(self.images[i], dtype=torch.float32).unsqueeze(0)
        return (self.transform(image) if self.transform else image), int(self.labels[i])


def to_unit(image):
    return (image / 16 - 0.5) / 0.5


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.fc = nn.Linear(24 * 4, 10)

    def forward(self, x):
        x = F.max_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.max_pool2d(torch.tanh(self.conv2(x)), 2)
        return self.fc(x.flatten(1))


def main():
    torch.manual_seed(21)
    bunch = load_digits()
    images, labels = bunch.images, bunch.target
    order = torch.randperm(len(labels)).numpy()
    used, held = order[:1400], order[1400:]
    train_loader = DataLoader(Digits(images[used], labels[used], transform=to_unit), batch_size=50, shuffle=True)
    val_loader = DataLoader(Digits(images[held], labels[held], transform=to_unit), batch_size=100)
    model = Reader()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(10):
        model.train()
        total = 0.0
        for x, y in train_loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            hits = torch.cat([model(x).argmax(1) == y for x, y in val_loader])
        accuracy = hits.float().mean().item()
        print(f"epoch {epoch}: loss {total / len(train_loader):.4f}, validation {accuracy:.3f}")
    print(f"METRIC train_loss={total / len(train_loader):.4f} val_acc={accuracy:.4f}")


if __name__ == "__main__":
    main()
