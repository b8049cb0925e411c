import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def surface(uv):
    """Height of a moulded lens with a ripple left by the tool."""
    r2 = uv.pow(2).sum(1)
    return 0.8 * torch.exp(-2 * r2) - 0.3 * r2 + 0.1 * torch.sin(4 * uv[:, 0]) * torch.cos(3 * uv[:, 1])


class SurfaceModel(nn.Module):
    def __init__(self, width=64, depth=3):
        super().__init__()
        layers = [nn.Linear(2, width), nn.SiLU()]
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), nn.SiLU()]
        layers.append(nn.Linear(width, 1))
        self.net = nn.Sequential(*layers)

    def forward(self, uv):
        return self.net(uv)[:, 0]


def make_optimizer(model):
    return torch.optim.RMSprop(model.parameters(), lr=2e-3, alpha=0.95)


def fit(model, train_loader, val, epochs):
    loss_fn = nn.MSELoss()
    optimizer = make_optimizer(model)
    uv_val, z_val = val
    history = []
    for epoch in range(epochs):
        model.train()
        seen, total = 0, 0.0
        for uv, z in train_loader:
            optimizer.zero_grad(set_to_none=True)
            loss = loss_fn(model(uv), z)
            loss.backward()
            optimizer.step()
            seen += len(z)
            total += loss.item() * len(z)
        model.eval()
        with torch.inference_mode():
            history.append(loss_fn(model(uv_val), z_val).item())
        if (epoch + 1) % 2 == 0:
            print(f"epoch {epoch + 1:2d}: train mse {total / seen:.5f}, val mse {history[-1]:.5f}")
    return total / seen, 1 - sum(history[-4:]) / 4 / z_val.var().item()


def main():
    torch.manual_seed(63)
    uv = torch.rand(2500, 2) * 2 - 1
    z = surface(uv)
    z = (z - z.mean()) / z.std() + 0.03 * torch.randn(len(z))
    train_loader = DataLoader(TensorDataset(uv[:2000], z[:2000]), batch_size=64, shuffle=True)
    mse, r2 = fit(SurfaceModel(), train_loader, (uv[2000:], z[2000:]), epochs=12)
    print(f"METRIC train_loss={mse:.4f} val_r2={r2:.4f}")


main()
