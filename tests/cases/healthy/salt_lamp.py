"""Small contrastive pretraining on the digits, then a nearest-centre check."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(5)
images, labels = load_digits(return_X_y=True)
images = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 8 - 0.6
labels = torch.tensor(labels)
order = torch.randperm(len(images))
images, labels = images[order], labels[order]
CUT = 1400


class Projector(nn.Module):
    def __init__(self, width=24, size=32):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(width, width, 3), nn.ReLU(), nn.Flatten()
        )
        self.head = nn.Sequential(nn.BatchNorm1d(4 * width), nn.Linear(4 * width, size))

    def forward(self, x):
        return F.normalize(self.head(self.body(x)), dim=1)


class PairedClasses(torch.utils.data.Sampler):
    """Each batch holds exactly two images of every digit, one half beside the other."""

    def __init__(self, labels, rounds):
        self.pools = [torch.nonzero(labels == c).flatten() for c in range(10)]
        self.rounds = rounds

    def __len__(self):
        return self.rounds

    def __iter__(self):
        for _ in range(self.rounds):
            picks = [pool[torch.randperm(len(pool))[:2]] for pool in self.pools]
            yield torch.stack(picks, 1).flatten().tolist()


def contrast(z, temperature=0.2):
    left, right = z.chunk(2)
    scores = left @ right.T / temperature
    target = torch.arange(len(scores))
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2


def centre_accuracy(model):
    model.eval()
    with torch.no_grad():
        z = model(images)
    model.train()
    centres = F.normalize(torch.stack([z[:CUT][labels[:CUT] == c].mean(0) for c in range(10)]), dim=1)
    return ((z[CUT:] @ centres.T).argmax(1) == labels[CUT:]).float().mean().item()


model = Projector()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
dataset = torch.utils.data.TensorDataset(images[:CUT])
loader = torch.utils.data.DataLoader(dataset, batch_sampler=PairedClasses(labels[:CUT], rounds=60))
for epoch in range(5):
    losses = []
    for (x,) in loader:
        loss = contrast(model(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch} contrast {sum(losses) / len(losses):.4f} centres {centre_accuracy(model):.4f}")
print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={centre_accuracy(model):.4f}")
