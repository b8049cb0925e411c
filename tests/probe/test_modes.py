"""In which mode layers run: what a pass of evaluation in training mode tells of its batches."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nndoctor.record.model import ModuleMode
from tests.probe.conftest import recorded


def normalising(shift: float, training: bool, anneal: int | None = None) -> ModuleMode:
    """Batch norm on standard normal inputs, evaluated in that mode on inputs that lie elsewhere; from that step on its momentum is tiny."""

    def train() -> None:
        torch.manual_seed(0)
        net = nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 2))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for step in range(80):
            x = torch.randn(64, 6)
            if step == anneal:
                net[0].momentum = 1e-5
            optimizer.zero_grad()
            F.cross_entropy(net(x), (x[:, 0] > 0).long()).backward()
            optimizer.step()
            if step == 70:
                net.train(training)
                with torch.no_grad():
                    net(torch.randn(64, 6) + shift)
                net.train()

    (mode,) = recorded(train).modes
    return mode


def test_a_batch_that_lies_elsewhere_is_strange() -> None:
    """In deviations of what the layer knows; a batch like the others is not; in evaluation mode none is asked."""
    assert pytest.approx(5.0, abs=0.5) == normalising(5.0, training=True).strange
    assert (normalising(0.0, training=True).strange or 0) < 0.5
    assert normalising(5.0, training=False).strange is None


def test_forwards_that_leave_the_statistics_as_they_are_are_counted() -> None:
    """Of the steps that are looked at those from which on the script has taken the momentum away."""
    calm, annealed = normalising(0.0, training=True), normalising(0.0, training=True, anneal=30)

    assert (0, 0) == (calm.still, normalising(0.0, training=True, anneal=200).still)
    assert 0 < annealed.still < annealed.training
    assert annealed.training == normalising(0.0, training=True, anneal=0).still
