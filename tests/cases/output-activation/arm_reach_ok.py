import torch
from torch import nn

torch.manual_seed(90)
LINKS = torch.tensor([1.0, 0.7, 0.4])


def arm_poses():
    """Endless stream of random joint angles and where the arm's tip ends up."""
    while True:
        angles = (torch.rand(80, 3) - 0.5) * 3.0
        heading = angles.cumsum(dim=1)
        tip = torch.stack([(LINKS * heading.cos()).sum(1), (LINKS * heading.sin()).sum(1)], dim=1)
        yield angles, tip


class Kinematics(nn.Module):
    def __init__(self, hidden=80):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(3, hidden),
            nn.LayerNorm(hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
        )
        self.tip = nn.Linear(hidden, 2)

    def forward(self, angles):
        return self.tip(self.body(angles))


stream = arm_poses()
model = Kinematics()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / 20))
window = []
for step in range(1, 321):
    angles, tip = next(stream)
    loss = (model(angles) - tip).pow(2).sum(dim=1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    warmup.step()
    window.append(loss.item())
    if step % 80 == 0:
        print(f"step {step}: squared distance {sum(window[-40:]) / 40:.4f}")

with torch.no_grad():
    angles, tip = map(torch.cat, zip(*(next(stream) for _ in range(10))))
    miss = (model(angles) - tip).pow(2).sum(dim=1)
    r2 = 1 - miss.mean() / (tip - tip.mean(0)).pow(2).sum(dim=1).mean()
print(f"METRIC train_loss={sum(window[-40:]) / 40:.4f} val_r2={r2:.4f} val_miss={miss.sqrt().mean():.4f}")
