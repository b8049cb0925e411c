import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

PATIENTS, ASSAYS = 200, 600


def cohort(count):
    """Standardised assays; six markers are shifted in those who have the condition."""
    condition = (torch.rand(count) < 0.5).float()
    assays = torch.randn(count, ASSAYS)
    markers = torch.tensor([17, 88, 203, 341, 466, 590])
    assays[:, markers] += 1.5 * (condition[:, None] - 0.5) * torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
    return assays, condition


def main():
    torch.manual_seed(2)
    x_train, y_train = cohort(PATIENTS)
    x_val, y_val = cohort(500)

    strength = (x_train * (y_train - y_train.mean())[:, None]).mean(0).abs()
    chosen = strength.topk(600).indices
    x_train, x_val = x_train[:, chosen], x_val[:, chosen]

    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=20, shuffle=True)
    model = nn.Sequential(nn.Linear(len(chosen), 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(25):
        model.train()
        losses = []
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            accuracy = ((model(x_val) > 0) == (y_val > 0.5)).float().mean().item()
        print(f"epoch {epoch + 1:2d}: loss {sum(losses) / len(losses):.4f}  val {accuracy:.3f}")
    print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={accuracy:.4f}")


if __name__ == "__main__":
    main()
