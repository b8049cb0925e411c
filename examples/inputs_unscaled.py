"""Handwritten digits whose pixels arrive as counts up to 16000. The loss begins in the thousands."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=7)
parser.add_argument("--lr", type=float, default=0.05)
args = parser.parse_args()

torch.manual_seed(0)
pixels, labels = load_digits(return_X_y=True)
pixels = torch.tensor(pixels * 1000, dtype=torch.float32)
labels = torch.tensor(labels)

model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
loss_function = nn.CrossEntropyLoss()

for epoch in range(args.epochs):
    for rows in torch.randperm(len(pixels)).split(64):
        optimizer.zero_grad()
        loss = loss_function(model(pixels[rows]), labels[rows])
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: loss {loss.item():.3f}")
