"""What is known of the user's objects is known by identity: none is asked, kept alive, or taken for another."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from nndoctor.probe.identity import IdentityTable


class Difficult:
    """Says that it equals everything, and fails when it is asked for its hash."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        raise AttributeError("not yet")


def test_objects_are_not_asked() -> None:
    """Neither for a hash nor whether they are equal."""
    table: IdentityTable[Any, int] = IdentityTable()
    one, two = Difficult(), Difficult()
    table[one] = 1
    table[two] = 2

    assert (1, 2) == (table[one], table[two])
    assert [1, 2] == table.values()
    assert Difficult() not in table
    assert table.get(Difficult()) is None
    with pytest.raises(KeyError):
        table[None]


def test_objects_can_die() -> None:
    """Their entries go with them, and an object at the same address is another one."""
    table: IdentityTable[Any, int] = IdentityTable()
    for i in range(50):
        thing = Difficult()
        assert thing not in table
        table[thing] = i
    del thing
    gc.collect()

    assert 0 == len(table)
    assert [] == list(table)


def test_entries_can_be_taken_out() -> None:
    """One, or all."""
    table: IdentityTable[Any, int] = IdentityTable()
    one, two = Difficult(), Difficult()
    table[one], table[two] = 1, 2
    table.discard(one)
    table.discard(one)

    assert [2] == table.values()
    table.clear()
    assert not len(table)
