import math

import torch
from torch import nn

torch.manual_seed(5)
LATENT, BATCH, STEPS = 8, 128, 400


def ring(n):
    angle = 2 * math.pi * torch.rand(n)
    radius = 1.5 + 0.1 * torch.randn(n)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1)


generator = nn.Sequential(
    nn.Linear(LATENT, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 2)
)
critic = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
opt_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
opt_d = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.9))
bce = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)


def radius_error():
    with torch.no_grad():
        r = generator(torch.randn(2000, LATENT)).norm(dim=1)
    return (r - 1.5).abs().mean().item()


start = radius_error()
for step in range(1, STEPS + 1):
    real, fake = ring(BATCH), generator(torch.randn(BATCH, LATENT))

    opt_d.zero_grad()
    loss_d = bce(critic(real), ones) + bce(critic(fake.detach()), zeros)
    loss_d.backward()
    opt_d.step()

    opt_g.zero_grad()
    loss_g = bce(critic(fake), ones)
    loss_g.backward()
    opt_g.step()

    if step % 80 == 0:
        print(f"step {step} d {loss_d.item():.3f} g {loss_g.item():.3f} radius error {radius_error():.3f}")

with torch.no_grad():
    points = generator(torch.randn(4000, LATENT))
    sectors = ((torch.atan2(points[:, 1], points[:, 0]) + math.pi) / (2 * math.pi) * 12).long().clamp(0, 11)
    covered = (torch.bincount(sectors, minlength=12) > 40).sum().item()
print(
    f"METRIC train_loss={loss_g.item():.4f} start_radius_error={start:.3f} "
    f"radius_error={radius_error():.3f} sectors={covered}"
)
