import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(44)

# ten reflectance bands mixed non-linearly into a soil moisture reading
N_BANDS = 10
basis = torch.randn(N_BANDS, 3)


def field_samples(n):
    bands = torch.randn(n, N_BANDS)
    latent = bands @ basis / N_BANDS**0.5
    moisture = torch.sin(2.0 * latent[:, 0]) + latent[:, 1] * latent[:, 2]
    return bands, moisture.unsqueeze(1) + 0.05 * torch.randn(n, 1)


class Block(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.lin = nn.Linear(n_in, n_out)

    def forward(self, x):
        return torch.sigmoid(self.lin(x))


net = nn.Sequential(Block(N_BANDS, 96), Block(96, 48), nn.Linear(48, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
x_eval, y_eval = field_samples(600)
avg = None
for step in range(1, 401):
    x, y = field_samples(96)
    loss = F.mse_loss(net(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    avg = loss.item() if avg is None else 0.96 * avg + 0.04 * loss.item()
    if step % 100 == 0:
        print(f"step {step}: smoothed mse {avg:.4f}")

with torch.no_grad():
    mse = F.mse_loss(net(x_eval), y_eval).item()
print(f"METRIC train_loss={avg:.4f} val_r2={1 - mse / y_eval.var().item():.4f}")
