import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


def load(seed=0):
    x, y = load_digits(return_X_y=True)
    x = torch.tensor(x, dtype=torch.float32) / 16
    y = torch.tensor(y)
    p = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    return x[p[:1500]], y[p[:1500]], x[p[1500:]], y[p[1500:]]


def accuracy(net, x, y):
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()


def fit_teacher(teacher, x, y, epochs=4):
    optimizer = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for _ in range(epochs):
        for idx in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            F.cross_entropy(teacher(x[idx]), y[idx]).backward()
            optimizer.step()


def distill(student, teacher, x, epochs=8, temperature=3.0):
    optimizer = torch.optim.Adam(teacher.parameters(), lr=5e-3)
    for epoch in range(epochs):
        total = 0.0
        for idx in torch.randperm(len(x)).split(50):
            with torch.no_grad():
                soft = F.softmax(teacher(x[idx]) / temperature, dim=1)
            log_p = F.log_softmax(student(x[idx]) / temperature, dim=1)
            loss = F.kl_div(log_p, soft, reduction="batchmean") * temperature**2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(idx)
        print(f"distill epoch {epoch + 1} kl {total / len(x):.4f}")
    return total / len(x)


def main():
    torch.manual_seed(40)
    x, y, xv, yv = load()
    teacher = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    student = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    fit_teacher(teacher, x, y)
    print(f"teacher acc {accuracy(teacher, xv, yv):.4f}")
    teacher.eval()
    kl = distill(student, teacher, x)
    print(f"METRIC train_loss={kl:.4f} val_acc={accuracy(student, xv, yv):.4f}")


if __name__ == "__main__":
    main()
