"""A working directory with the script that the sample diagnoses speak of."""

from __future__ import annotations

from pathlib import Path

import pytest

SOURCE = '''"""A classifier of digits."""

import torch
from torch import nn


def build(width=128):
    """The network."""
    return nn.Sequential(
        nn.Linear(64, width),
        nn.ReLU(),
        nn.Linear(width, 10),

        nn.Softmax(dim=1),
    )


def data():
    """A shuffled loader."""
    return torch.utils.data.DataLoader(digits, 64, shuffle=True)


optimizer = torch.optim.SGD(build().parameters(), lr=0.05, momentum=0.9)
'''


@pytest.fixture
def at_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory, made the working directory, and a repository, so that no folder above it is taken for one."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "train.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path
