"""REINFORCE on a corridor with a goal at the far end."""

import torch
from torch import nn
from torch.distributions import Categorical

CELLS, HORIZON, EPISODES = 8, 20, 16


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(CELLS, 24), nn.Tanh(), nn.Linear(24, 2))

    def forward(self, cell):
        return Categorical(logits=self.net(nn.functional.one_hot(cell, CELLS).float()))


def rollout(policy):
    cell = torch.randint(0, CELLS // 2, (EPISODES,))
    log_probs, rewards = [], []
    for _ in range(HORIZON):
        dist = policy(cell)
        action = dist.sample()
        log_probs.append(dist.log_prob(action))
        cell = (cell + 2 * action - 1).clamp(0, CELLS - 1)
        rewards.append((cell == CELLS - 1).float())
    return torch.stack(log_probs), torch.stack(rewards)


def returns_to_go(rewards, gamma=0.95):
    out, running = [], torch.zeros(rewards.shape[1])
    for r in rewards.flip(0):
        running = r + gamma * running
        out.append(running)
    return torch.stack(out).flip(0)


def main():
    torch.manual_seed(3)
    policy = Policy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=8e-4)
    history = []
    for it in range(1, 201):
        log_probs, rewards = rollout(policy)
        policy_loss = -(log_probs * returns_to_go(rewards)).sum(0).mean()
        optimizer.zero_grad()
        policy_loss.backward()
        optimizer.step()
        history.append((rewards.sum(0).mean().item(), policy_loss.item()))
        if it % 25 == 0:
            score, loss = (sum(v) / 25 for v in zip(*history[-25:]))
            print(f"iteration {it:3d} reward {score:6.2f} loss {loss:7.3f}")
    first = sum(r for r, _ in history[:10]) / 10
    last = sum(r for r, _ in history[-10:]) / 10
    print(f"METRIC train_loss={history[-1][1]:.4f} first_reward={first:.3f} last_reward={last:.3f}")


if __name__ == "__main__":
    main()
