"""Where in the user's code: what most records carry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A line of the user's own code. `file` is relative to the working directory where it lies below it."""

    file: str
    line: int
    function: str = ""
