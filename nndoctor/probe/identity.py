"""A table of what is known about the user's objects, by identity: it keeps none alive and calls no method of theirs.

The standard library's weak dictionaries ask each object for its hash, which is the user's code: it may fail before the
object is complete, and change as the object does.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class IdentityTable(Generic[K, V]):
    """Values by object. An entry goes when its object does."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[weakref.ref[K], V]] = {}

    def __setitem__(self, thing: K, value: V) -> None:
        """Raises TypeError for an object that no weak reference can be made to."""
        self._entries[id(thing)] = (weakref.ref(thing, self._forgetting(id(thing))), value)

    def _forgetting(self, key: int) -> Callable[[Any], None]:
        entries = self._entries

        def forget(gone: Any) -> None:
            known = entries.get(key)
            if known is not None and known[0] is gone:  # else the address belongs to another object by now
                del entries[key]

        return forget

    def __getitem__(self, thing: K) -> V:
        """Raises KeyError for an object that is not in the table."""
        if thing not in self:
            raise KeyError(thing)
        return self._entries[id(thing)][1]

    def discard(self, thing: K) -> None:
        """Take an object out, if it is in."""
        if thing in self:
            del self._entries[id(thing)]

    def get(self, thing: K) -> V | None:
        """The value of an object, None where it has none."""
        known = self._entries.get(id(thing))
        return known[1] if known is not None and known[0]() is thing else None

    def __contains__(self, thing: K) -> bool:
        known = self._entries.get(id(thing))
        return known is not None and known[0]() is thing

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> list[tuple[K, V]]:
        """Objects that still live, with their values, in the order in which they came."""
        return [(thing, value) for ref, value in list(self._entries.values()) if (thing := ref()) is not None]

    def __iter__(self) -> Iterator[K]:
        return iter([thing for thing, _ in self.items()])

    def values(self) -> list[V]:
        """The values of the objects that still live."""
        return [value for _, value in self.items()]

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
