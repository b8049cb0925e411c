"""What the watch keeps of the inputs of validation: of real numbers their place, of ids how strange they are to training."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nndoctor.record.model import Recording, Vocabulary
from tests.probe.conftest import recorded

PAD, UNKNOWN, WORDS = 0, 1, 60


def validated(model: nn.Module, train: Tensor, val: Tensor, before: Callable[[Tensor], Tensor] = lambda x: x, epochs: int = 3) -> Recording:
    """A run over rows whose second entry tells the class, that validates after each epoch."""

    def script() -> None:
        made = [*model.parameters(), *(before.parameters() if isinstance(before, nn.Module) else ())]
        optimizer = torch.optim.Adam(made, lr=0.01)
        for _ in range(epochs):
            for x in train.split(50):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(before(x)), (x[:, 1] > x[:, 1].float().mean()).long()).backward()
                optimizer.step()
            with torch.no_grad():
                for x in val.split(50):
                    model(before(x)).argmax(1)

    return recorded(script)


def sentences(rows: int, seed: int, filled: int, words: int = WORDS) -> Tensor:
    """Rows of twelve words, of which low ones come often, filled up at the end."""
    draw = torch.Generator().manual_seed(seed)
    ids = 2 + (torch.rand(rows, 12, generator=draw) ** 3 * (words - 2)).long()
    return torch.cat([ids, torch.full((rows, filled), PAD)], dim=1)


def vocabulary(val: Tensor) -> Vocabulary:
    """What is said of a validation set, of a run that trains on six hundred sentences."""
    model = nn.Sequential(nn.EmbeddingBag(WORDS, 8), nn.Linear(8, 2))
    return validated(model, sentences(600, 0, filled=2), val).vocabularies[0]


def test_the_same_words_filled_to_another_length() -> None:
    """Nothing is strange, and what fills rows up is not counted."""
    v = vocabulary(sentences(200, 1, filled=30))

    assert 0.85 * 4 * 17 * 12 < v.validated <= 4 * 17 * 12
    assert v.trained >= 400
    assert (0.0, 0.0) == pytest.approx((v.strange, v.chance), abs=0.05)
    assert v.place is not None


def test_unknown_words_are_strange() -> None:
    """Those within a row; they have one id."""
    val = sentences(200, 1, filled=2)
    val[:, 3:9] = UNKNOWN
    v = vocabulary(val)

    assert (0.5, 0.5) == pytest.approx((v.strange, v.one), abs=0.05)


def test_words_that_are_numbered_anew() -> None:
    """Many ids come more often than they did, and many less."""
    order = torch.randperm(WORDS - 2, generator=torch.Generator().manual_seed(2))
    val = sentences(200, 1, filled=0)
    v = vocabulary(order[val - 2] + 2)

    assert v.strange > 0.2
    assert v.one < 0.7 * v.strange
    assert v.chance < 0.05


def test_training_whose_words_change_as_it_goes_on() -> None:
    """What it is fed with late is strange to what it was fed with first, and a validation set may be so as well."""
    first, late = sentences(300, 0, filled=0, words=30), sentences(300, 1, filled=0, words=30) + 30
    model = nn.Sequential(nn.EmbeddingBag(WORDS, 8), nn.Linear(8, 2))
    v = validated(model, torch.cat([first, late]), late, epochs=1).vocabularies[0]

    assert v.chance > 0.9


def test_what_another_network_makes_is_marked() -> None:
    """Where it is trained as well; data are not, nor is what a network that stays as it is makes of them."""
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    encoder = nn.Linear(4, 3)
    frozen = nn.Linear(4, 3).requires_grad_(False)

    assert [False] == [f.made for f in validated(nn.Linear(4, 2), x, x[:50]).features]
    assert [False, True] == [f.made for f in validated(nn.Linear(3, 2), x, x[:50], encoder).features]
    assert not any(f.made for f in validated(nn.Linear(3, 2), x, x[:50], frozen).features)


def test_one_row_again_and_again_is_marked() -> None:
    """In every batch; a batch of one row says nothing."""
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))

    assert [True] == [h.repeated for h in validated(nn.Linear(4, 2), x, x[:1].expand(60, 4)).holdouts]
    assert [False] == [h.repeated for h in validated(nn.Linear(4, 2), x, x[:60]).holdouts]
