"""Axes: round numbers within a range, and where they stand."""

from __future__ import annotations

import math

from nndoctor.report.html.markup import Markup, element
from nndoctor.report.spark import Scale

_FEW = 5  # numbers on an axis, about


def ticks(scale: Scale) -> list[float]:
    """Round numbers within the scale, in rising order."""
    return _decades(scale.low, scale.high) if scale.logarithmic else steps(scale.low, scale.high)


def steps(low: float, high: float, few: int = _FEW) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, from low to high; one number where both are the same."""
    if not high > low:
        return [low]
    rough = (high - low) / few
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12 - math.floor(math.log10(step))) for i in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    stride = max(1, -(-(last - first + 1) // (_FEW + 1)))
    return [10.0**i for i in range(first, last + 1, stride)] or [low, high]


def labels(side: str, marks: list[tuple[float, str]]) -> Markup:
    """Words beside an axis; a mark is its place, a share of the axis from its start, and its word.

    `side` is "left" or "top": what the place is counted from.
    """
    return element("div", [element("span", word, style=f"{side}:{share(place)}") for place, word in marks], class_=f"axis from-{side}", aria_hidden="true")


def share(place: float) -> str:
    """A share as CSS wants it: `12.5%`."""
    return f"{100 * place:.2f}".rstrip("0").rstrip(".") + "%"
