"""Whether a network that attends is told which place is which: positions, masks and neighbours in its graph."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nndoctor.probe import graph
from nndoctor.probe.terms import _knows_place

LENGTH, WIDTH = 7, 16
TOKENS = torch.arange(21).view(3, LENGTH) % 5
embed, places = nn.Embedding(5, WIDTH), nn.Embedding(LENGTH, WIDTH)
layer = nn.TransformerEncoderLayer(WIDTH, 2, 32, dropout=0.0, batch_first=True)
attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
table, fixed = nn.Parameter(torch.ones(1, LENGTH, WIDTH)), torch.ones(LENGTH, WIDTH)


def by_hand(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(x x^T) x."""
    scores = x @ x.mT / 4
    return torch.softmax(scores if mask is None else scores.masked_fill(mask, -1e9), -1) @ x


def turned(x: Tensor) -> Tensor:
    """Rotary positions."""
    a, b = x.chunk(2, -1)
    return x * fixed.cos() + torch.cat([-b, a], -1) * fixed.sin()


@pytest.mark.parametrize(
    ("why", "forward", "known"),
    [
        ("an encoder of bare tokens", lambda: layer(embed(TOKENS)), False),
        ("attention by itself", lambda: attention(embed(TOKENS), embed(TOKENS), embed(TOKENS))[0], False),
        ("attention by hand", lambda: by_hand(embed(TOKENS)), False),
        ("one function for it", lambda: F.scaled_dot_product_attention(embed(TOKENS), embed(TOKENS), embed(TOKENS)), False),
        ("positions that are learnt", lambda: layer(embed(TOKENS) + table), True),
        ("positions that are fixed", lambda: layer(embed(TOKENS) + fixed), True),
        ("positions that are looked up", lambda: layer(embed(TOKENS) + places(torch.arange(LENGTH))), True),
        ("positions that turn", lambda: by_hand(turned(embed(TOKENS))), True),
        ("a causal mask", lambda: F.scaled_dot_product_attention(embed(TOKENS), embed(TOKENS), embed(TOKENS), is_causal=True), True),
        ("a mask by hand", lambda: by_hand(embed(TOKENS), torch.ones(LENGTH, LENGTH).triu(1).bool()), True),
        ("neighbours that are given", lambda: torch.ones(3, LENGTH, LENGTH) @ embed(TOKENS), True),
    ],
)
def test_attention_knows_the_order_that_it_is_told(why: str, forward: Callable[[], Tensor], known: bool) -> None:
    """By itself it sees a bag of tokens."""
    root = forward().sum().grad_fn
    assert root is not None

    assert known == _knows_place(graph.read(graph.walk_from(root)), []), why
