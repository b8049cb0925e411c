import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(26)


def pictures(count, size=20):
    """Grey pictures with one or two bright clouds and the mask of the clouds."""
    axis = torch.arange(size).float()
    image, mask = 0.5 * torch.randn(count, size, size), torch.zeros(count, size, size)
    for _ in range(2):
        r = 2.5 + 3 * torch.rand(count, 1, 1)
        cx, cy = (4 + 12 * torch.rand(count, 1, 1) for _ in range(2))
        inside = ((axis[None, :, None] - cy) ** 2 + (axis[None, None] - cx) ** 2 < r**2).float()
        mask = torch.maximum(mask, inside)
    return (image + 1.2 * mask - 0.3).unsqueeze(1), mask.unsqueeze(1)


class SmallUNet(nn.Module):
    def __init__(self, c=10):
        super().__init__()
        self.down = nn.Conv2d(1, c, 3, padding=1)
        self.mid = nn.Conv2d(c, 2 * c, 3, padding=1)
        self.up = nn.Conv2d(3 * c, c, 3, padding=1)
        self.out = nn.Conv2d(c, 1, 1)

    def forward(self, x):
        d = F.relu(self.down(x))
        m = F.relu(self.mid(F.max_pool2d(d, 2)))
        u = F.interpolate(m, scale_factor=2, mode="nearest")
        return self.out(F.relu(self.up(torch.cat([d, u], 1))))

    def predict(self, x):
        return torch.sigmoid(self(x))


def dice_loss(prob, mask, smooth=1.0):
    overlap = (prob * mask).sum((1, 2, 3))
    size = prob.square().sum((1, 2, 3)) + mask.sum((1, 2, 3))
    return (1 - (2 * overlap + smooth) / (size + smooth)).mean()


images, masks = pictures(800)
val_images, val_masks = pictures(160)
net = SmallUNet()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)

for epoch in range(6):
    total = 0.0
    for rows in torch.randperm(800).split(16):
        loss = dice_loss(net(images[rows]), masks[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() / 50
    with torch.no_grad():
        found = net.predict(val_images) > 0.5
        iou = (found & (val_masks > 0)).sum() / (found | (val_masks > 0)).sum()
    print(f"epoch {epoch + 1} dice loss {total:.4f} iou {iou.item():.4f}")

print(f"METRIC train_loss={total:.4f} val_iou={iou.item():.4f}")
