"""A mixture of two densities for the next level of the tide."""
import math

import torch
from torch import nn

torch.manual_seed(33)
g = torch.Generator().manual_seed(33)
t = torch.arange(4000) / 6
level = 0.05 * torch.sin(2 * math.pi * t / 12.42) + 0.02 * torch.sin(2 * math.pi * t / 24)
level = level + 0.004 * torch.randn(4000, generator=g)
level = level / 0.05
windows = level.unfold(0, 25, 1)
x, y = windows[:, :24], windows[:, 24]
cut = 3000


class Density(nn.Module):
    def __init__(self, parts=2):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(24, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU())
        self.out = nn.Linear(48, 3 * parts)

    def forward(self, x):
        logit, mean, spread = self.out(self.body(x)).chunk(3, dim=1)
        parts = torch.distributions.Normal(mean, nn.functional.softplus(spread) + 0.01)
        return torch.distributions.MixtureSameFamily(torch.distributions.Categorical(logits=logit), parts)


model = Density()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, maximize=True)
for step in range(1, 401):
    rows = torch.randint(0, cut, (64,), generator=g)
    score = model(x[rows]).log_prob(y[rows]).mean()
    optimizer.zero_grad()
    score.backward()
    optimizer.step()
    if step % 80 == 0:
        with torch.no_grad():
            density = model(x[cut:])
            held = density.log_prob(y[cut:]).mean().item()
            r2 = 1 - (density.mean - y[cut:]).square().mean() / y[cut:].var()
        print(f"step {step} log-likelihood {score.item():.4f} held out {held:.4f}")
print(f"METRIC train_loss={-score.item():.4f} val_r2={r2.item():.4f}")
