"""Changes in this very process, and small problems on which they show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nndoctor.probe.changes.names import parse
from nndoctor.probe.changes.points import Points
from nndoctor.probe.patches import Patches

Changed = Callable[..., "contextmanager[Points]"]


@contextmanager
def in_force(*spellings: str) -> Iterator[Points]:
    """These changes, for a while."""
    patches = Patches()
    points = Points(patches)
    points.install()
    try:
        points.begin([parse(s) for s in spellings])
        yield points
    finally:
        points.end()
        patches.remove()


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    before = (nn.Module.__call__, Tensor.backward, F.mse_loss, torch.optim.Optimizer.__init__)
    torch.manual_seed(0)
    yield

    assert before == (nn.Module.__call__, Tensor.backward, F.mse_loss, torch.optim.Optimizer.__init__)
    assert torch._C._len_torch_function_stack() == 0


def classes(n: int = 256, features: int = 8, kinds: int = 3) -> tuple[Tensor, Tensor]:
    """Inputs [n, features] and class codes [n] that a small network can tell apart."""
    g = torch.Generator().manual_seed(1)
    x = torch.randn(n, features, generator=g)
    w = torch.randn(features, kinds, generator=g)
    return x, (x @ w + 0.5 * (x**2) @ w.roll(1, 0)).argmax(1)


def numbers(n: int = 256, features: int = 4) -> tuple[Tensor, Tensor]:
    """Inputs [n, features] and targets [n, 1]."""
    g = torch.Generator().manual_seed(2)
    x = torch.randn(n, features, generator=g)
    return x, torch.sin(x[:, :1]) + x[:, 1:2]


def mlp(inputs: int, outputs: int, *end: nn.Module, act: type[nn.Module] = nn.ReLU, width: int = 32) -> nn.Sequential:
    """Two hidden layers."""
    return nn.Sequential(nn.Linear(inputs, width), act(), nn.Linear(width, width), act(), nn.Linear(width, outputs), *end)


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share that is right, without gradients."""
    with torch.no_grad():
        return float((model(x).argmax(1) == y).float().mean())


def r2(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of the variance that is explained."""
    with torch.no_grad():
        return float(1 - (model(x) - y).square().mean() / y.var(correction=0))


def fit(model: nn.Module, loss: Callable[[], Tensor], optimizer: torch.optim.Optimizer, steps: int = 150) -> None:
    """The plain loop."""
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
