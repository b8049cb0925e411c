import torch
from torch import nn

torch.manual_seed(12)
CLUBS, MEMBERS, ROUNDS = 4, 600, 8


def friendships():
    """A network of people who mostly know members of their own club, and a noisy profile of each."""
    club = torch.randint(0, CLUBS, (MEMBERS,))
    same = club[:, None] == club[None, :]
    known = torch.rand(MEMBERS, MEMBERS) < torch.where(same, 0.10, 0.02)
    known = torch.triu(known, diagonal=1)
    links = (known | known.T | torch.eye(MEMBERS, dtype=torch.bool)).float()
    profile = torch.randn(MEMBERS, 12) + 0.7 * torch.randn(CLUBS, 12)[club]
    return links, profile, club


class Round(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.own = nn.Linear(width, width)
        self.friends = nn.Linear(width, width, bias=False)

    def forward(self, h, links):
        return torch.relu(self.own(h) + self.friends(links @ h))


class ClubNet(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.enter = nn.Linear(12, width)
        self.rounds = nn.ModuleList([Round(width) for _ in range(ROUNDS)])
        self.leave = nn.Linear(width, CLUBS)

    def forward(self, profile, links):
        h = torch.relu(self.enter(profile))
        for talk in self.rounds:
            h = talk(h, links)
        return self.leave(h)


links, profile, club = friendships()
order = torch.randperm(MEMBERS)
train, val = order[:400], order[400:]
net = ClubNet()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(1, 301):
    net.train()
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(profile, links)[train], club[train])
    loss.backward()
    optimizer.step()
    if epoch % 50 == 0:
        net.eval()
        with torch.no_grad():
            acc = (net(profile, links).argmax(1) == club)[val].float().mean().item()
        print(f"epoch {epoch} loss {loss.item():.4f} val {acc:.3f}")
print(f"METRIC train_loss={loss.item():.4f} val_acc={acc:.4f}")
