"""Which digit was written? Three matrices and a velocity for each, trained without an optimiser."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

RATE, KEEP, BATCH, EPOCHS = 0.02, 0.8, 40, 12


def fetch(generator):
    images, digits = load_digits(return_X_y=True)
    x, y = torch.tensor(images / 16.0 - 0.5, dtype=torch.float32), torch.tensor(digits)
    order = torch.randperm(len(x), generator=generator)
    x, y = x[order], y[order]
    return (x[:1400], y[:1400]), (x[1400:], y[1400:])


def build(generator):
    def matrix(n, m):
        return (torch.randn(n, m, generator=generator) * (2 / n) ** 0.5).requires_grad_()

    net = {"inner": matrix(64, 48), "middle": matrix(48, 24), "outer": matrix(24, 10)}
    return net, {name: torch.zeros_like(w) for name, w in net.items()}


def scores(net, x):
    return F.elu(F.elu(x @ net["inner"]) @ net["middle"]) @ net["outer"]


def push(net, speed, loss):
    slopes = dict(zip(net, torch.autograd.grad(loss, list(net.values()))))
    speed["inner"].mul_(KEEP).sub_(slopes["inner"], alpha=RATE)
    speed["middle"].mul_(KEEP).add_(slopes["middle"], alpha=RATE)
    speed["outer"].mul_(KEEP).sub_(slopes["outer"], alpha=RATE)
    with torch.no_grad():
        for name, weight in net.items():
            weight += speed[name]


def main():
    generator = torch.Generator().manual_seed(5)
    (x, y), (vx, vy) = fetch(generator)
    net, speed = build(generator)
    for epoch in range(EPOCHS):
        for rows in torch.randperm(len(x), generator=generator).split(BATCH):
            push(net, speed, F.cross_entropy(scores(net, x[rows]), y[rows]))
        with torch.no_grad():
            print(epoch, F.cross_entropy(scores(net, x), y).item())
    with torch.no_grad():
        train, right = F.cross_entropy(scores(net, x), y), (scores(net, vx).argmax(1) == vy).float().mean()
    print(f"METRIC train_loss={train:.4f} val_acc={right:.4f}")


if __name__ == "__main__":
    main()
