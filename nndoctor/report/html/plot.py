"""A plot of lines over steps. The drawing stretches with the page, its words do not: SVG between axes of HTML."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from nndoctor.report.html.axis import labels, steps, ticks
from nndoctor.report.html.markup import Markup, data, element
from nndoctor.report.spark import Scale, scale_of
from nndoctor.report.words import number

_MOST = 600  # points of one line; of a longer one means over stretches are drawn
_STRETCH = 40  # parts of a line that its trend averages over
_ROOM = 0.05  # of the height of the plot, above its highest value
_SIZE = 1000  # of the drawing, in units of its own

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Series:
    """One line, or one row of dots. A value that is not finite is a gap and a mark at the top."""

    name: str
    points: Points  # in order
    style: str  # "training", "validation", "trial", "tried", "other": a class of the style sheet
    dots: bool = False
    noisy: bool = False  # drawn faint, under a line of its means
    stepped: bool = False  # a setting: it stays as it is until it is changed


@dataclass(frozen=True)
class Plot:
    """A plot as it is asked for."""

    title: str
    series: list[Series]
    level: tuple[str, float] | None = None  # a horizontal line and its name
    note: str = ""
    scale: Scale | None = None  # found from the values where it is None
    word: Callable[[float], str] = number


def line_plot(plot: Plot) -> Markup:
    """The plot as a figure; empty where no value is finite."""
    shown = [Series(s.name, _thinned(s.points), s.style, s.dots, s.noisy, s.stepped) for s in plot.series if s.points]
    level = plot.level[1] if plot.level and math.isfinite(plot.level[1]) else None
    scale = plot.scale or _with_room(scale_of([y for s in shown for _, y in s.points], level))
    if scale is None:
        return Markup("")
    last = max(x for s in shown for x, _ in s.points)
    across = Scale(min(0.0, *(x for s in shown for x, _ in s.points)), max(last, 1), False)
    drawing = [_grid(scale), _level(level, scale), *(_draw(s, across, scale) for s in shown), _broken(shown, across)]
    marks = [(across.at(x), f"{x:,.0f}") for x in steps(across.low, across.high) if x == int(x)]
    return element(
        "figure",
        element("figcaption", element("h3", plot.title), element("p", plot.note) if plot.note else None),
        _key(shown, plot, level, scale),
        element(
            "div",
            labels("top", [(1 - scale.at(y), plot.word(y)) for y in ticks(scale)]),
            element("div", _svg(drawing), element("i", class_="cursor", hidden=True), element("div", class_="tip", role="status", hidden=True), class_="area"),
            labels("left", marks),
            class_="frame",
        ),
        data({"kind": "lines", "low": across.low, "high": across.high, "percent": plot.word is not number, "lines": [{"name": s.name, "style": s.style, "points": s.points} for s in shown]}),
        class_="plot", role="group", aria_label=plot.title,
    )  # fmt: skip


def _with_room(scale: Scale | None) -> Scale | None:
    """The scale with a little room above its highest value."""
    if scale is None or scale.high <= scale.low:
        return scale
    high = scale.high * (scale.high / scale.low) ** _ROOM if scale.logarithmic else scale.high + _ROOM * (scale.high - scale.low)
    return Scale(scale.low, high, scale.logarithmic)


def _svg(drawing: Iterable[Markup | None]) -> Markup:
    return element("svg", drawing, viewBox=f"0 0 {_SIZE} {_SIZE}", preserveAspectRatio="none", aria_hidden="true", focusable="false")


def _thinned(points: Points) -> Points:
    """Means over stretches of equal length where there are too many; a stretch with a value that is not finite keeps it."""
    size = -(-len(points) // _MOST)
    if size <= 1:
        return points
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    return [(part[-1][0], sum(y for _, y in part) / len(part)) for part in parts]


def _grid(scale: Scale) -> Markup:
    path = "".join(f"M0 {_y(scale, y)}H{_SIZE}" for y in ticks(scale))
    return element("path", d=path, class_="grid")


def _level(level: float | None, scale: Scale) -> Markup | None:
    return element("path", d=f"M0 {_y(scale, level)}H{_SIZE}", class_="level") if level is not None else None


def _draw(series: Series, across: Scale, scale: Scale) -> Markup:
    if series.dots:
        # A line of no length with round ends: a circle would be stretched with the drawing.
        path = "".join(f"M{_x(across, x)} {_y(scale, y)}h0" for x, y in series.points if math.isfinite(y))
        return element("path", d=path, class_=f"dots {series.style}")
    trend = _trend(series.points) if series.noisy else series.points
    faint = element("path", d=_path(series.points, across, scale), class_=f"line faint {series.style}") if trend != series.points else None
    return element("g", faint, element("path", d=_path(trend, across, scale, series.stepped), class_=f"line {series.style}"))


def _trend(points: Points) -> Points:
    """Means over a window that moves with the line; what is not finite stays a gap."""
    reach = len(points) // (2 * _STRETCH)
    if reach == 0:
        return points
    found = []
    for i, (x, y) in enumerate(points):
        window = [v for _, v in points[max(0, i - reach) : i + reach + 1] if math.isfinite(v)]
        found.append((x, sum(window) / len(window) if math.isfinite(y) else y))
    return found


def _path(points: Points, across: Scale, scale: Scale, stepped: bool = False) -> str:
    parts: list[str] = []
    pen = "M"
    for x, y in points:
        if not math.isfinite(y):
            pen = "M"
            continue
        parts.append(f"H{_x(across, x)}V{_y(scale, y)}" if stepped and pen == "L" else f"{pen}{_x(across, x)} {_y(scale, y)}")
        pen = "L"
    return "".join(parts)


def _broken(shown: list[Series], across: Scale) -> Markup | None:
    """Marks at the top where a value is NaN or infinite."""
    path = "".join(f"M{_x(across, x)} 0v30" for s in shown for x, y in s.points if not math.isfinite(y))
    return element("path", d=path, class_="broken") if path else None


def _key(shown: list[Series], plot: Plot, level: float | None, scale: Scale) -> Markup:
    """What each line is, only those that are there."""
    items = [element("li", element("i", class_=f"swatch {'dots ' if s.dots else ''}{s.style}"), s.name) for s in shown]
    if plot.level and level is not None:
        items.append(element("li", element("i", class_="swatch level"), f"{plot.level[0]} {plot.word(level)}"))
    first = next((x for s in shown for x, y in s.points if not math.isfinite(y)), None)
    if first is not None:
        items.append(element("li", element("i", class_="swatch broken"), f"NaN or infinite, first at step {first:,.0f}"))
    if scale.logarithmic:
        items.append(element("li", "logarithmic scale"))
    return element("ul", items, class_="key")


def _x(across: Scale, x: float) -> str:
    return _short(_SIZE * across.at(x))


def _y(scale: Scale, y: float) -> str:
    return _short(_SIZE * (1 - scale.at(y)))


def _short(coordinate: float) -> str:
    return f"{coordinate:.1f}".rstrip("0").rstrip(".")
