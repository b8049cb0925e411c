import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(61)
pixels, digit = (torch.as_tensor(part) for part in load_digits(return_X_y=True))
pixels = (pixels.float() - 4.9) / 6.0
rows = pixels.view(-1, 8, 8)
order = torch.randperm(len(rows))
train, val = order[:1450], order[1450:]


class RowReader(nn.Module):
    """Reads an image row by row."""

    def __init__(self, width=96):
        super().__init__()
        self.thin = nn.Dropout(0.3)
        self.reader = nn.GRU(8, width, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(width, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10))

    def forward(self, x):
        _, last = self.reader(self.thin(x))
        return self.head(last[0])


def accuracy(model, index):
    with torch.no_grad():
        return (model(rows[index]).argmax(dim=1) == digit[index]).float().mean().item()


model = RowReader()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
for epoch in range(1, 11):
    model.train()
    losses = []
    for index in train[torch.randperm(len(train))].split(40):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(rows[index]), digit[index])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: loss {sum(losses) / len(losses):.4f}, val accuracy {accuracy(model, val):.3f}")
print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={accuracy(model, val):.4f}")
