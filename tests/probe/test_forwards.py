"""Networks that are no modules: their steps are counted once, and the batch is known where a step is looked at."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from nndoctor.record.model import Recording
from tests.probe.conftest import recorded

STEPS, BATCH = 14, 24


def trained(make: Callable[..., torch.optim.Optimizer], closure: bool) -> Recording:
    """Weights without a module, under that optimiser, which is given a closure or not."""

    def train() -> None:
        torch.manual_seed(0)
        w = [(0.3 * torch.randn(*shape)).requires_grad_() for shape in ((6, 16), (16, 3))]
        optimizer = make(w)
        for _ in range(STEPS):
            x, y = torch.randn(BATCH, 6), torch.randint(0, 3, (BATCH,))

            def compute(x: torch.Tensor = x, y: torch.Tensor = y) -> float:
                optimizer.zero_grad()
                loss = F.cross_entropy(torch.relu(x @ w[0]) @ w[1], y)
                loss.backward()
                return loss.item()

            if closure:
                optimizer.step(compute)
            else:
                compute()
                optimizer.step()

    return recorded(train)


@pytest.mark.parametrize(
    ("make", "closure"),
    [
        (lambda w: torch.optim.SGD(w, lr=0.1), False),
        (lambda w: torch.optim.SGD(w, lr=0.1), True),
        (lambda w: torch.optim.LBFGS(w, lr=0.1, max_iter=4), True),
    ],
    ids=["plain", "closure", "LBFGS"],
)
def test_steps_of_weights_without_a_module(make: Callable[..., torch.optim.Optimizer], closure: bool) -> None:
    """Each step once, whatever its closure computes, with its loss and its parameters, and with its batch in the looks after the first."""
    recording = trained(make, closure)
    steps = recording.steps

    assert list(range(1, STEPS + 1)) == [s.index for s in steps]
    assert dict.fromkeys((2, 3, 5, 7, 10), BATCH) == {s.index: s.batch for s in steps if s.batch is not None}
    assert [] == [s.index for s in steps if s.loss is None or s.held != 2]
    assert [] == recording.models
