import torch
from torch import nn


class Sales(nn.Module):
    """Sales of an article at a market stall, from what either is like."""

    def __init__(self, stalls, articles, traits):
        super().__init__()
        self.stall, self.article = nn.Embedding(stalls, traits), nn.Embedding(articles, traits)
        self.level = nn.Embedding(articles, 1)
        nn.init.normal_(self.stall.weight, std=0.4)
        nn.init.normal_(self.article.weight, std=0.4)
        nn.init.zeros_(self.level.weight)

    def forward(self, pair):
        s, a = self.stall(pair[:, 0]), self.article(pair[:, 1])
        return torch.bmm(s[:, None, :], a[:, :, None]).flatten() + self.level(pair[:, 1]).flatten()


def main(traits=8, epochs=12, rate=0.02):
    torch.manual_seed(6)
    stalls, articles = 120, 90
    truth = torch.randn(stalls, 5) @ torch.randn(5, articles) * 0.4 + 0.5 * torch.randn(articles)
    pairs = torch.cartesian_prod(torch.arange(stalls), torch.arange(articles))
    pairs = pairs[torch.randperm(len(pairs))][:7000]
    sold = truth[pairs[:, 0], pairs[:, 1]] + 0.1 * torch.randn(len(pairs))
    model = Sales(stalls, articles, traits)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    criterion = nn.MSELoss()
    train, val = slice(0, 6000), slice(6000, None)
    for epoch in range(epochs):
        order = torch.randperm(6000)
        for rows in order.split(200):
            optimizer.zero_grad()
            loss = criterion(model(pairs[rows]), sold[rows])
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            scores = [1 - (criterion(model(pairs[part]), sold[part]) / sold[part].var()).item() for part in (train, val)]
        model.train()
        print(epoch, *(f"{s:.3f}" for s in scores))
    print(f"METRIC train_r2={scores[0]:.4f} val_r2={scores[1]:.4f}")


if __name__ == "__main__":
    main()
