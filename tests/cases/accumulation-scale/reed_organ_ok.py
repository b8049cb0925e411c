import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def melodies(count, length=10):
    kind = torch.arange(count) % 4
    time = torch.arange(length).float()
    rate = torch.tensor([0.25, 0.5, 0.9, 1.5])[kind]
    tone = torch.sin(rate[:, None] * time + 6.28 * torch.rand(count, 1))
    return (tone + 0.2 * torch.randn(count, length)).unsqueeze(-1), kind


class Listener(nn.Module):
    def __init__(self, hidden, classes):
        super().__init__()
        self.rnn = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x):
        states, _ = self.rnn(x)
        return self.head(states.mean(1))


def main(args):
    torch.manual_seed(args.seed)
    train, val = random_split(TensorDataset(*melodies(1280)), [1024, 256])
    loader = DataLoader(train, batch_size=args.batch, shuffle=True)
    model = Listener(24, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, nesterov=True)
    x_val, y_val = val[:]
    for epoch in range(args.epochs):
        seen = 0.0
        for i, (x, y) in enumerate(loader, start=1):
            loss = nn.functional.cross_entropy(model(x), y)
            loss.div(args.accumulate).backward()
            seen += loss.item()
            if i % args.accumulate == 0 or i == len(loader):
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            acc = (model(x_val).argmax(1) == y_val).float().mean().item()
        if epoch % 2 == 1:
            print(f"epoch {epoch + 1} loss {seen / len(loader):.4f} val {acc:.3f}")
    print(f"METRIC train_loss={seen / len(loader):.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--accumulate", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=4)
    main(parser.parse_args())
