"""What one operation of the graph is, as the operations above it tell."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nndoctor.probe import graph

X = torch.randn(4, 6, requires_grad=True)


@pytest.mark.parametrize(
    ("why", "difference", "known"),
    [
        ("of the whole row", lambda x: x - x.logsumexp(1, keepdim=True), True),
        ("of one that was chosen", lambda x: x[:, 0] - x.logsumexp(1), True),
        ("of those that come later", lambda x: x - x.flip(1).logcumsumexp(1).flip(1), True),
        ("of those that are not masked", lambda x: x - x.masked_fill(x > 1, -9.0).logsumexp(1, keepdim=True), True),
        ("written out", lambda x: x - x.exp().sum(1, keepdim=True).log(), True),
        ("Categorical's", lambda x: torch.distributions.Categorical(logits=x).logits, True),
        ("of something else", lambda x: x - (2 * x).logsumexp(1, keepdim=True), False),
        ("the other way round, which is a loss", lambda x: x.logsumexp(1) - x[:, 0], False),
        ("no sum of exponentials", lambda x: x - x.sum(1, keepdim=True).log(), False),
        ("no logarithm", lambda x: x - x.mean(1, keepdim=True), False),
        ("a constant", lambda x: x - 1, False),
    ],
)  # fmt: skip
def test_a_log_softmax_that_is_written_out(why: str, difference: object, known: bool) -> None:
    """What is subtracted is the logarithm of summed exponentials of the same numbers: the difference is never above zero."""
    made: Tensor = difference(X * 1.0)  # type: ignore[operator]

    assert known == graph.link_of(made.grad_fn).normalised, why
