import torch
from torch import nn
from torch.nn import functional as F

SIDE = 16


def scans(n, g):
    """Noisy patches with one or two faint spots, and the mask of the spots."""
    yy, xx = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    mask = torch.zeros(n, SIDE, SIDE)
    for i in range(n):
        for _ in range(int(torch.randint(1, 3, (1,), generator=g))):
            cy, cx = torch.randint(2, SIDE - 2, (2,), generator=g)
            mask[i][(yy - cy).abs() + (xx - cx).abs() <= 1] = 1.0
    image = 1.1 * mask + torch.randn(n, SIDE, SIDE, generator=g)
    return image.unsqueeze(1), mask.unsqueeze(1)


class TinySegmenter(nn.Module):
    def __init__(self, ch=12):
        super().__init__()
        self.enc = nn.Conv2d(1, ch, 3, padding=1)
        self.mid = nn.Conv2d(ch, ch, 3, padding=1)
        self.skip = nn.Conv2d(1, ch, 1)
        self.out = nn.Conv2d(ch, 1, 1)

    def forward(self, x):
        h = F.leaky_relu(self.enc(x), 0.1)
        h = F.leaky_relu(self.mid(h) + self.skip(x), 0.1)
        return self.out(h)


def pixel_loss(logits, mask):
    return F.binary_cross_entropy_with_logits(logits, mask)


def evaluate(model, image, mask):
    model.eval()
    with torch.no_grad():
        spot = model(image) > 0
    inside, outside = mask == 1, mask == 0
    pixel_acc = (spot == inside).float().mean().item()
    return pixel_acc, spot[inside].float().mean().item(), (~spot[outside]).float().mean().item()


g = torch.Generator().manual_seed(6)
torch.manual_seed(6)
image, mask = scans(640, g)
image_val, mask_val = scans(160, g)
model = TinySegmenter()
optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)

for epoch in range(8):
    model.train()
    losses = []
    for rows in torch.randperm(len(image)).split(20):
        loss = pixel_loss(model(image[rows]), mask[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    acc, hit, clear = evaluate(model, image_val, mask_val)
    print(f"epoch {epoch} loss {sum(losses) / len(losses):.4f} pixel acc {acc:.4f} spot recall {hit:.3f}")

final = sum(losses) / len(losses)
print(f"METRIC train_loss={final:.4f} pixel_acc={acc:.4f} recall={hit:.4f} balanced_acc={(hit + clear) / 2:.4f}")
