import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

torch.manual_seed(1)

iris = load_iris()
X = (iris.data - iris.data.mean(axis=0)) / iris.data.std(axis=0)
X_train, X_test, y_train, y_test = train_test_split(X, iris.target, test_size=0.3, stratify=iris.target, random_state=1)
X_train, X_test = torch.FloatTensor(X_train), torch.FloatTensor(X_test)
y_train, y_test = torch.LongTensor(y_train), torch.LongTensor(y_test)


class IrisNet(nn.Module):
    def __init__(self):
        super(IrisNet, self).__init__()
        self.fc1 = nn.Linear(4, 16)
        self.fc2 = nn.Linear(16, 16)
        self.fc3 = nn.Linear(16, 3)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)


net = IrisNet()
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.1)

for epoch in range(20):
    permutation = torch.randperm(X_train.size(0))
    running_loss = 0.0
    for i in range(0, X_train.size(0), 7):
        idx = permutation[i:i + 7]
        optimizer.zero_grad()
        outputs = net(X_train[idx])
        loss = criterion(outputs, y_train[idx])
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    if (epoch + 1) % 4 == 0:
        print("Epoch [%d/20] loss: %.4f" % (epoch + 1, running_loss / 15))

net.eval()
with torch.no_grad():
    predicted = net(X_test).argmax(dim=1)
    accuracy = (predicted == y_test).sum().item() / len(y_test)
print("METRIC train_loss=%.4f val_acc=%.4f" % (running_loss / 15, accuracy))
