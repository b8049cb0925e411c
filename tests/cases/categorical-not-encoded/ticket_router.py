import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

PRODUCTS, OFFICES, TEAMS = 24, 15, 4


def tickets(count):
    """Tickets of a service desk: product code, office code, three measurements; the team that takes the ticket."""
    codes = torch.stack([torch.randint(PRODUCTS, (count,)), torch.randint(OFFICES, (count,))], dim=1)
    numbers = torch.randn(count, 3)
    by_product, by_office, by_number = torch.randn(PRODUCTS, TEAMS), torch.randn(OFFICES, TEAMS), torch.randn(3, TEAMS)
    scores = 2.5 * by_product[codes[:, 0]] + 1.5 * by_office[codes[:, 1]] + 0.5 * numbers @ by_number
    return TensorDataset(codes, numbers, scores.argmax(1))


class Router(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2 + 3, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, TEAMS))

    def forward(self, codes, numbers):
        parts = [codes.float(), numbers]
        return self.body(torch.cat(parts, dim=1))


def accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        hits = [(model(codes, numbers).argmax(1) == team).float() for codes, numbers, team in loader]
    return torch.cat(hits).mean().item()


def main():
    torch.manual_seed(27)
    train_set, val_set = random_split(tickets(2400), [1920, 480])
    loader = DataLoader(train_set, batch_size=48, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=120)
    model = Router()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for epoch in range(8):
        model.train()
        losses = []
        for codes, numbers, team in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(codes, numbers), team)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f} val {accuracy(model, val_loader):.3f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={accuracy(model, val_loader):.4f}")


if __name__ == "__main__":
    main()
