"""Healthy base scripts of many tasks, each in slots that an operator can change."""

from __future__ import annotations

from dataclasses import dataclass, field

# The slots' order in a script. A loop style is the last part.
HEAD = """\
import math
import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed({seed})
rng = np.random.default_rng({seed})
{data}
{after_data}
{model}
{after_model}
{optimizer}
{before_loop}
"""
STYLES = {
    # A plain script over a loader.
    "script": """\
loader = DataLoader(TensorDataset(x, y), batch_size={batch}, shuffle={shuffle})
for epoch in range({epochs}):
    {train}
    total = 0.0
    for xb, yb in {batches}:
        {zero}
        out = model(xb)
        loss = {loss}
        {backward}
        {between}
        {step}
        {after_step}
        total += loss.item()
    {after_epoch}
    {evaluate}
    with torch.no_grad():
        out = model(xv)
        score = float({score})
    print(f"epoch {{epoch}} loss {{total / len(loader):.4f}} val {{score:.3f}}")
print(f"METRIC val={{score:.4f}}")
""",
    # Functions, as a small project has them.
    "functions": """\
def train_epoch(model, loader, optimizer):
    {train}
    total = 0.0
    for xb, yb in {batches}:
        {zero}
        out = model(xb)
        loss = {loss}
        {backward}
        {between}
        {step}
        {after_step}
        total += loss.item()
    return total / len(loader)


@torch.no_grad()
def validate(model, xv, yv):
    {evaluate}
    out = model(xv)
    return float({score})


def main():
    loader = DataLoader(TensorDataset(x, y), batch_size={batch}, shuffle={shuffle}, drop_last=len(x) % {batch} == 1)
    for epoch in range({epochs}):
        loss = train_epoch(model, loader, optimizer)
        {after_epoch}
        score = validate(model, xv, yv)
        print(f"epoch {{epoch}} loss {{loss:.4f}} val {{score:.3f}}")
    print(f"METRIC val={{score:.4f}}")


if __name__ == "__main__":
    main()
""",
    # Tensors in hand, validated now and then.
    "tensors": """\
def batches_of(n, size, shuffle):
    order = torch.randperm(n) if shuffle else torch.arange(n)
    return [(x[i], y[i]) for i in order.split(size)]


for epoch in range({epochs}):
    {train}
    loader = batches_of(len(x), {batch}, {shuffle})
    for xb, yb in {batches}:
        {zero}
        out = model(xb)
        loss = {loss}
        {backward}
        {between}
        {step}
        {after_step}
    {after_epoch}
    {evaluate}
    with torch.no_grad():
        out = model(xv)
    score = float({score})
    print(epoch, round(loss.item(), 4), round(score, 3))
print(f"METRIC val={{score:.4f}}")
""",
}
CE, MSE, BCE = "F.cross_entropy(out, yb)", "F.mse_loss(out, yb)", "F.binary_cross_entropy_with_logits(out, yb)"
ACCURACY = "(out.argmax(1) == yv).float().mean()"
R2 = "1 - (out - yv).square().mean() / (yv - yv.mean(0)).square().mean()"
BITS = "((out > 0) == (yv > 0.5)).float().mean()"
_ORDER = "order = rng.permutation(len(x))\nx, y = x[order], y[order]\ncut = int(0.8 * len(x))\nx, xv, y, yv = x[:cut], x[cut:], y[:cut], y[cut:]"


def _table(load: str, kind: str) -> str:
    target = {"classes": "torch.tensor(target)", "real": "torch.tensor(target, dtype=torch.float32).reshape(len(target), -1)", "binary": "torch.tensor(target, dtype=torch.float32)[:, None]"}[kind]
    return f"{load}\nx, y = torch.tensor(table, dtype=torch.float32), {target}\n{_ORDER}\nmean, std = x.mean(0), x.std(0) + 1e-6\nx, xv = (x - mean) / std, (xv - mean) / std"


