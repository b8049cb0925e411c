"""A heat map: a row a layer, a column a step, a level of colour for each value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from nndoctor.report.html.axis import labels
from nndoctor.report.html.markup import Markup, data, element
from nndoctor.report.spark import Scale
from nndoctor.report.words import number

LEVELS = 10  # classes h0 to h9 of the style sheet
_COLUMNS = 120  # of more, evenly spaced ones are shown
_ROWS = 48  # of more, the first and the last half
_MARKS = 4  # numbers below the map

Step = TypeVar("Step")


@dataclass(frozen=True)
class Heat:
    """A heat map as it is asked for. A value None was not measured; `values` is [rows][columns]."""

    title: str
    note: str
    rows: list[str]
    columns: list[int]  # steps
    values: list[list[float | None]]
    scale: Scale | None = None  # found from the values where it is None
    word: Callable[[float | None], str] = number


def heat_map(heat: Heat) -> Markup:
    """The map as a figure; empty where nothing was measured."""
    heat, left_out = _cut(heat)
    known = [v for row in heat.values for v in row if v is not None]
    scale = (heat.scale or _scale(known)) if known else None
    if scale is None:
        return Markup("")
    wide, high = len(heat.columns), len(heat.rows)
    drawing = element(
        "svg", [element("path", d=path, class_=f"h{level}") for level, path in _paths(heat, scale).items()],
        viewBox=f"0 0 {wide} {high}", preserveAspectRatio="none", aria_hidden="true", focusable="false",
    )  # fmt: skip
    every = max(1, -(-wide // _MARKS))
    marks = [((i + 0.5) / wide, f"{heat.columns[i]:,}") for i in range(0, wide, every)]
    note = heat.note + (f" {left_out} layers between the first and the last are left out." if left_out else "")
    return element(
        "figure",
        element("figcaption", element("h3", heat.title), element("p", note)),
        element(
            "div",
            element("div", [element("span", element("bdi", name), title=name) for name in heat.rows], class_="names"),
            element("div", drawing, element("div", class_="tip", role="status", hidden=True), class_="area", style=f"height:{1.5 * high}rem"),
            labels("left", marks),
            class_="frame",
        ),
        _key(heat, scale),
        data({"kind": "cells", "rows": heat.rows, "columns": heat.columns, "percent": heat.word is not number, "values": heat.values}),
        class_="heat", role="group", aria_label=heat.title,
    )  # fmt: skip


def evenly(steps: Sequence[Step]) -> list[Step]:
    """Of more steps than a map has columns for, evenly spaced ones."""
    return list(steps[:: -(-len(steps) // _COLUMNS) or 1])


def _cut(heat: Heat) -> tuple[Heat, int]:
    """The map with as many rows and columns as can be told apart, and how many rows are missing."""
    columns = evenly(list(range(len(heat.columns))))
    half = _ROWS // 2
    rows = list(range(len(heat.rows)))
    kept = rows if len(rows) <= _ROWS else [*rows[:half], *rows[-half:]]
    cut = Heat(
        heat.title, heat.note, [heat.rows[i] for i in kept], [heat.columns[x] for x in columns],
        [[heat.values[y][x] for x in columns] for y in kept],
        heat.scale, heat.word,
    )  # fmt: skip
    return cut, len(rows) - len(kept)


def _scale(values: Sequence[float]) -> Scale:
    """By powers of ten from the smallest to the largest; values of zero take the lowest level."""
    positive = [v for v in values if math.isfinite(v) and v > 0]
    return Scale(min(positive), max(positive), True) if positive else Scale(0.0, 1.0, False)


def level_of(value: float | None, scale: Scale) -> str:
    """The class of a value without its `h`: a level, `n` for NaN and infinity, "" where nothing was measured."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return "n"
    return str(min(int(LEVELS * scale.at(value)), LEVELS - 1))


def _paths(heat: Heat, scale: Scale) -> dict[str, str]:
    """One path of squares for each level; neighbours of one level in a row are one rectangle."""
    paths: dict[str, list[str]] = {}
    for y, row in enumerate(heat.values):
        found = [level_of(v, scale) for v in row]
        start = 0
        for x in range(1, len(found) + 1):
            if x < len(found) and found[x] == found[start]:
                continue
            if found[start]:
                paths.setdefault(found[start], []).append(f"M{start} {y}h{x - start}v1h-{x - start}z")
            start = x
    return {level: "".join(parts) for level, parts in paths.items()}


def _key(heat: Heat, scale: Scale) -> Markup:
    """The levels from low to high with the values at both ends, and what is no number."""
    ramp = [element("i", class_=f"swatch h{i}") for i in range(LEVELS)]
    broken = any(v is not None and not math.isfinite(v) for row in heat.values for v in row)
    unknown = any(v is None for row in heat.values for v in row)
    items = [
        element("li", element("span", heat.word(scale.low)), element("span", ramp, class_="ramp"), element("span", heat.word(scale.high))),
        element("li", element("i", class_="swatch hn"), "NaN or infinite") if broken else None,
        element("li", element("i", class_="swatch unknown"), "not measured") if unknown else None,
    ]
    return element("ul", items, class_="key")
