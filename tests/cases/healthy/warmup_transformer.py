"""Sort short integer sequences with a small encoder under the inverse square root schedule."""

import torch
from torch import nn

VOCAB, LENGTH, DIM, WARMUP, STEPS = 10, 6, 32, 120, 320


class Sorter(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCAB, DIM)
        self.places = nn.Parameter(0.1 * torch.randn(LENGTH, DIM))
        layer = nn.TransformerEncoderLayer(DIM, 4, 64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(DIM, VOCAB)

    def forward(self, x):
        return self.head(self.encoder(self.tokens(x) + self.places))


def schedule(step):
    if step < WARMUP:
        return step / WARMUP
    return (WARMUP / step) ** 0.5


def draw(n):
    x = torch.randint(0, VOCAB, (n, LENGTH))
    return x, x.sort(dim=1).values


def main():
    torch.manual_seed(91)
    model = Sorter()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, betas=(0.9, 0.98), weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    criterion = nn.CrossEntropyLoss()
    average = None
    for step in range(STEPS):
        x, y = draw(48)
        loss = criterion(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        average = loss.item() if average is None else 0.9 * average + 0.1 * loss.item()
        if step % 40 == 0:
            print(f"step {step:3d} lr {scheduler.get_last_lr()[0]:.6f} loss {average:.4f}")
    model.eval()
    with torch.no_grad():
        x, y = draw(500)
        acc = (model(x).argmax(-1) == y).float().mean().item()
    print(f"METRIC train_loss={average:.4f} val_acc={acc:.4f}")


if __name__ == "__main__":
    main()
