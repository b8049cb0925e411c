import numpy as np
import torch
from torch import nn

SAMPLES = 30
STEPS = 450
BATCH = 20


def bench(n, seed):
    """Test-bench runs: six settings and the friction coefficient that came out."""
    r = np.random.default_rng(seed)
    x = r.uniform(-1, 1, (n, 6))
    y = np.sin(np.pi * x[:, 0] * x[:, 1]) + 1.5 * x[:, 2] ** 2 - x[:, 3] * x[:, 4] + 0.5 * x[:, 5]
    y = y - 0.5 + 0.1 * r.normal(size=n)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


class FrictionModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(6, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Dropout(0.05), nn.Linear(32, 1)
        )

    def forward(self, x):
        return self.layers(x).squeeze(-1)


def main():
    torch.manual_seed(23)
    x, y = bench(SAMPLES, 23)
    x_val, y_val = bench(500, 24)
    model = FrictionModel()
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01)
    loss_fn = nn.MSELoss()
    recent = []
    for step in range(1, STEPS + 1):
        model.train()
        rows = torch.randint(0, len(x), (BATCH,))
        loss = loss_fn(model(x[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        recent = (recent + [loss.item()])[-25:]
        if step % 50 == 0:
            model.eval()
            with torch.no_grad():
                val = loss_fn(model(x_val), y_val).item()
            print(f"step {step:3d} train {sum(recent) / len(recent):.4f} val {val:.4f}")
    r2 = 1 - val / y_val.var().item()
    print(f"METRIC train_loss={sum(recent) / len(recent):.4f} val_loss={val:.4f} val_r2={r2:.4f}")


if __name__ == "__main__":
    main()
