import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(31)
digits = load_digits()
pixels = torch.tensor(digits.data, dtype=torch.float32) / 8.0 - 1.0
target = torch.tensor(digits.target)
shuffled = torch.randperm(len(pixels))
fit, held = shuffled[:1400], shuffled[1400:]

CODE = 1
reader = nn.Sequential(
    nn.Linear(64, 96),
    nn.LeakyReLU(),
    nn.Linear(96, CODE),
    nn.LeakyReLU(),
    nn.Linear(CODE, 10),
)
optimizer = torch.optim.Adam(reader.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

for epoch in range(1, 13):
    reader.train()
    running = 0.0
    for rows in fit[torch.randperm(len(fit))].split(35):
        optimizer.zero_grad()
        loss = criterion(reader(pixels[rows]), target[rows])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(rows)
    reader.eval()
    with torch.no_grad():
        accuracy = (reader(pixels[held]).argmax(1) == target[held]).float().mean().item()
    print(f"epoch {epoch:2d}  loss {running / len(fit):.4f}  accuracy {accuracy:.3f}")

print(f"METRIC train_loss={running / len(fit):.4f} val_acc={accuracy:.4f}")