@dataclass(frozen=True)
class Base:
    """One healthy script. Texts are Python; `slots` are the statements of the loop."""

    name: str
    kind: str  # "classes", "binary", "multilabel", "real"
    data: str
    model: str
    loss: str
    score: str
    style: str = "script"
    optimizer: str = "Adam"
    settings: str = ""
    lr: float = 3e-3
    batch: int = 32
    epochs: int = 8
    slots: dict[str, str] = field(default_factory=dict)

    def script(self, seed: int = 0) -> str:
        """The whole text."""
        slots = {
            "after_data": "", "after_model": "", "before_loop": "", "train": "model.train()", "evaluate": "model.eval()", "batches": "loader",
            "zero": "optimizer.zero_grad()", "backward": "loss.backward()", "between": "", "step": "optimizer.step()", "after_step": "",
            "after_epoch": "", "shuffle": "True",
            "optimizer": f"optimizer = torch.optim.{self.optimizer}(model.parameters(), lr={self.lr}{self.settings})",
            "data": self.data, "model": self.model, "loss": self.loss, "score": self.score,
            "seed": seed, "batch": self.batch, "epochs": self.epochs, **self.slots,
        }  # fmt: skip
        lines = []
        for line in (HEAD + STYLES[self.style]).splitlines():
            indent = line[: len(line) - len(line.lstrip())]
            filled = line.format(**slots)
            if line.strip().startswith("{") and not filled.strip():
                continue
            lines.extend([filled] if "\n" not in filled else [indent + part if i else part for i, part in enumerate(filled.splitlines())])
        return "\n".join(lines) + "\n"


_SEQ = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
{layers}

    def forward(self, x):
{forward}


