import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(12)
torch.manual_seed(12)

# ratings table: viewer, film, stars
N_USERS, N_FILMS, RANK = 120, 80, 4
taste = rng.normal(size=(N_USERS, RANK))
style = rng.normal(size=(N_FILMS, RANK))
users = rng.integers(0, N_USERS, 7000)
films = rng.integers(0, N_FILMS, 7000)
score = (taste[users] * style[films]).sum(1) / 2 + 0.4 * rng.normal(size=N_FILMS)[films]
stars = np.clip(3.2 + score + 0.15 * rng.normal(size=len(users)), 1, 5)

users, films = torch.from_numpy(users), torch.from_numpy(films)
stars = torch.tensor(stars, dtype=torch.float32)
train, test = slice(0, 6000), slice(6000, None)


class Factorization(nn.Module):
    def __init__(self, n_users, n_films, dim=8):
        super().__init__()
        self.user_factors = nn.Parameter(0.3 * torch.randn(n_users, dim))
        self.film_factors = nn.Parameter(0.3 * torch.randn(n_films, dim))
        self.user_bias = nn.Parameter(torch.zeros(n_users))
        self.film_bias = nn.Parameter(torch.zeros(n_films))
        self.mean = nn.Parameter(stars[train].mean())

    def forward(self, u, f):
        pu = self.user_factors[u]
        qf = self.film_factors[f]
        return self.mean + self.user_bias[u] + self.film_bias[f] + (pu * qf).sum(dim=1)


model = Factorization(N_USERS, N_FILMS)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-4)
u_train, f_train, s_train = users[train], films[train], stars[train]

for epoch in range(1, 7):
    order = torch.randperm(len(s_train))
    total = 0.0
    for i in range(0, len(order), 100):
        idx = order[i:i + 100]
        loss = ((model(u_train[idx], f_train[idx]) - s_train[idx]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    with torch.no_grad():
        rmse = (model(users[test], films[test]) - stars[test]).pow(2).mean().sqrt().item()
    print(f"[{epoch}] train mse {total / len(order):.4f}  test rmse {rmse:.4f}")

r2 = 1 - rmse**2 / stars[test].var().item()
print(f"METRIC train_loss={total / len(order):.4f} test_rmse={rmse:.4f} test_r2={r2:.4f}")
