"""skorch: a classifier that builds module, criterion and optimiser itself, and steps with a closure."""

from __future__ import annotations

from tests.digits import DATA, DETACHED, NETWORK, SOFTMAX, changed
from tests.engine import Engine

FIT = (
    DATA.replace("from torch.utils.data", "from skorch import NeuralNetClassifier\nfrom torch.utils.data")
    + NETWORK
    + """\
net = NeuralNetClassifier(
    Net, criterion=nn.CrossEntropyLoss, max_epochs=5, batch_size=48, iterator_train__shuffle=True, optimizer=torch.optim.Adam, lr=2e-3,
)
net.fit(x[train].numpy(), y[train].numpy())
for row in net.history:
    print("told losses", float(row["train_loss"]).hex(), float(row["valid_loss"]).hex())
print("told score", net.score(x[held_out].numpy(), y[held_out].numpy()))
tell(net.module_)
"""
)
PROBABILITIES = [("nn.CrossEntropyLoss", "nn.NLLLoss"), SOFTMAX, ("nn.BatchNorm1d(128), ", "")]
HEALTHY = {
    "logits": FIT,
    "probabilities": changed(FIT, *PROBABILITIES),  # skorch takes the logarithm for NLLLoss
}
RATE = "optimizer=torch.optim.Adam, lr=2e-3"
FAULTS = {
    "lr-too-high": (changed(FIT, (RATE, "optimizer=torch.optim.SGD, optimizer__momentum=0.9, lr=20.0")), "net.fit("),
    "loss-input": (changed(FIT, SOFTMAX), "return self.head(h)"),
    "disconnected-parameters": (changed(FIT, DETACHED, ("lr=2e-3", "lr=3e-4")), "self.encoder = "),
}


class TestSkorch(Engine):
    """Logits for cross-entropy, and probabilities for a loss that skorch gives their logarithm."""

    LIBRARIES = ("skorch", "sklearn.datasets")
    HEALTHY = HEALTHY
    FAULTS = FAULTS
