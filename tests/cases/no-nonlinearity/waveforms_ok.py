import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SHAPES = ("sine", "square", "saw", "triangle")


def synth(n, gen, length=64):
    t = torch.arange(length) / length
    cycles = 3 + 2 * torch.rand(n, 1, generator=gen)
    offset = torch.rand(n, 1, generator=gen)
    u = (cycles * t + offset) % 1.0
    bank = torch.stack([(2 * math.pi * u).sin(), (u < 0.5) * 2.0 - 1, 2 * u - 1, 4 * (u - 0.5).abs() - 1], dim=1)
    kind = torch.randint(len(SHAPES), (n,), generator=gen)
    wave = bank[torch.arange(n), kind]
    wave = wave / wave.std(dim=1, keepdim=True)
    return (wave + 0.05 * torch.randn(n, length, generator=gen)).unsqueeze(1), kind


def conv_layer(c_in, c_out, kernel):
    return nn.Sequential(
        nn.Conv1d(c_in, c_out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm1d(c_out),
        nn.ReLU(),
    )


def make_model():
    return nn.Sequential(
        conv_layer(1, 24, 7),
        conv_layer(24, 32, 5),
        nn.AvgPool1d(2),
        conv_layer(32, 32, 5),
        nn.AdaptiveAvgPool1d(4),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(128, len(SHAPES)),
    )


def evaluate(model, x, y):
    model.eval()
    with torch.inference_mode():
        return (model(x).argmax(1) == y).float().mean().item()


def train(model, loader, val, epochs, lr):
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for x, y in loader:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        schedule.step()
        acc = evaluate(model, *val)
        print(f"epoch {epoch + 1}/{epochs} loss {total / len(loader):.4f} val acc {acc:.3f}")
    return total / len(loader), acc


gen = torch.Generator().manual_seed(5)
torch.manual_seed(5)
loader = DataLoader(TensorDataset(*synth(1280, gen)), batch_size=32, shuffle=True)
train_loss, val_acc = train(make_model(), loader, synth(400, gen), epochs=5, lr=3e-3)
print(f"METRIC train_loss={train_loss:.4f} val_acc={val_acc:.4f}")
