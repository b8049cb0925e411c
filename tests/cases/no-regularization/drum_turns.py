import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

KINDS, POINTS = 6, 40


def recordings(count, shapes):
    """Force over one turn of a drum, which starts at any angle; each kind of wear leaves its own trace on it."""
    wear = torch.randint(0, KINDS, (count,))
    angle = torch.randint(0, POINTS, (count, 1))
    trace = torch.zeros(count, POINTS)
    trace[:, : shapes.shape[1]] = 1.2 * shapes[wear]
    force = trace.gather(1, (torch.arange(POINTS) + angle) % POINTS) + 0.45 * torch.randn(count, POINTS)
    return (force / 0.8).unsqueeze(1), wear


class Turns(Dataset):
    def __init__(self, force, wear, vary=None):
        self.force, self.wear, self.vary = force, wear, vary

    def __len__(self):
        return len(self.wear)

    def __getitem__(self, i):
        force = self.force[i]
        return (self.vary(force) if self.vary else force), self.wear[i]


def other_start(force):
    return force.roll(int(torch.randint(0, POINTS, ())), dims=-1)


def run_epoch(model, loader, optimizer=None):
    model.train(optimizer is not None)
    loss_sum, right = 0.0, 0
    with torch.set_grad_enabled(optimizer is not None):
        for force, wear in loader:
            logits = model(force)
            loss = nn.functional.cross_entropy(logits, wear)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            loss_sum += loss.item() * len(wear)
            right += (logits.argmax(1) == wear).sum().item()
    return loss_sum / len(loader.dataset), right / len(loader.dataset)


def main():
    torch.manual_seed(3)
    shapes = torch.randn(KINDS, 12)
    force, wear = recordings(1350, shapes)
    train_set = Turns(force[:750], wear[:750])
    val_set = Turns(force[750:], wear[750:])
    train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=200)
    model = nn.Sequential(
        nn.Conv1d(1, 16, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Flatten(),
        nn.Linear(16 * POINTS // 2, 128),
        nn.ReLU(),
        nn.Linear(128, KINDS),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(1, 41):
        loss, accuracy = run_epoch(model, train_loader, optimizer)
        val_loss, val_accuracy = run_epoch(model, val_loader)
        if epoch % 4 == 0:
            print(f"epoch {epoch} train {loss:.4f} {accuracy:.3f} val {val_loss:.4f} {val_accuracy:.3f}")
    print(f"METRIC train_loss={loss:.4f} train_acc={accuracy:.4f} val_loss={val_loss:.4f} val_acc={val_accuracy:.4f}")


if __name__ == "__main__":
    main()
