import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

GLYPHS = {
    "cross": ["..#..", "..#..", "#####", "..#..", "..#.."],
    "box": ["#####", "#...#", "#...#", "#...#", "#####"],
    "tee": ["#####", "..#..", "..#..", "..#..", "..#.."],
    "ell": ["#....", "#....", "#....", "#....", "#####"],
    "ex": ["#...#", ".#.#.", "..#..", ".#.#.", "#...#"],
    "zed": ["#####", "...#.", "..#..", ".#...", "#####"],
}
STAMPS = torch.tensor([[[float(c == "#") for c in row] for row in rows] for rows in GLYPHS.values()])
FIELD = 12


class GlyphImages(Dataset):
    """Glyphs stamped anywhere on a small noisy canvas (it wraps around)."""

    def __init__(self, n, seed, augment=False):
        g = torch.Generator().manual_seed(seed)
        self.y = torch.arange(n) % len(STAMPS)
        self.x = 0.25 * torch.randn(n, 1, FIELD, FIELD, generator=g)
        for i, kind in enumerate(self.y.tolist()):
            self.x[i, 0, :5, :5] += STAMPS[kind]
            dy, dx = torch.randint(0, FIELD, (2,), generator=g).tolist()
            self.x[i] = torch.roll(self.x[i], (dy, dx), dims=(1, 2))
        self.augment = augment

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        x = self.x[i]
        if self.augment:
            dy, dx = torch.randint(0, FIELD, (2,)).tolist()
            x = torch.roll(x, (dy, dx), dims=(1, 2)) + 0.2 * torch.randn_like(x)
        return x, self.y[i]


class GlyphNet(nn.Module):
    def __init__(self, ch=16):
        super().__init__()
        self.conv = nn.Conv2d(1, ch, 5, padding=2, padding_mode="circular")
        self.mix = nn.Conv2d(ch, ch, 3, padding=1, padding_mode="circular")
        self.pool = nn.MaxPool2d(3)
        self.drop = nn.Dropout(0.1)
        self.fc = nn.Linear(ch * 16, len(STAMPS))

    def forward(self, x):
        h = torch.relu(self.conv(x))
        h = self.pool(torch.relu(self.mix(h)))
        return self.fc(self.drop(h.flatten(1)))


def evaluate(model, data):
    model.eval()
    with torch.no_grad():
        out = model(data.x)
    loss = nn.functional.cross_entropy(out, data.y).item()
    return loss, (out.argmax(1) == data.y).float().mean().item()


torch.manual_seed(77)
train, val = GlyphImages(90, 77, augment=True), GlyphImages(480, 78)
loader = DataLoader(train, batch_size=18, shuffle=True)
model = GlyphNet()
opt = torch.optim.RMSprop(model.parameters(), lr=2e-3, weight_decay=1e-4)
for epoch in range(80):
    model.train()
    total = 0.0
    for x, y in loader:
        loss = nn.functional.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() / len(loader)
    if epoch % 10 == 9:
        val_loss, val_acc = evaluate(model, val)
        print(f"epoch {epoch + 1} train {total:.4f} val {val_loss:.4f} acc {val_acc:.3f}")
print(f"METRIC train_loss={total:.4f} val_loss={val_loss:.4f} val_acc={val_acc:.4f}")
