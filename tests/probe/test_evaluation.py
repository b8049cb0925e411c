"""Validation whose scores are computed elsewhere: in lists that are put together afterwards, or by what is not torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nndoctor.record.model import Evaluation
from tests.probe.conftest import recorded

Score = Callable[[nn.Module, Tensor, Tensor], object]


def evaluated(score: Score, outputs: int = 1) -> Evaluation:
    """The pass that this makes, in three batches, of a network that has learnt to copy a column."""

    def train() -> None:
        torch.manual_seed(0)
        x = torch.randn(90, 4)
        y = x[:, :1].clone() if outputs == 1 else (x[:, 0] > 0).long()
        net = nn.Linear(4, outputs)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
        for _ in range(40):
            optimizer.zero_grad()
            loss = F.mse_loss(net(x), y) if outputs == 1 else F.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
        net.eval()
        score(net, x, y)

    recording = recorded(train)
    assert [] == recording.problems
    return recording.evaluations[-1]


def joined(net: nn.Module, x: Tensor, y: Tensor) -> object:
    """Outputs in a list, put together at the end."""
    with torch.no_grad():
        found = torch.cat([net(part) for part in x.split(30)])
    return ((found - y) ** 2).mean()


def arrays(net: nn.Module, x: Tensor, y: Tensor) -> object:
    """Both sides as arrays, batch by batch, the targets first."""
    found, wanted = [], []
    with torch.no_grad():
        for a, b in zip(x.split(30), y.split(30), strict=True):
            wanted.append(b.cpu().numpy())
            found.append(net(a).squeeze(1).cpu().numpy())
    return np.concatenate(found) - np.concatenate(wanted)[:, 0]


@pytest.mark.parametrize("score", [joined, arrays])
def test_a_regression_is_scored(score: Score) -> None:
    """R2 over all rows of the pass."""
    seen = evaluated(score)

    assert (3, 90) == (seen.forwards, seen.samples)
    assert (seen.r2 or 0) > 0.95


def test_classes_are_scored() -> None:
    """As lists, as those do who hand them to another library."""

    def lists(net: nn.Module, x: Tensor, y: Tensor) -> object:
        found, wanted = [], []
        with torch.no_grad():
            for a, b in zip(x.split(30), y.split(30), strict=True):
                found += net(a).argmax(1).tolist()
                wanted += b.tolist()
        return found, wanted

    seen = evaluated(lists, outputs=2)

    assert (seen.accuracy or 0) > 0.9
    assert 90 == sum(seen.labels.values()) == sum(seen.predicted.values())


@pytest.mark.parametrize("sides", ["argmax", "arrays"])
def test_classes_count_the_same_where_one_is_rare(sides: str) -> None:
    """Whoever always says 0 is right as often as 0 is, and half of the classes are right."""

    def constant(net: nn.Module, x: Tensor, y: Tensor) -> object:
        wanted = (torch.arange(90) % 9 == 0).long()
        with torch.no_grad():
            found = (0 * net(x)).argmax(1)
            return (found == wanted).float().mean() if sides == "argmax" else (found.numpy(), wanted.numpy())

    seen = evaluated(constant, outputs=2)

    assert (8 / 9, 0.5) == (pytest.approx(seen.accuracy), seen.balanced)


def test_what_goes_alone_is_no_score() -> None:
    """Outputs that are only kept, or kept beside something of another size."""

    def kept(net: nn.Module, x: Tensor, y: Tensor) -> object:
        with torch.no_grad():
            return net(x).numpy(), x.numpy()

    seen = evaluated(kept)

    assert (None, None) == (seen.r2, seen.accuracy)


def test_targets_that_are_made_classes_after_the_outputs_are_no_predictions() -> None:
    """Numbers are compared with one half on either side; which of them a model made decides, not which came last."""

    def thresholds(net: nn.Module, x: Tensor, y: Tensor) -> object:
        with torch.no_grad():
            return ((net(x) > 100) == (y > 0)).float().mean()

    seen = evaluated(thresholds)

    assert {"0": 90} == seen.predicted
    assert {"0", "1"} == set(seen.labels)
