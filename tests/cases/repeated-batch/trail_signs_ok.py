import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

STEPS = 320


def load():
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor((images - 4.88) / 6.02, dtype=torch.float32).view(-1, 1, 8, 8)
    return random_split(TensorDataset(images, torch.tensor(labels)), [1500, 297])


def batches(loader):
    while True:
        yield from loader


def build():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 48),
        nn.ReLU(),
        nn.Linear(48, 10),
    )


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    right = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    model.train()
    return right / len(loader.dataset)


def main():
    torch.manual_seed(50)
    train_set, val_set = load()
    train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=100)
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9, nesterov=True)
    criterion = nn.CrossEntropyLoss()
    stream = batches(train_loader)
    recent = []
    for step in range(1, STEPS + 1):
        x, y = next(stream)
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recent = [*recent[-39:], loss.item()]
        if step % 40 == 0:
            print(f"step {step} loss {sum(recent) / len(recent):.4f} val {evaluate(model, val_loader):.3f}")
    print(f"METRIC train_loss={sum(recent) / len(recent):.4f} val_acc={evaluate(model, val_loader):.4f}")


if __name__ == "__main__":
    main()
