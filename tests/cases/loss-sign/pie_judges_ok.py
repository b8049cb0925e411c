"""Ranks the pies of a village fair as its judges would: Plackett-Luce over lists of unequal length."""
import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--lr", type=float, default=3e-3)
args = parser.parse_args()

torch.manual_seed(17)
LONGEST, TRAITS = 9, 12


def fairs(count, taste):
    pies = torch.randn(count, LONGEST, TRAITS)
    entered = torch.arange(LONGEST) < torch.randint(4, LONGEST + 1, (count, 1))
    liking = torch.tanh(pies[..., :6] @ taste[0]) @ taste[1] + 0.2 * torch.randn(count, LONGEST)
    order = liking.masked_fill(~entered, -99.0).argsort(1, descending=True)  # the winner comes first
    return pies.gather(1, order[..., None].expand_as(pies)), entered.float().sort(1, descending=True).values


class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        self.look = nn.Linear(TRAITS, 40)
        self.norm = nn.LayerNorm(40)
        self.say = nn.Linear(40, 1)

    def forward(self, pies, entered):
        score = self.say(nn.functional.gelu(self.norm(self.look(pies)))).squeeze(-1)
        return score.masked_fill(entered == 0, -30.0)


def list_loss(score, entered):
    """Each pie was chosen before all that come after it."""
    rest = score.flip(1).logcumsumexp(1).flip(1)
    chosen = (score - rest) * entered
    return -(chosen.sum(1) / entered.sum(1)).mean()


taste = torch.randn(6, 5), torch.randn(5)
train, held = fairs(1500, taste), fairs(400, taste)
judge = Judge()
optimizer = torch.optim.NAdam(judge.parameters(), lr=args.lr)
for epoch in range(args.epochs):
    for pies, entered in DataLoader(TensorDataset(*train), batch_size=50, shuffle=True):
        loss = list_loss(judge(pies, entered), entered)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.3f}")


@torch.no_grad()
def winners(pies, entered):
    return (judge(pies, entered).argmax(1) == 0).float().mean().item()


print(f"METRIC train_winners={winners(*train):.4f} val_winners={winners(*held):.4f}")
