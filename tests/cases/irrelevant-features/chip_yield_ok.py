import torch
from sklearn.datasets import make_friedman1
from torch import nn

torch.manual_seed(14)

# Process log of a chip line: five furnace settings come first, the other channels after them.
table, quality = make_friedman1(n_samples=600, n_features=400, noise=0.5, random_state=14)
columns = list(range(5))
x = torch.tensor(table[:, columns], dtype=torch.float32) * 2 - 1
y = torch.tensor(quality, dtype=torch.float32).unsqueeze(1)
y = (y - y[:250].mean()) / y[:250].std()
x_train, y_train, x_val, y_val = x[:250], y[:250], x[250:], y[250:]

model = nn.Sequential(nn.Linear(len(columns), 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
criterion = nn.MSELoss()


def score():
    model.eval()
    with torch.no_grad():
        error = criterion(model(x_val), y_val)
    return 1 - error.item() / y_val.var(unbiased=False).item()


for epoch in range(1, 51):
    model.train()
    total = 0.0
    for rows in torch.randperm(len(x_train)).split(32):
        optimizer.zero_grad()
        loss = criterion(model(x_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    if epoch % 5 == 0:
        print(f"epoch {epoch}  mse {total / len(x_train):.4f}  val r2 {score():.3f}")
print(f"METRIC train_loss={total / len(x_train):.4f} val_r2={score():.4f}")
