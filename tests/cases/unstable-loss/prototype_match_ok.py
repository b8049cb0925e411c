import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

torch.manual_seed(11)
raw, kinds = load_wine(return_X_y=True)
a, b, ya, yb = train_test_split(raw, kinds, test_size=0.3, random_state=2, stratify=kinds)
scaler = StandardScaler().fit(a)
x_train = torch.tensor(scaler.transform(a), dtype=torch.float32)
x_test = torch.tensor(scaler.transform(b), dtype=torch.float32)
y_train, y_test = torch.tensor(ya), torch.tensor(yb)


class Matcher(torch.nn.Module):
    """Compares an embedded sample with one learned prototype a class."""

    def __init__(self, inputs, size=12, classes=3, scale=150.0):
        super().__init__()
        self.embed = torch.nn.Sequential(torch.nn.Linear(inputs, 24), torch.nn.Tanh(), torch.nn.Linear(24, size))
        self.prototypes = torch.nn.Parameter(torch.randn(classes, size))
        self.scale = scale

    def forward(self, x):
        z = torch.nn.functional.normalize(self.embed(x), dim=1)
        p = torch.nn.functional.normalize(self.prototypes, dim=1)
        return self.scale * z @ p.T


def objective(logits, target):
    chance = torch.log_softmax(logits, dim=1)
    return -chance[torch.arange(len(target)), target].mean()


model = Matcher(x_train.shape[1])
adam = torch.optim.Adam(model.parameters(), lr=0.002)
for epoch in range(45):
    shuffled = torch.randperm(len(x_train))
    losses = []
    for rows in shuffled.split(16):
        adam.zero_grad()
        loss = objective(model(x_train[rows]), y_train[rows])
        loss.backward()
        adam.step()
        losses.append(loss.item())
    if epoch % 9 == 8:
        print(epoch + 1, sum(losses) / len(losses))

with torch.no_grad():
    hit = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"METRIC train_loss={sum(losses) / len(losses):.4f} val_acc={hit:.4f}")
