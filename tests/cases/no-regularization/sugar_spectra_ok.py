import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def fruit(count, channels, substances=8):
    """Absorption spectra of fruit, a mixture of what is in it plus the detector's noise, and the sugar found by titration."""
    profile = torch.randn(substances, channels)
    content = torch.randn(count, substances)
    spectrum = content @ profile / substances**0.5 + torch.randn(count, channels)
    sugar = content @ torch.randn(substances)
    sugar = sugar / sugar.std() + 0.2 * torch.randn(count)
    return spectrum / spectrum.std(), ((sugar - sugar.mean()) / sugar.std()).unsqueeze(1)


def evaluate(model, spectrum, sugar):
    model.eval()
    with torch.no_grad():
        loss = nn.functional.mse_loss(model(spectrum), sugar).item()
    return loss, 1 - loss / sugar.var().item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--channels", type=int, default=600)
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--batch", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=70)
    args = parser.parse_args()

    torch.manual_seed(4)
    spectrum, sugar = fruit(1250, args.channels)
    train = spectrum[:750], sugar[:750]
    val = spectrum[750:], sugar[750:]
    loader = DataLoader(TensorDataset(*train), batch_size=args.batch, shuffle=True)
    model = nn.Sequential(nn.Dropout(args.dropout), nn.Linear(args.channels, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    for epoch in range(1, args.epochs + 1):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
        (fit_loss, fit), (val_loss, r2) = evaluate(model, *train), evaluate(model, *val)
        if epoch % 5 == 0:
            print(f"epoch {epoch} train {fit_loss:.4f} {fit:.3f} val {val_loss:.4f} {r2:.3f}")
    print(f"METRIC train_loss={fit_loss:.4f} train_r2={fit:.4f} val_loss={val_loss:.4f} val_r2={r2:.4f}")


if __name__ == "__main__":
    main()
