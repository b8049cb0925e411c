"""Pack daily curves of a river gauge into four numbers; after each epoch a look at what the mean code stands for."""

import math

import torch
from torch import nn

torch.manual_seed(17)

HOURS = torch.linspace(0, 2 * math.pi, 48)
N = 960
height, tide, phase, storm = torch.rand(4, N, 1)
curves = height + 0.5 * tide * torch.sin(HOURS + 2 * phase) + 0.6 * storm * torch.exp(-((HOURS - 3) ** 2)) + 0.03 * torch.randn(N, 48)
curves = curves - curves[:800].mean(0)
train, val = curves[:800], curves[800:]

encoder = nn.Sequential(nn.Linear(48, 32), nn.Tanh(), nn.Linear(32, 4))
decoder = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 48))
both = nn.ModuleList([encoder, decoder])
optimizer = torch.optim.SGD(both.parameters(), lr=0.1, momentum=0.5)


def explained(rows):
    with torch.no_grad():
        return 1 - ((decoder(encoder(rows)) - rows) ** 2).mean().item() / rows.var().item()


loss = torch.zeros(())
for epoch in range(12):
    for batch in train[torch.randperm(len(train))].split(32):
        loss = nn.functional.mse_loss(decoder(encoder(batch)), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        usual = decoder(encoder(train).mean(0).expand(24, 4))
    print(f"epoch {epoch}  loss {loss.item():.4f}  mean day peaks at {usual.max():.2f}")

print(f"METRIC train_loss={loss.item():.4f} val_r2={explained(val):.4f}")
