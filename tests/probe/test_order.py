"""Whether a network that attends is told which place is which: positions, masks and neighbours in its graph."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nndoctor.probe import graph
from nndoctor.probe.terms import _knows_place
from tests.probe.conftest import recorded

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


class Reader(nn.Module):
    """Reads ids by attention, masked as told."""

    def __init__(self, causal: bool, place: bool) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(9, 8, padding_idx=0), nn.Embedding(10, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 2)
        self.causal = nn.Transformer.generate_square_subsequent_mask(10) if causal else None
        self.place = place

    def forward(self, ids: Tensor) -> Tensor:
        told = self.words(ids) + self.places.weight if self.place else self.words(ids)
        return self.head(self.block(told, src_mask=self.causal, src_key_padding_mask=None if self.causal is not None else ids == 0)[:, 0])


@pytest.mark.parametrize(("causal", "place", "blind"), [(False, False, True), (True, False, False), (False, True, False)])
def test_a_mask_of_padding_tells_no_order(causal: bool, place: bool, blind: bool) -> None:
    """It says which keys are there, to every query the same; who may look back alone knows what came before."""

    def train() -> None:
        torch.manual_seed(0)
        model = Reader(causal, place)
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(40):
            ids = torch.randint(1, 9, (32, 10))
            ids[:, 7:] *= torch.randint(0, 2, (32, 1))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(ids), (ids[:, 0] > 4).long()).backward()
            optimizer.step()

    (reference,) = recorded(train).references

    assert blind == reference.blind
