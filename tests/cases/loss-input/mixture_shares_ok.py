import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset


class SpectraMixtures(Dataset):
    """Measured spectra of five-component mixtures with their true proportions."""

    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        axis = torch.linspace(0, 1, 40)
        centres = torch.tensor([0.15, 0.3, 0.5, 0.62, 0.85])
        lines = torch.exp(-((axis - centres[:, None]) ** 2) / 0.006)
        lines = lines + 0.5 * lines.roll(1, 0)
        raw = torch.randn(n, 5, generator=g)
        self.shares = torch.softmax(1.2 * raw, dim=1)
        gain = 0.7 + 0.6 * torch.rand(n, 1, generator=g)
        self.spectra = gain * (self.shares @ lines) + 0.02 * torch.randn(n, 40, generator=g)

    def __len__(self):
        return len(self.shares)

    def __getitem__(self, i):
        return self.spectra[i], self.shares[i]


class ShareNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))

    def forward(self, x):
        return F.softmax(self.net(x), dim=1)


def mean_abs_error(model, loader):
    model.eval()
    with torch.no_grad():
        return torch.cat([(model(x) - s).abs().mean(1) for x, s in loader]).mean().item()


def main():
    torch.manual_seed(40)
    train = DataLoader(SpectraMixtures(1600, 1), batch_size=40, shuffle=True)
    val = DataLoader(SpectraMixtures(300, 2), batch_size=100)
    model = ShareNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(8):
        model.train()
        total = 0.0
        for spectra, shares in train:
            predicted = model(spectra)
            loss = F.kl_div(predicted.log(), shares, reduction="batchmean")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        mae = mean_abs_error(model, val)
        print(f"epoch {epoch}: kl {total / len(train):.4f} val mae {mae:.4f}")
    print(f"METRIC train_loss={total / len(train):.4f} val_mae={mae:.4f}")


if __name__ == "__main__":
    main()
