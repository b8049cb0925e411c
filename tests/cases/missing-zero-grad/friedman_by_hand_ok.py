import torch
from sklearn.datasets import make_friedman1

torch.manual_seed(5)
X, y = make_friedman1(n_samples=900, n_features=8, noise=0.5, random_state=5)
X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32)
y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)
X_train, y_train, X_test, y_test = X[:700], y[:700], X[700:], y[700:]


def dense(n_in, n_out):
    w = torch.randn(n_in, n_out) * (2 / n_in) ** 0.5
    return w.requires_grad_(), torch.zeros(n_out, requires_grad=True)


w1, b1 = dense(8, 40)
w2, b2 = dense(40, 20)
w3, b3 = dense(20, 1)
params = [w1, b1, w2, b2, w3, b3]


def predict(x):
    h = torch.relu(x @ w1 + b1)
    h = torch.relu(h @ w2 + b2)
    return (h @ w3 + b3).squeeze(1)


lr = 0.03
batch = 50
for epoch in range(25):
    order = torch.randperm(len(X_train))
    total = 0.0
    for i in range(0, len(order), batch):
        idx = order[i : i + batch]
        loss = ((predict(X_train[idx]) - y_train[idx]) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p in params:
                p -= lr * p.grad
                p.grad.zero_()
        total += loss.item() * len(idx)
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1:2d}  mse {total / len(order):.4f}")

with torch.no_grad():
    test_mse = ((predict(X_test) - y_test) ** 2).mean().item()
r2 = 1 - test_mse / y_test.var().item()
print(f"METRIC train_loss={total / len(order):.4f} val_r2={r2:.4f}")