model = Net()"""


def _net(layers: str, forward: str) -> str:
    def shift(text: str) -> str:
        return "\n".join("        " + line for line in text.splitlines())

    return _SEQ.format(layers=shift(layers), forward=shift(forward))


BASES = (
    Base("cells", "classes", _table("from sklearn.datasets import load_breast_cancer\ntable, target = load_breast_cancer(return_X_y=True)", "classes"),
         "model = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))", CE, ACCURACY, "script", epochs=20, batch=24),
    Base("vintages", "classes", _table("from sklearn.datasets import load_wine\ntable, target = load_wine(return_X_y=True)", "classes"),
         "model = nn.Sequential(nn.Linear(13, 24), nn.Tanh(), nn.Linear(24, 3))", CE, ACCURACY, "tensors", "SGD", ", momentum=0.9", 0.03, 12, 20),
    Base("figures", "classes", "from sklearn.datasets import load_digits\ntable, target = load_digits(return_X_y=True)\nx, y = torch.tensor(table / 16, dtype=torch.float32), torch.tensor(target)\n" + _ORDER,
         "model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, 10))", CE, ACCURACY, "functions", epochs=10),
    Base("plates", "classes", "from sklearn.datasets import load_digits\ndigits = load_digits()\nx, y = torch.tensor(digits.images / 16, dtype=torch.float32)[:, None], torch.tensor(digits.target)\n" + _ORDER,
         "model = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(384, 10))", CE, ACCURACY, "script", "SGD", ", momentum=0.9", 0.05, 48, 8),
    Base("friction", "real", _table("from sklearn.datasets import make_friedman1\ntable, target = make_friedman1(1500, noise=0.3, random_state=1)\ntarget = (target - target.mean()) / target.std()", "real"),
         "model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))", MSE, R2, "functions", "AdamW", ", weight_decay=1e-3", 3e-3, 32, 10),
    Base("harbour", "classes", _table("from sklearn.datasets import make_classification\ntable, target = make_classification(1600, 16, n_informative=10, n_redundant=2, n_classes=4, n_clusters_per_class=1, class_sep=1.6, random_state=4)", "classes"),
         "model = nn.Sequential(nn.Linear(16, 64), nn.LayerNorm(64), nn.GELU(), nn.Dropout(0.1), nn.Linear(64, 4))", CE, ACCURACY, "tensors", "AdamW", "", 2e-3, 32, 10),
    Base("chirps", "classes", "n = 1200\nkind = rng.integers(0, 4, n)\ntime = np.arange(64) / 64\nwave = np.sin(2 * math.pi * ((3 + 3 * kind[:, None]) * time + rng.random((n, 1)))) + 0.4 * rng.normal(size=(n, 64))\nx, y = torch.tensor(wave, dtype=torch.float32)[:, None], torch.tensor(kind)\n" + _ORDER,
         "model = nn.Sequential(nn.Conv1d(1, 16, 7), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(16, 24, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(24, 4))", CE, ACCURACY, "functions", "Adam", "", 4e-3, 32, 9),
    Base("strides", "classes", "n = 1000\nkind = rng.integers(0, 3, n)\nphase = rng.random((n, 1)) * 6\nwalk = np.stack([np.sin(phase + np.arange(20) * (0.3 + 0.25 * kind[:, None])), np.cos(phase + np.arange(20) * 0.2)], axis=2) + 0.2 * rng.normal(size=(n, 20, 2))\nx, y = torch.tensor(walk, dtype=torch.float32), torch.tensor(kind)\n" + _ORDER,
         _net("self.rnn = nn.GRU(2, 32, batch_first=True)\nself.head = nn.Linear(32, 3)", "states, _ = self.rnn(x)\nreturn self.head(states[:, -1])"), CE, ACCURACY, "script", "Adam", "", 5e-3, 32, 9),
    Base("ledger", "classes", "n = 1500\nx = torch.tensor(rng.integers(1, 20, (n, 12)))\ny = ((x == 3).sum(1) > (x == 7).sum(1)).long() + ((x == 5).any(1)).long()\n" + _ORDER,
         _net("self.embed = nn.Embedding(20, 24)\nself.place = nn.Parameter(0.02 * torch.randn(12, 24))\nself.block = nn.TransformerEncoderLayer(24, 4, 48, dropout=0.0, batch_first=True)\nself.head = nn.Linear(24, 3)", "h = self.block(self.embed(x) + self.place)\nreturn self.head(h.mean(1))"), CE, ACCURACY, "functions", "AdamW", "", 3e-3, 32, 8),
    Base("parcels", "real", "n = 1500\ncodes = rng.integers(0, 30, (n, 2))\neffect = rng.normal(size=(2, 30))\nx = torch.tensor(codes)\ny = torch.tensor(effect[0][codes[:, 0]] + effect[1][codes[:, 1]] + 0.1 * rng.normal(size=n), dtype=torch.float32)[:, None]\n" + _ORDER,
         _net("self.first, self.second = nn.Embedding(30, 8), nn.Embedding(30, 8)\nself.head = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 1))", "return self.head(torch.cat([self.first(x[:, 0]), self.second(x[:, 1])], dim=1))"), MSE, R2, "script", "Adam", "", 1e-2, 32, 10),
    Base("stencils", "real", "from sklearn.datasets import load_digits\nx = torch.tensor(load_digits().data / 16, dtype=torch.float32)\ny = x.clone()\n" + _ORDER,
         "model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16), nn.ReLU(), nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 64))", MSE, R2, "functions", "Adam", "", 6e-3, 32, 12),
    Base("tags", "multilabel", _table("from sklearn.datasets import make_multilabel_classification\ntable, target = make_multilabel_classification(1500, 20, n_classes=5, random_state=2)", "real"),
         "model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 5))", BCE, BITS, "script", "Adam", "", 3e-3, 32, 9),
    Base("tides", "real", "series = np.sin(np.arange(1700) * 0.21) + 0.6 * np.sin(np.arange(1700) * 0.053) + 0.1 * rng.normal(size=1700)\nwindow = np.lib.stride_tricks.sliding_window_view(series, 25)\nx, y = torch.tensor(window[:, :24].copy(), dtype=torch.float32)[:, :, None], torch.tensor(window[:, 24:].copy(), dtype=torch.float32)\nx, xv, y, yv = x[:1300], x[1340:], y[:1300], y[1340:]",
         _net("self.rnn = nn.LSTM(1, 24, batch_first=True)\nself.head = nn.Linear(24, 1)", "states, _ = self.rnn(x)\nreturn self.head(states[:, -1])"), MSE, R2, "tensors", "Adam", "", 8e-3, 32, 8),
    Base("letters", "classes", "import argparse\ntext = open(argparse.__file__, encoding='utf-8').read()[4000:9000]\nvocabulary = sorted(set(text))\ncodes = np.array([vocabulary.index(c) for c in text])\nwindow = np.lib.stride_tricks.sliding_window_view(codes, 6)\nx, y = torch.tensor(window[:, :5].copy()), torch.tensor(window[:, 5].copy())\nx, xv, y, yv = x[:3000], x[3100:], y[:3000], y[3100:]",
         _net("self.embed = nn.Embedding(100, 16)\nself.head = nn.Sequential(nn.Linear(80, 96), nn.ReLU(), nn.Linear(96, 100))", "return self.head(self.embed(x).flatten(1))"), CE, ACCURACY, "script", "Adam", "", 5e-3, 32, 7),
    Base("ridge", "classes", _table("from sklearn.datasets import make_moons\ntable, target = make_moons(1400, noise=0.15, random_state=3)", "classes"),
         "layers = [nn.Linear(2, 24), nn.ReLU()]\nfor _ in range(4):\n    layers += [nn.Linear(24, 24), nn.ReLU()]\nmodel = nn.Sequential(*layers, nn.Linear(24, 2))", CE, ACCURACY, "tensors", "Adam", "", 3e-3, 32, 9),
    Base("assay", "binary", _table("from sklearn.datasets import make_classification\ntable, target = make_classification(1300, 24, n_informative=12, class_sep=1.5, flip_y=0.02, random_state=8)", "binary"),
         "model = nn.Sequential(nn.Linear(24, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Dropout(0.2), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))", BCE, BITS, "functions", "Adam", "", 2e-3, 32, 10),
)  # fmt: skip
