"""Room on the stack: the watch stands between the script's calls, and a script that recurses deep must not fail by that."""

from __future__ import annotations

import sys

_ROOM = 400  # frames that this package may need at any point


class deeper:  # noqa: N801 - used like a function, on the hot path
    """More frames are allowed inside. A call of a module takes three of them, and one more under watch: half as many again is enough.

    A limit that the script sets inside stays.
    """

    __slots__ = ("_limit", "_raised")

    def __enter__(self) -> None:
        self._limit = sys.getrecursionlimit()
        self._raised = self._limit + self._limit // 2 + _ROOM
        sys.setrecursionlimit(self._raised)

    def __exit__(self, *error: object) -> None:
        if sys.getrecursionlimit() == self._raised:
            sys.setrecursionlimit(self._limit)
