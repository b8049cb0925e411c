import torch
from torch import nn

torch.manual_seed(31)
HOURS, BATCH = 18, 32

# Rain comes in showers; the creek rises with what fell over the last half day and falls in the warmth.
length = 1900
rain = (torch.rand(length) < 0.25).float() * torch.rand(length) * 2
warmth = torch.sin(torch.arange(length) * 2 * torch.pi / 24) + 0.2 * torch.randn(length)
lag = torch.exp(-((torch.arange(HOURS).float() - 6) ** 2) / 18)
series = torch.stack([rain, warmth], dim=1)
windows = series.unfold(0, HOURS, 1).transpose(1, 2).contiguous()
creek = (windows[:, :, 0] * lag.flip(0) * (1 - 0.3 * windows[:, :, 1])).sum(1, keepdim=True)
creek = (creek - creek.mean()) / creek.std() + 0.1 * torch.randn(len(creek), 1)
mixed = torch.randperm(len(windows))
train, val = mixed[:1500], mixed[1500:]


class Gauge(nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrent = nn.GRU(2, 32, batch_first=True)
        self.out = nn.Linear(32, 1)

    def forward(self, x):
        hidden, _ = self.recurrent(x)
        return self.out(hidden[:, -1, :])


model = Gauge()
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
loss_fn = nn.MSELoss()
for epoch in range(8):
    model.train()
    running = 0.0
    for rows in train[torch.randperm(len(train))].split(BATCH):
        optimizer.zero_grad()
        loss = loss_fn(model(windows[rows]), creek[rows])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        running += loss.item() * len(rows)
    model.eval()
    with torch.no_grad():
        r2 = 1 - loss_fn(model(windows[val]), creek[val]).item() / creek[val].var().item()
    print(f"epoch {epoch:2d}  mse {running / len(train):.4f}  r2 {r2:.3f}")
print(f"METRIC train_loss={running / len(train):.4f} val_r2={r2:.4f}")
