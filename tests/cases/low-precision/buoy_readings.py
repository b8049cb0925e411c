import torch
from sklearn.datasets import make_friedman1
from torch import nn

torch.manual_seed(47)
DTYPE = torch.bfloat16

# Readings of moored buoys, scaled to the unit interval, and the temperature of the sea in kelvin.
readings, warmth = make_friedman1(n_samples=2000, n_features=6, noise=0.3, random_state=47)
x = torch.tensor(readings * 3.4 - 1.7, dtype=DTYPE)
kelvin = torch.tensor(287.4 + 0.25 * (warmth - 14.4), dtype=torch.float32).unsqueeze(1)
train, val = torch.randperm(len(x)).split([1600, 400])


class SeaModel(nn.Module):
    def __init__(self, centre, spread, width=48):
        super().__init__()
        self.register_buffer("centre", centre)
        self.register_buffer("spread", spread)
        self.body = nn.Sequential(
            nn.Linear(6, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1)
        )

    def forward(self, x):
        return self.centre + self.spread * self.body(x)


def score(model, rows):
    model.eval()
    with torch.no_grad():
        error = (model(x[rows]).float() - kelvin[rows]).square().mean()
    model.train()
    return (1 - error / kelvin[rows].var()).item()


model = SeaModel(kelvin[train].mean(), kelvin[train].std()).to(DTYPE)
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
for epoch in range(1, 16):
    total = 0.0
    for rows in train[torch.randperm(len(train))].split(40):
        loss = nn.functional.mse_loss(model(x[rows]).float(), kelvin[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    if epoch % 3 == 0:
        print(f"epoch {epoch} mse {total / len(train):.4f} r2 {score(model, val):.3f}")
print(f"METRIC train_loss={total / len(train):.4f} val_r2={score(model, val):.4f}")
