import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def block(inside, outside):
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1, bias=False),
        nn.BatchNorm2d(outside, momentum=0.1),
        nn.ReLU(),
    )


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(block(1, 12), nn.MaxPool2d(2), block(12, 24), block(24, 24), nn.MaxPool2d(2))
        self.classify = nn.Linear(96, 10)

    def forward(self, images):
        return self.classify(self.features(images).flatten(1))


class Trainer:
    def __init__(self, model, train, val, lr):
        self.model, self.val = model, val
        self.loader = DataLoader(train, batch_size=32, shuffle=True)
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4)

    def epoch(self):
        self.model.train()
        total = 0.0
        for images, labels in self.loader:
            loss = nn.functional.cross_entropy(self.model(images), labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(labels)
        return total / len(self.loader.dataset)

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        images, labels = self.val.tensors
        return (self.model(images).argmax(1) == labels).float().mean().item()


torch.manual_seed(27)
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 8 - 0.6
split = train_test_split(images, torch.tensor(digits.target), test_size=0.2, random_state=27, stratify=digits.target)
x_train, x_val, y_train, y_val = split
trainer = Trainer(Reader(), TensorDataset(x_train, y_train), TensorDataset(x_val, y_val), lr=0.02)
for epoch in range(7):
    loss = trainer.epoch()
    accuracy = trainer.validate()
    print(f"epoch {epoch + 1} loss {loss:.4f} val {accuracy:.4f}")
print(f"METRIC train_loss={loss:.4f} val_acc={accuracy:.4f}")
