import torch
from torch import nn

torch.manual_seed(12)


class BumpLayer(nn.Module):
    """Units that respond to inputs lying near their own centre."""

    def __init__(self, n_features, n_units, radius):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(n_units, n_features))
        self.radius = radius
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.radius - torch.cdist(x, self.centres))


def sensor_frames(n):
    x = torch.randn(n, 8)
    strength = torch.sin(x[:, 0]) + x[:, 1] - 0.3 * x[:, 2] ** 2 + 0.6 * x[:, 3]
    return x, strength + 0.1 * torch.randn(n)


def run_epoch(model, x, y, optimizer=None, batch=50):
    training = optimizer is not None
    order = torch.randperm(len(x)) if training else torch.arange(len(x))
    total = 0.0
    with torch.set_grad_enabled(training):
        for idx in order.split(batch):
            pred = model(x[idx]).squeeze(1)
            loss = (pred - y[idx]).square().mean()
            if training:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item() * len(idx)
    return total / len(x)


x, y = sensor_frames(2000)
x_val, y_val = sensor_frames(500)
y_mean, y_std = y.mean(), y.std()
y, y_val = (y - y_mean) / y_std, (y_val - y_mean) / y_std

model = nn.Sequential(BumpLayer(8, 120, radius=1.5), nn.Linear(120, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(10):
    train_mse = run_epoch(model, x, y, optimizer)
    val_mse = run_epoch(model, x_val, y_val)
    print(f"{epoch:02d} train {train_mse:.4f} val {val_mse:.4f}")
print(f"METRIC train_loss={train_mse:.4f} val_r2={1 - val_mse / y_val.var().item():.4f}")
