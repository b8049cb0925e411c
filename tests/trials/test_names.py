"""How changes are spelt."""

from __future__ import annotations

import pytest

from nndoctor.errors import UsageError
from nndoctor.knowledge.loader import load_causes
from nndoctor.probe.changes.names import KINDS, parse

_EXAMPLES = {"lr": "0.1", "batch": "4", "momentum": "0.5", "weight-decay": "0", "clip": "1.5", "seed": "1"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_every_kind_is_read_back_as_it_is_spelt(kind: object) -> None:
    """All values of all kinds, in words of their own."""
    for value in (*kind.values, *([_EXAMPLES[kind.name]] if kind.name in _EXAMPLES else [])):  # type: ignore[attr-defined]
        spelling = f"{kind.name}{'*' if kind.scales else '='}{value}"  # type: ignore[attr-defined]
        change = parse(spelling)

        assert spelling == change.spelling
        assert "{" not in change.words


@pytest.mark.parametrize(
    ("given", "read"), [("rate*0.1", "lr*0.1"), ("LR × 10", "lr*10"), ("learning-rate*2", "lr*2"), ("batch-size*0.5", "batch*0.5")]
)
def test_the_common_names_are_understood(given: str, read: str) -> None:
    """Also in capitals, with blanks, and with the sign that reports print."""
    assert read == parse(given).spelling


@pytest.mark.parametrize(
    "given", ["", "lr", "lr=0.1", "lr*0", "lr*-1", "lr*nan", "lr*inf", "lr*ten", "activation=swoosh", "clip=", "clip=-1", "nothing=on", "momentum=x"]
)
def test_what_is_no_change_is_refused_with_a_way_out(given: str) -> None:
    """One sentence that names the form, or where all of them are listed."""
    with pytest.raises(UsageError, match=r"spelt|--list"):
        parse(given)


def test_every_cure_of_every_cause_is_a_change() -> None:
    """`clip=seen` stands for a norm of the recording."""
    for cause in load_causes().values():
        for cure in cause.cures:
            assert parse(cure.replace("=seen", "=1")).is_cure
