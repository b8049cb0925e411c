"""Where little comes through a network: narrow layers, what leads around them, and rows that are multiplied."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nndoctor.probe import straits
from nndoctor.probe.graph import walk_from

X = torch.ones(5, 6)
IDS = torch.arange(5)
first, narrow, last, wide = nn.Linear(6, 12), nn.Linear(12, 1), nn.Linear(1, 12), nn.Linear(12, 12)
people, things, level = nn.Embedding(5, 1), nn.Embedding(5, 1), nn.Embedding(5, 3)


def gated() -> Tensor:
    """Pooling by weights that one unit gives."""
    signal = first(X)
    return wide((torch.softmax(narrow(signal), 0) * signal).sum(0))


@pytest.mark.parametrize(
    ("why", "forward", "found"),
    [
        ("a code of one number", lambda: last(narrow(first(X))), [(5, False)]),
        ("a skip beside it", lambda: last(narrow(first(X))) + first(X), [(5, True)]),
        ("a gate", gated, [(5, True)]),
        ("a head of one unit", lambda: narrow(first(X)), []),
        ("nothing narrow", lambda: wide(first(X)), []),
        ("a layer that is used again", lambda: last(narrow(first(X))) + last(narrow(wide(first(X)))), []),
    ],
)
def test_a_narrow_layer_is_told_with_what_leads_around_it(why: str, forward: Callable[[], Tensor], found: list[tuple[int, bool]]) -> None:
    """How many values it puts out, and whether the loss knows the data without it."""
    root = forward().sum().grad_fn
    assert root is not None

    assert found == [(n.values, n.around) for n in straits.read(walk_from(root)).narrow], why


def test_rows_that_are_multiplied_are_told_with_their_width() -> None:
    """Of two tables, moved or not; rows that are added or scaled by a number are none."""

    def widths(made: Tensor) -> list[int]:
        assert made.grad_fn is not None
        return straits.read(walk_from(made.sum().grad_fn)).factors

    assert [1, 1] == widths(people(IDS) * things(IDS))
    assert [3, 3] == widths(torch.bmm(level(IDS)[:, None, :], level(IDS)[:, :, None]))
    assert [] == widths(people(IDS) + things(IDS) + 2 * level(IDS))
