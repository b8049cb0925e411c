"""Six classic ways to break one small run on the digits, and ten healthy variations of it, through the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """\
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed({seed})
digits = load_digits()
x = torch.tensor(digits.data / 16.0, dtype=torch.float32) * {scale}
y = torch.tensor(digits.target)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
train, held_out = order[:1450], order[1450:]
loader = DataLoader(TensorDataset(x[train], y[train]), batch_size=64, shuffle=True)


def network():
    {network}


model = network()
{prepare}
optimizer = torch.optim.{optimizer}
criterion = nn.CrossEntropyLoss()
for epoch in range(7):
    model.train()
    for xb, yb in loader:
        {clear}
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(x[held_out]).argmax(1) == y[held_out]).float().mean().item()
    print(epoch, loss.item(), accuracy)
"""
MLP = "return nn.Sequential(nn.Linear(64, 128), {act}(), nn.Linear(128, 128), {act}(), nn.Linear(128, 10){end})"
RELU = MLP.format(act="nn.ReLU", end="")
DEEP_SIGMOID = (
    "layers = [nn.Linear(64, 64), nn.Sigmoid()]\n"
    "    for _ in range(11):\n"
    "        layers += [nn.Linear(64, 64), nn.Sigmoid()]\n"
    "    return nn.Sequential(*layers, nn.Linear(64, 10))"
)
CONV = (
    "return nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),\n"
    "        nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))"
)
BIASES = "for layer in model:\n    if isinstance(layer, nn.Linear) and layer.out_features == 128:\n        nn.init.constant_(layer.bias, -10.0)"
DEFAULTS = {
    "seed": 0, "scale": 1, "network": RELU, "prepare": "", "clear": "optimizer.zero_grad()",
    "optimizer": "SGD(model.parameters(), lr=0.05, momentum=0.9)",
}  # fmt: skip
BROKEN = {
    "lr-too-high": {"optimizer": "SGD(model.parameters(), lr=5.0, momentum=0.9)"},
    "saturating-activation": {"network": DEEP_SIGMOID},
    "missing-zero-grad": {"clear": "pass"},
    "loss-input": {"network": MLP.format(act="nn.ReLU", end=", nn.Softmax(dim=1)")},
    "bad-initialization": {"prepare": BIASES},
    "input-not-normalized": {"scale": 1000},
}
HEALTHY = {
    "adam": {"optimizer": "Adam(model.parameters(), lr=1e-3)"},
    "tanh": {"network": MLP.format(act="nn.Tanh", end="")},
    "conv": {"network": CONV},
    "adamw": {"optimizer": "AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)"},
    **{f"seed-{n}": {"seed": n} for n in range(6)},
}


def check(folder: Path, changes: dict[str, object]) -> dict[str, object]:
    """The JSON report on the run with these changes."""
    (folder / "train.py").write_text(SCRIPT.format(**{**DEFAULTS, **changes}))
    command = [sys.executable, "-m", "nndoctor", "check", "--quiet", "--format", "json", "--output", "report.json", "train.py"]
    done = subprocess.run(command, check=False, cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return json.loads((folder / "report.json").read_text())


SLOW = {f"seed-{n}" for n in range(1, 6)}  # more of the same


@pytest.mark.parametrize("cause", BROKEN)
def test_broken_run_gets_the_right_cause_first(tmp_path: Path, cause: str) -> None:
    """One change breaks the run, and the report names it first."""
    report = check(tmp_path, BROKEN[cause])

    assert report["verdict"] == "sick"
    assert report["causes"][0]["id"] == cause  # type: ignore[index]


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in HEALTHY])
def test_healthy_variation_gets_no_alarm(tmp_path: Path, name: str) -> None:
    """Another optimiser, activation, architecture or seed is no fault."""
    report = check(tmp_path, HEALTHY[name])

    assert [c for c in report["causes"] if c["severity"] != "note"] == []  # type: ignore[union-attr, attr-defined]
    assert report["verdict"] == "healthy"
