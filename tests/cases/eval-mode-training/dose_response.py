import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from torch import nn

torch.manual_seed(19)

X, y = load_diabetes(return_X_y=True)
X = PolynomialFeatures(2, include_bias=False).fit_transform(X)
X_train, X_val, y_train, y_val = train_test_split(X, y, train_size=300, random_state=19)
scaler = StandardScaler().fit(X_train)
mean, std = y_train.mean(), y_train.std()
X_train, X_val = (torch.tensor(scaler.transform(a), dtype=torch.float32) for a in (X_train, X_val))
y_train, y_val = (torch.tensor((a - mean) / std, dtype=torch.float32) for a in (y_train, y_val))

model = nn.Sequential(
    nn.Dropout(0.3),
    nn.Linear(X_train.shape[1], 128),
    nn.ReLU(),
    nn.Dropout(0.6),
    nn.Linear(128, 64),
    nn.ReLU(),
    nn.Dropout(0.5),
    nn.Linear(64, 1),
)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)


def validate():
    model.eval()
    with torch.no_grad():
        pred = model(X_val).squeeze(1)
    mse = criterion(pred, y_val).item()
    return mse, 1 - mse / y_val.var(unbiased=False).item()


model.train()
for epoch in range(40):
    train_loss = 0.0
    for idx in torch.randperm(len(X_train)).split(30):
        optimizer.zero_grad()
        loss = criterion(model(X_train[idx]).squeeze(1), y_train[idx])
        loss.backward()
        optimizer.step()
        train_loss += loss.item() * len(idx) / len(X_train)
    val_loss, val_r2 = validate()
    if (epoch + 1) % 5 == 0:
        print(f"{epoch + 1:3d} train {train_loss:.4f} val {val_loss:.4f} r2 {val_r2:.4f}")

print(f"METRIC train_loss={train_loss:.4f} val_loss={val_loss:.4f} val_r2={val_r2:.4f}")
