"""Which reshapes are noted: those that make the first axis of a tensor the second one without moving a number."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nndoctor.record.model import Recording, Reshaping
from tests.probe.conftest import recorded


def reshaped(change: Callable[[Tensor], Tensor], *shape: int) -> Recording:
    """A training in which batches of 12 come to a layer in another shape."""

    def train() -> None:
        weight = nn.Linear(8, 8)
        optimizer = torch.optim.SGD(weight.parameters(), lr=0.01)
        for _ in range(12):
            optimizer.zero_grad()
            change(weight(torch.randn(*shape, 8))).square().mean().backward()
            optimizer.step()

    return recorded(train)


@pytest.mark.parametrize("after", [(5, 12, 8), (5, 12, 2, 4), (10, 12, 4)])
def test_batches_that_are_dealt_out_anew(after: tuple[int, ...]) -> None:
    """By view or by reshape, into any number of axes, and noted once a line."""
    (by_view,) = reshaped(lambda x: x.view(*after), 12, 5).reshapings
    (by_reshape,) = reshaped(lambda x: x.reshape(after), 12, 5).reshapings

    assert Reshaping([12, 5, 8], list(after), by_view.place) == by_view
    assert (by_view.before, by_view.after) == (by_reshape.before, by_reshape.after)
    assert by_view.place is not None


@pytest.mark.parametrize(
    ("why", "change", "shape"),
    [
        ("axes are joined, and the last is as long by chance", lambda x: x.view(96, 12, 8), (12, 8, 12)),
        ("a new axis comes first", lambda x: x.view(1, 12, -1), (12, 5)),
        ("heads are taken apart", lambda x: x.view(12, 5, 2, 4).transpose(1, 2), (12, 5)),
        ("axes are swapped", lambda x: x.transpose(0, 1).reshape(5, 12, 8), (12, 5)),
        ("rows are put together", lambda x: x.reshape(6, 2, 5, 8), (12, 5)),
    ],
)
def test_reshapes_that_keep_samples_together(why: str, change: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> None:
    """They are not noted."""
    assert [] == reshaped(change, *shape).reshapings, why
