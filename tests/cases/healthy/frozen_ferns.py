import torch
from sklearn.datasets import load_digits
from torch import nn


class RandomFeatures(nn.Module):
    """Cosines of random projections, after Rahimi and Recht; never trained."""

    def __init__(self, columns, count, width):
        super().__init__()
        self.project = nn.Linear(columns, count)
        nn.init.normal_(self.project.weight, std=1 / width)
        nn.init.uniform_(self.project.bias, 0, 6.2832)
        self.project.requires_grad_(False)

    def forward(self, x):
        return (2.0 / self.project.out_features) ** 0.5 * torch.cos(self.project(x))


def main():
    torch.manual_seed(2)
    x, y = (torch.as_tensor(a) for a in load_digits(return_X_y=True))
    x = (x.float() - 4.9) / 6.0
    order = torch.randperm(len(x))
    train, val = order[:1400], order[1400:]
    features = RandomFeatures(64, 1200, width=12.0)
    head = nn.Linear(1200, 10)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    model = nn.Sequential(features, head)
    optimizer = torch.optim.SGD(head.parameters(), lr=10.0, momentum=0.8)
    for epoch in range(14):
        total = 0.0
        for rows in train[torch.randperm(len(train))].split(50):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        with torch.no_grad():
            acc = (model(x[val]).argmax(1) == y[val]).float().mean().item()
        print(f"{epoch + 1:2d} loss {total / 28:.4f} val {acc:.3f}")
    print(f"METRIC train_loss={total / 28:.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main()
