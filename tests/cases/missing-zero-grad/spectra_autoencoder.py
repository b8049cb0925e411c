"""Compress noisy absorption spectra to four numbers and reconstruct the clean curve."""

import itertools

import torch
import torch.nn as nn
import torch.nn.functional as F

WAVELENGTHS = 60
LATENT = 4


def spectra(n, generator):
    grid = torch.linspace(0, 1, WAVELENGTHS)
    centre = torch.rand(n, 2, 1, generator=generator) * 0.8 + 0.1
    height = torch.rand(n, 2, 1, generator=generator) + 0.3
    clean = (height * torch.exp(-((grid - centre) ** 2) / 0.012)).sum(1)
    noisy = clean + 0.05 * torch.randn(n, WAVELENGTHS, generator=generator)
    return noisy, clean


def mlp(*sizes):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), nn.ELU()]
    return nn.Sequential(*layers[:-1])


def main():
    torch.manual_seed(31)
    g = torch.Generator().manual_seed(31)
    train_x, train_y = spectra(2048, g)
    val_x, val_y = spectra(400, g)

    encoder = mlp(WAVELENGTHS, 64, 32, LATENT)
    decoder = mlp(LATENT, 32, 64, WAVELENGTHS)
    optimizer = torch.optim.Adam(itertools.chain(encoder.parameters(), decoder.parameters()), lr=4e-3)

    baseline = F.mse_loss(train_y.mean(0).expand_as(val_y), val_y).item()
    for epoch in range(12):
        losses = []
        for idx in torch.randperm(len(train_x)).split(64):
            encoder.zero_grad()
            recon = decoder(encoder(train_x[idx]))
            loss = F.mse_loss(recon, train_y[idx])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            val = F.mse_loss(decoder(encoder(val_x)), val_y).item()
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1}: train {sum(losses) / len(losses):.5f} val {val:.5f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.5f} val_r2={1 - val / baseline:.4f}")


if __name__ == "__main__":
    main()
