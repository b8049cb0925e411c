"""Attributes of torch that are replaced for a while, and put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_INHERITED = object()  # what stood there was a base class's


def _put(owner: Any, name: str, old: Any) -> None:
    if old is _INHERITED:
        delattr(owner, name)
    else:
        setattr(owner, name, old)


class Patches:
    """Attributes that were replaced, with what stood there before."""

    def __init__(self) -> None:
        self._old: list[tuple[Any, str, Any, Any]] = []  # owner, name, what stood there, what was put there
        self._handles: list[Any] = []

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Put `make(old)` in the place of an attribute, its own or inherited."""
        old = owner.__dict__.get(name, _INHERITED)
        ours = make(getattr(owner, name) if old is _INHERITED else old)
        self._old.append((owner, name, old, ours))
        setattr(owner, name, ours)

    def hook(self, handle: Any) -> None:
        """Keep a removable hook's handle."""
        self._handles.append(handle)

    @contextmanager
    def suspended(self, owner: Any) -> Iterator[None]:
        """The attributes of one owner as they were, for a while."""
        ours = [(name, getattr(owner, name)) for o, name, _, _ in self._old if o is owner]
        for o, name, old, _ in reversed(self._old):  # one may have been put over another
            if o is owner:
                _put(o, name, old)
        try:
            yield
        finally:
            for name, mine in ours:
                setattr(owner, name, mine)

    def remove(self) -> None:
        """Everything as it was. What the script has put over ours stays, and ours beneath it, which passes everything on."""
        for owner, name, old, ours in reversed(self._old):
            if owner.__dict__.get(name) is ours:
                _put(owner, name, old)
        for handle in self._handles:
            handle.remove()
        self._old.clear()
        self._handles.clear()
