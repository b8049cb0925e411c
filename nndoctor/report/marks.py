"""Foreign strings in Markdown: nothing that comes from the user's program is read as a mark, a link or a tag."""

from __future__ import annotations

import re

from nndoctor.report.words import clean

_MARKS = re.compile(r"([\\`*\[\]<>|~#]|(?<!\w)_|_(?!\w)|&(?=#?\w+;))")  # an underscore within a word is none
_AT_START = re.compile(r"^(\s*)([-+]|\d+[.)])(?=\s)")  # of a list
_LETTERS = 12  # of a word, at most on average: what has more is no prose
_TICKS = re.compile(r"`+")


def literal(text: str, most: int | None = None) -> str:
    """One line of prose in which every character stands for itself; after `most` words it is cut with an ellipsis."""
    words = clean(text).split()
    line = " ".join(words[:most])
    if most is not None and (len(words) > most or len(line) > _LETTERS * most):
        line = line[: _LETTERS * most] + "…"
    return _AT_START.sub(_escaped, _MARKS.sub(r"\\\1", line))


def _escaped(match: re.Match[str]) -> str:
    start = match[2]
    return f"{match[1]}{start[:-1]}\\{start[-1]}"


def code(text: str) -> str:
    """A name or command within a line, in backticks that it cannot close."""
    words = " ".join(clean(text).split())
    ticks = "`" * (_longest(words) + 1)
    pad = " " if words.startswith("`") or words.endswith("`") or not words else ""
    return f"{ticks}{pad}{words}{pad}{ticks}"


def fenced(text: str, language: str = "python") -> str:
    """A block of code behind a fence that it cannot close."""
    lines = clean(text).strip("\n")
    fence = "`" * max(_longest(lines) + 1, 3)
    return f"{fence}{language}\n{lines}\n{fence}"


def _longest(text: str) -> int:
    """Length of the longest run of backticks."""
    return max((len(run) for run in _TICKS.findall(text)), default=0)
