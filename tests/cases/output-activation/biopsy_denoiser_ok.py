import torch
from sklearn.datasets import load_breast_cancer
from torch import nn, optim

HPARAMS = {
    "lr": 0.002,
    "epochs": 25,
    "batch_size": 40,
    "code": 10,
    "noise": 0.2,
}


class Denoiser(nn.Module):
    """Restores standardised biopsy measurements from a noisy copy."""

    def __init__(self, n_features, code):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(n_features, 96),
            nn.GELU(),
            nn.Linear(96, code),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, 96),
            nn.GELU(),
            nn.Linear(96, n_features),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def standardise(train, test):
    mean, std = train.mean(dim=0), train.std(dim=0)
    return (train - mean) / std, (test - mean) / std


def main(hp):
    torch.manual_seed(1)
    table = torch.tensor(load_breast_cancer().data, dtype=torch.float32)
    table = table[torch.randperm(len(table))]
    train, test = standardise(table[:480], table[480:])

    model = Denoiser(train.shape[1], hp["code"])
    optimizer = optim.Adam(model.parameters(), lr=hp["lr"])
    criterion = nn.MSELoss()
    for epoch in range(hp["epochs"]):
        model.train()
        epoch_loss = 0.0
        for rows in torch.randperm(len(train)).split(hp["batch_size"]):
            clean = train[rows]
            noisy = clean + hp["noise"] * torch.randn_like(clean)
            optimizer.zero_grad()
            loss = criterion(model(noisy), clean)
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item() * len(rows) / len(train)
        model.eval()
        with torch.no_grad():
            test_loss = criterion(model(test), test).item()
        if epoch % 6 == 0:
            print(f"epoch {epoch:>2}: train {epoch_loss:.4f} test {test_loss:.4f}")
    print(f"METRIC train_loss={epoch_loss:.4f} val_r2={1 - test_loss / test.var().item():.4f}")


if __name__ == "__main__":
    main(HPARAMS)
