"""A linear autoencoder recovers the principal subspace; compare with the SVD answer."""

import torch
from sklearn.datasets import load_digits
from torch import nn

COMPONENTS = 8


def explained(x, recon):
    return 1 - (x - recon).square().sum().item() / x.square().sum().item()


def pca_reference(train, test):
    _, _, v = torch.linalg.svd(train, full_matrices=False)
    basis = v[:COMPONENTS].T
    return explained(test, test @ basis @ basis.T)


def main():
    torch.manual_seed(64)
    x = torch.tensor(load_digits().data, dtype=torch.float32)
    x = x[torch.randperm(len(x))]
    x = (x - x[:1440].mean(0)) / 6.0
    train, test = x[:1440], x[1440:]

    encoder = nn.Sequential(nn.Linear(64, 32, bias=False), nn.Linear(32, COMPONENTS, bias=False))
    decoder = nn.Sequential(nn.Linear(COMPONENTS, 32, bias=False), nn.Linear(32, 64, bias=False))
    model = nn.Sequential(encoder, decoder)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.MSELoss()

    for epoch in range(12):
        total = 0.0
        for batch in train[torch.randperm(len(train))].split(48):
            loss = criterion(model(batch), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch) / len(train)
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1} mse {total:.4f}")

    with torch.no_grad():
        got = explained(test, model(test))
    print(f"METRIC train_loss={total:.4f} val_explained={got:.4f} pca_explained={pca_reference(train, test):.4f}")


if __name__ == "__main__":
    main()
