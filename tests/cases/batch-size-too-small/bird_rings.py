import torch
from sklearn.datasets import make_classification
from sklearn.preprocessing import StandardScaler
from torch import nn

torch.manual_seed(52)
table, kinds = make_classification(
    7000, n_features=12, n_informative=9, n_redundant=0, n_classes=6, n_clusters_per_class=4,
    class_sep=2.5, flip_y=0.0, random_state=52,
)
table = StandardScaler().fit(table[:6000]).transform(table)
x, y = torch.tensor(table, dtype=torch.float32), torch.tensor(kinds)
train_x, train_y, val_x, val_y = x[:6000], y[:6000], x[6000:], y[6000:]

net = nn.Sequential(nn.Linear(12, 96), nn.LeakyReLU(0.1), nn.Linear(96, 96), nn.LeakyReLU(0.1), nn.Linear(96, 6))
optimizer = torch.optim.SGD(net.parameters(), lr=0.012, momentum=0.9)
batch_size = 1
steps = 800


def measure(x, y):
    net.eval()
    with torch.no_grad():
        out = net(x)
        loss = nn.functional.cross_entropy(out, y)
        accuracy = (out.argmax(1) == y).float().mean()
    net.train()
    return loss.item(), accuracy.item()


for step in range(1, steps + 1):
    rows = torch.randint(len(train_x), (batch_size,))
    loss = nn.functional.cross_entropy(net(train_x[rows]), train_y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step} loss {measure(train_x, train_y)[0]:.4f} val {measure(val_x, val_y)[1]:.3f}")

print(f"METRIC train_loss={measure(train_x, train_y)[0]:.4f} val_acc={measure(val_x, val_y)[1]:.4f}")
