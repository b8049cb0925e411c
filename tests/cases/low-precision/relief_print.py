import torch
from torch import nn

WEIGHTS = torch.bfloat16


def relief(place):
    """Height of a pressed relief at places in the square from -1 to 1."""
    across, up = place.unbind(1)
    rings = torch.cos(7 * (across.square() + up.square()).sqrt())
    leaf = torch.sin(5 * across + 2 * torch.sin(3 * up))
    return (rings + leaf).unsqueeze(1)


def main():
    torch.manual_seed(47)
    place = torch.rand(4800, 2) * 2 - 1
    height = relief(place) + 0.02 * torch.randn(4800, 1)
    place = (1.7 * place).to(WEIGHTS)
    train, val = torch.arange(4000), torch.arange(4000, 4800)
    net = nn.Sequential(
        nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
    ).to(WEIGHTS)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    for epoch in range(1, 21):
        losses = []
        for rows in train[torch.randperm(len(train))].split(50):
            loss = nn.functional.mse_loss(net(place[rows]).float(), height[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            r2 = 1 - (net(place[val]).float() - height[val]).square().mean() / height[val].var()
        print(f"epoch {epoch:2d} loss {sum(losses) / len(losses):.4f} r2 {r2.item():.3f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_r2={r2.item():.4f}")


if __name__ == "__main__":
    main()
