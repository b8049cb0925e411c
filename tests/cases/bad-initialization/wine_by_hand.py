import torch
from sklearn.datasets import load_wine

torch.manual_seed(21)

# two-layer network written out by hand, no nn.Module
features, cultivar = load_wine(return_X_y=True)
x = torch.tensor(features, dtype=torch.float32)
y = torch.tensor(cultivar)
order = torch.randperm(len(x))
train, held_out = order[:130], order[130:]
mu, sd = x[train].mean(0), x[train].std(0)
x = (x - mu) / sd


def make_weight(n_in, n_out):
    w = torch.zeros(n_in, n_out)
    return w.requires_grad_()


def make_bias(n):
    return torch.zeros(n, requires_grad=True)


HIDDEN = 40
params = {
    "w1": make_weight(13, HIDDEN),
    "b1": make_bias(HIDDEN),
    "w2": make_weight(HIDDEN, 3),
    "b2": make_bias(3),
}


def forward(inputs):
    hidden = torch.tanh(inputs @ params["w1"] + params["b1"])
    return hidden @ params["w2"] + params["b2"]


def nll(logits, target):
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    return -log_p[torch.arange(len(target)), target].mean()


optimizer = torch.optim.SGD(params.values(), lr=0.1)
for epoch in range(50):
    total = 0.0
    shuffled = train[torch.randperm(len(train))]
    for rows in shuffled.split(20):
        loss = nll(forward(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    if epoch % 10 == 9:
        with torch.no_grad():
            acc = (forward(x[held_out]).argmax(1) == y[held_out]).float().mean().item()
        print(f"epoch {epoch + 1:3d}  loss {total / len(train):.4f}  held-out accuracy {acc:.3f}")

print(f"METRIC train_loss={total / len(train):.4f} val_acc={acc:.4f}")
