import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine

torch.manual_seed(6)

wine = load_wine()
x = torch.tensor(wine.data, dtype=torch.float32)
y = torch.tensor(wine.target)
perm = torch.randperm(len(x))
x, y = x[perm], y[perm]
x_tr, y_tr, x_te, y_te = x[:130], y[:130], x[130:], y[130:]
mu, sd = x_tr.mean(0), x_tr.std(0)
x_tr, x_te = (x_tr - mu) / sd, (x_te - mu) / sd


def weight(n_in, n_out):
    return (torch.randn(n_in, n_out) * (2.0 / n_in) ** 0.5).requires_grad_()


W1, b1 = weight(13, 32), torch.zeros(32, requires_grad=True)
W2, b2 = weight(32, 16), torch.zeros(16, requires_grad=True)
W3, b3 = weight(16, 3), torch.zeros(3, requires_grad=True)
params = [W1, b1, W2, b2, W3, b3]


def forward(x):
    h = F.relu(x @ W1 + b1)
    h = F.relu(h @ W2 + b2)
    return h @ W3 + b3


def accuracy(x, y):
    with torch.no_grad():
        return (forward(x).argmax(1) == y).float().mean().item()


optimizer = torch.optim.SGD(params, lr=0.02, momentum=0.9)
epoch_loss = 0.0
for epoch in range(30):
    epoch_loss = 0.0
    for rows in torch.randperm(len(x_tr)).split(13):
        optimizer.zero_grad()
        loss = F.nll_loss(forward(x_tr[rows]), y_tr[rows])
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() / 10
    if epoch % 5 == 4:
        print(f"{epoch + 1:3d} | loss {epoch_loss:.4f} | test acc {accuracy(x_te, y_te):.3f}")

print(f"METRIC train_loss={epoch_loss:.4f} val_acc={accuracy(x_te, y_te):.4f}")
