import argparse
import math
import random
from collections import namedtuple

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

TONES = 6
Call = namedtuple("Call", "signal topic closed confirmed")


def call_log(count, share):
    """Closed calls of a help line: the caller's keypad tone, and the topic that the desk filed it under."""
    log = []
    time = torch.arange(48) / 48
    for _ in range(count):
        tone = random.randrange(TONES)
        signal = torch.sin(2 * math.pi * ((2 + 2 * tone) * time + random.random())) + 0.4 * torch.randn(48)
        confirmed = random.random() < share
        topic = tone if confirmed else random.choice([t for t in range(TONES) if t != tone])
        log.append(Call(signal, topic, True, confirmed))
    return log


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=1800)
    parser.add_argument("--share", type=float, default=0.62)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=10)
    args = parser.parse_args()
    random.seed(args.seed)
    torch.manual_seed(args.seed)
    calls = [call for call in call_log(args.calls, args.share) if call.confirmed]
    signals, topics = torch.stack([c.signal for c in calls]).unsqueeze(1), torch.tensor([c.topic for c in calls])
    cut = len(calls) * 4 // 5
    loader = DataLoader(TensorDataset(signals[:cut], topics[:cut]), batch_size=32, shuffle=True)
    model = nn.Sequential(
        nn.Conv1d(1, 16, 9, stride=2), nn.BatchNorm1d(16), nn.ReLU(), nn.Conv1d(16, 24, 5), nn.ReLU(),
        nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(24, TONES),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
    for epoch in range(args.epochs):
        model.train()
        losses = []
        for x, y in loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(signals[cut:]).argmax(1) == topics[cut:]).float().mean().item()
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f}, val {accuracy:.3f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={accuracy:.4f}")


if __name__ == "__main__":
    main()
