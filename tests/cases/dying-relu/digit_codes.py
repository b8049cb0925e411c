import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
CODE = 5


class AutoEncoder(nn.Module):
    """Squeezes 8x8 digits into a handful of numbers and paints them back."""

    def __init__(self, code_size):
        super().__init__()
        self.enc1 = nn.Linear(64, 48)
        self.enc2 = nn.Linear(48, 24)
        self.code = nn.Linear(24, code_size)
        self.dec1 = nn.Linear(code_size, 32)
        self.dec2 = nn.Linear(32, 64)

    def encode(self, x):
        x = F.relu(self.enc1(x))
        x = F.relu(self.enc2(x))
        return F.relu(self.code(x))

    def decode(self, z):
        return self.dec2(F.relu(self.dec1(z)))

    def forward(self, x):
        return self.decode(self.encode(x))


images = torch.tensor(load_digits().data, dtype=torch.float32) / 16.0
images = images[torch.randperm(len(images))]
train, test = images[:1500], images[1500:]
baseline = F.mse_loss(train.mean(0).expand_as(test), test).item()

ae = AutoEncoder(CODE)
optimizer = torch.optim.Adam(ae.parameters(), lr=6e-3)
for epoch in range(1, 9):
    ae.train()
    total, batches = 0.0, 0
    for b in torch.randperm(len(train)).split(32):
        x = train[b]
        loss = F.mse_loss(ae(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, batches = total + loss.item(), batches + 1
    ae.eval()
    with torch.no_grad():
        val = F.mse_loss(ae(test), test).item()
    print(f"epoch {epoch} recon {total / batches:.5f} test {val:.5f} (mean image {baseline:.5f})")

print(f"METRIC train_loss={total / batches:.4f} val_r2={1 - val / baseline:.4f}")
