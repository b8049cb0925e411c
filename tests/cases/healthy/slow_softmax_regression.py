import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(99)
images = load_digits()
pixels = np.kron(images.images, np.ones((2, 2))).reshape(-1, 256).astype(np.float32) / 16
split = 1500
train = TensorDataset(torch.from_numpy(pixels[:split]), torch.from_numpy(images.target[:split]))
test_x, test_y = torch.from_numpy(pixels[split:]), torch.from_numpy(images.target[split:])
train_loader = DataLoader(train, batch_size=25, shuffle=True)

input_size, num_classes, num_epochs, learning_rate = 256, 10, 5, 0.003

model = torch.nn.Linear(input_size, num_classes)
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)

for epoch in range(num_epochs):
    losses = []
    for i, (x, y) in enumerate(train_loader):
        outputs = model(x)
        loss = criterion(outputs, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if (i + 1) % 30 == 0:
            print(f"Epoch [{epoch + 1}/{num_epochs}], Step [{i + 1}/{len(train_loader)}], Loss: {loss.item():.4f}")

with torch.no_grad():
    acc = (model(test_x).argmax(1) == test_y).float().mean().item()
print(f"METRIC train_loss={np.mean(losses):.4f} val_acc={acc:.4f}")
