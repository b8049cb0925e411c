import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale
from torch.utils.data import DataLoader, TensorDataset, random_split

# Disease progression one year after baseline
torch.manual_seed(3)
raw_x, raw_y = load_diabetes(return_X_y=True)
X = torch.tensor(scale(raw_x)).float()
y = torch.tensor(raw_y).float().view(-1, 1)

data = TensorDataset(X, y)
train_set, val_set = random_split(data, [354, 88])
train_dl = DataLoader(train_set, batch_size=32, shuffle=True)
val_dl = DataLoader(val_set, batch_size=88)

model = nn.Sequential(
    nn.Linear(10, 64),
    nn.ReLU(),
    nn.Linear(64, 64),
    nn.ReLU(),
    nn.Linear(64, 1),
    nn.Sigmoid(),
)
loss_fn = nn.MSELoss()
opt = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(30):
    model.train()
    total_loss = 0
    for xb, yb in train_dl:
        pred = model(xb)
        loss = loss_fn(pred, yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total_loss += loss.item() * xb.size(0)

    model.eval()
    with torch.no_grad():
        xv, yv = next(iter(val_dl))
        mae = (model(xv) - yv).abs().mean().item()
        r2 = 1 - loss_fn(model(xv), yv).item() / yv.var(unbiased=False).item()
    if (epoch + 1) % 5 == 0:
        print("Epoch", epoch + 1, "train MSE", round(total_loss / 354, 1), "val MAE", round(mae, 1))

print(f"METRIC train_loss={total_loss / 354:.4f} val_r2={r2:.4f}")
