import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FRAMES, BANDS, STATES = 12, 5, 4


def recordings(count):
    """Short band spectra of bearings: each state lifts one band at three of the frames, anywhere in the recording."""
    state = torch.randint(STATES, (count,))
    spectra = torch.randn(count, FRAMES, BANDS) * 0.6
    for row in range(count):
        spectra[row, torch.randperm(FRAMES)[:3], state[row]] += 2.0
    return TensorDataset(spectra, state)


class Watcher(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.embed = nn.Linear(BANDS, width)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(torch.randn(1, FRAMES + 1, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, nhead=4, dim_feedforward=64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)
        self.head = nn.Linear(width, STATES)

    def forward(self, spectra):
        token = self.token.expand(len(spectra), -1, -1)
        x = torch.cat([token, self.embed(spectra)], dim=1) + self.place
        return self.head(self.encoder(x)[:, 0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    args = parser.parse_args()
    torch.manual_seed(8)
    train_set, val_set = recordings(1280), recordings(400)
    loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    model = Watcher(args.width)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 30))
    for epoch in range(args.epochs):
        model.train()
        losses = []
        for spectra, state in loader:
            loss = nn.functional.cross_entropy(model(spectra), state)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            warmup.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            hits = [model(x).argmax(1) == y for x, y in DataLoader(val_set, batch_size=50)]
        accuracy = torch.cat(hits).float().mean().item()
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f}, val {accuracy:.3f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={accuracy:.4f}")


if __name__ == "__main__":
    main()
