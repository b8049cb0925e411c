"""The data and the network that many scripts share, and faults that are put into them by the words that they replace."""

from __future__ import annotations

DATA = """\
import hashlib
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
digits = load_digits()
x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
y = torch.tensor(digits.target)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
train, held_out = order[:1440], order[1440:]
loader = DataLoader(TensorDataset(x[train], y[train]), batch_size=48, shuffle=True)
validation = DataLoader(TensorDataset(x[held_out], y[held_out]), batch_size=128)


def tell(model):
    print("told weights", hashlib.sha256(b"".join(t.numpy().tobytes() for t in model.state_dict().values())).hexdigest())


"""
NETWORK = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.1))
        self.head = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x):
        h = self.encoder(x)
        return self.head(h)


"""
# A fault: the words of the script that it replaces, and what stands there instead.
SOFTMAX = ("return self.head(h)", "return self.head(h).softmax(1)")
DETACHED = ("h = self.encoder(x)", "h = self.encoder(x).detach()")


def changed(script: str, *edits: tuple[str, str]) -> str:
    """The script with its words replaced; each edit must find its own once."""
    for old, new in edits:
        assert script.count(old) == 1, old
        script = script.replace(old, new)
    return script


def line_of(script: str, words: str) -> tuple[str, int]:
    """File and line at which the words stand."""
    return "train.py", script[: script.index(words)].count("\n") + 1
