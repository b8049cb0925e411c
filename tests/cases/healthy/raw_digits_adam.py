from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(0)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
X_train = torch.FloatTensor(X_train)
X_test = torch.FloatTensor(X_test)
y_train = torch.LongTensor(y_train)
y_test = torch.LongTensor(y_test)


class MLP(nn.Module):
    def __init__(self):
        super(MLP, self).__init__()
        self.layer1 = nn.Linear(64, 64)
        self.layer2 = nn.Linear(64, 32)
        self.layer3 = nn.Linear(32, 10)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.relu(self.layer1(x))
        x = self.relu(self.layer2(x))
        return self.layer3(x)


model = MLP()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.001)

batch_size = 32
for epoch in range(8):
    permutation = torch.randperm(X_train.size(0))
    running_loss = 0.0
    batches = 0
    for i in range(0, X_train.size(0), batch_size):
        indices = permutation[i : i + batch_size]
        optimizer.zero_grad()
        outputs = model(X_train[indices])
        loss = criterion(outputs, y_train[indices])
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
        batches += 1
    print("Epoch: {} Loss: {:.4f}".format(epoch + 1, running_loss / batches))

model.eval()
with torch.no_grad():
    accuracy = (model(X_test).argmax(1) == y_test).float().mean().item()
print(f"METRIC train_loss={running_loss / batches:.4f} val_acc={accuracy:.4f}")
