import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(19)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        act = nn.Sigmoid
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            act(),
            nn.Conv2d(8, 16, 3, padding=1),
            act(),
            nn.AvgPool2d(2),
            nn.Conv2d(16, 24, 3, padding=1),
            act(),
            nn.AvgPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(96, 84),
            act(),
            nn.Linear(84, 10),
        )

    def forward(self, x):
        return self.classifier(self.features(x))


digits = load_digits()
pixels = torch.tensor(digits.images, dtype=torch.float32).reshape(-1, 1, 8, 8)
pixels = (pixels - pixels.mean()) / pixels.std()
labels = torch.tensor(digits.target)
idx = torch.randperm(len(labels))
tr, te = idx[:1400], idx[1400:]

model = LeNet()
optimizer = torch.optim.Adagrad(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.7)
criterion = nn.CrossEntropyLoss()

for epoch in range(7):
    model.train()
    running = 0.0
    for k, batch in enumerate(tr[torch.randperm(len(tr))].split(40), start=1):
        optimizer.zero_grad()
        loss = criterion(model(pixels[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        running += (loss.item() - running) / k
    scheduler.step()
    model.eval()
    with torch.no_grad():
        test_acc = (model(pixels[te]).argmax(1) == labels[te]).float().mean()
    print(f"epoch {epoch}: train loss {running:.4f}, test accuracy {test_acc:.2%}")

print(f"METRIC train_loss={running:.4f} val_acc={test_acc:.4f}")
