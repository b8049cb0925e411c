import torch
from torch import nn

PEOPLE, VILLAGES = 240, 12


def ties(count, generator):
    """Pairs of people who met: nearly always neighbours in a village."""
    first = torch.randint(0, PEOPLE, (count,), generator=generator)
    step = torch.randint(1, PEOPLE // VILLAGES, (count,), generator=generator)
    second = (first + step * VILLAGES) % PEOPLE
    abroad = torch.rand(count, generator=generator) < 0.03
    second[abroad] = torch.randint(0, PEOPLE, (int(abroad.sum()),), generator=generator)
    return torch.stack([first, second], dim=1)


class Neighbourhood(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.person = nn.Embedding(PEOPLE, width)
        nn.init.normal_(self.person.weight, std=0.3)
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, first, second):
        return (self.person(first) * self.person(second)).sum(-1) + self.shift


def objective(model, pairs, strangers):
    near = nn.functional.logsigmoid(model(pairs[:, 0], pairs[:, 1]))
    far = nn.functional.logsigmoid(-model(pairs[:, :1], strangers)).mean(dim=1)
    return -(near + far).mean()


def ranked_right(model, pairs, generator):
    other = torch.randint(0, PEOPLE, (len(pairs),), generator=generator)
    with torch.no_grad():
        return (model(pairs[:, 0], pairs[:, 1]) > model(pairs[:, 0], other)).float().mean().item()


torch.manual_seed(14)
generator = torch.Generator().manual_seed(14)
pairs = ties(9000, generator)
train, val = pairs[:8000], pairs[8000:]
model = Neighbourhood(width=16)
optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
for epoch in range(1, 6):
    values = []
    for batch in train[torch.randperm(len(train), generator=generator)].split(100):
        strangers = torch.randint(0, PEOPLE, (len(batch), 5), generator=generator)
        value = objective(model, batch, strangers)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    accuracy = ranked_right(model, val, generator)
    print(f"epoch {epoch} objective {sum(values) / len(values):.4f} ranked right {accuracy:.3f}")
print(f"METRIC train_loss={sum(values) / len(values):.4f} val_acc={accuracy:.4f}")
