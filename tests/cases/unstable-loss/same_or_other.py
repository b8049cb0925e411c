import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(21)
bunch = load_digits()
images = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1) / 16 - 0.3
names = torch.tensor(bunch.target)
train_x, train_y, test_x, test_y = images[:1400], names[:1400], images[1400:], names[1400:]


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        )
        self.project = nn.Linear(96, 16)

    def forward(self, x):
        return self.project(self.features(x))


def contrastive(left, right, same, margin=2.0):
    distance = torch.sqrt(((left - right) ** 2).sum(dim=1))
    pull = same * distance**2
    push = (1 - same) * torch.clamp(margin - distance, min=0) ** 2
    return (pull + push).mean()


encoder = Encoder()
optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
running = 0.0
for step in range(1, 321):
    i = torch.randint(0, len(train_x), (96,))
    j = torch.randint(0, len(train_x), (96,))
    j[:40] = torch.stack([torch.nonzero(train_y == train_y[k]).flatten()[step % 100] for k in i[:40]])
    j[40:44] = i[40:44]
    same = (train_y[i] == train_y[j]).float()
    loss = contrastive(encoder(train_x[i]), encoder(train_x[j]), same)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    running = loss.item() if step == 1 else 0.95 * running + 0.05 * loss.item()
    if step % 80 == 0:
        print(f"{step:4d}  {running:.4f}")

encoder.eval()
with torch.no_grad():
    gallery, query = encoder(train_x), encoder(test_x)
    nearest = torch.cdist(torch.nan_to_num(query), torch.nan_to_num(gallery)).argmin(1)
    score = (train_y[nearest] == test_y).float().mean().item()
print(f"METRIC train_loss={running:.4f} val_acc={score:.4f}")
