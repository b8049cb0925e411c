import random
from collections import deque

import torch
import torch.nn as nn

random.seed(19)
torch.manual_seed(19)

SIZE, GAMMA = 6, 0.9
GOAL, PIT = (5, 5), (2, 3)


def move(cell):
    dr, dc = random.choice([(0, 1), (1, 0), (0, 1), (1, 0), (-1, 0), (0, -1)])
    return min(max(cell[0] + dr, 0), SIZE - 1), min(max(cell[1] + dc, 0), SIZE - 1)


def episode():
    """Walk the grid and return (cell, discounted return) for every visited cell."""
    cell = (random.randrange(SIZE), random.randrange(SIZE))
    cells, rewards = [], []
    while cell not in (GOAL, PIT) and len(cells) < 60:
        cells.append(cell)
        cell = move(cell)
        rewards.append(1.0 if cell == GOAL else -1.0 if cell == PIT else 0.0)
    g, visits = 0.0, []
    for c, r in zip(reversed(cells), reversed(rewards)):
        g = r + GAMMA * g
        visits.append((c, g))
    return visits


def encode(cells):
    rows = torch.eye(SIZE)
    return torch.stack([torch.cat([rows[r], rows[c]]) for r, c in cells])


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2 * SIZE, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.value = nn.Linear(64, 1)

    def forward(self, state):
        return self.value(self.body(state)).squeeze(-1)


critic = Critic()
optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3)
replay = deque(maxlen=6000)
while len(replay) < 3000:
    replay.extend(episode())

history = []
for step in range(1, 401):
    replay.extend(episode())
    cells, returns = zip(*random.sample(replay, 64))
    target = torch.tensor(returns)
    advantage = target - critic(encode(cells))
    loss = 0.5 * advantage.pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append(loss.item())
    if step % 80 == 0:
        print(f"step {step:4d}  critic loss {sum(history[-80:]) / 80:.4f}")

cells = [(r, c) for r in range(SIZE) for c in range(SIZE) if (r, c) not in (GOAL, PIT)]
true_value = {c: [] for c in cells}
for _ in range(600):
    for c, g in episode():
        true_value[c].append(g)
truth = torch.tensor([sum(true_value[c]) / max(1, len(true_value[c])) for c in cells])
with torch.no_grad():
    error = (critic(encode(cells)) - truth).pow(2).mean().item()
r2 = 1 - error / truth.var().item()
print(f"METRIC train_loss={sum(history[-80:]) / 80:.4f} value_r2={r2:.4f}")
