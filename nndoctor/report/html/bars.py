"""Bars beside words, and ranges of features: plots that need no axis of steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nndoctor.report.html.axis import labels, share, steps
from nndoctor.report.html.markup import Markup, data, element
from nndoctor.report.words import number

_WIDE = 1000.0  # a largest value over the smallest deviation beyond which the axis goes by powers of ten
_SIZE = 1000


@dataclass(frozen=True)
class Bar:
    """One bar: a share of the longest, what it stands for, and its class in the style sheet."""

    share: float
    words: str
    style: str


def bar_chart(title: str, note: str, key: Sequence[tuple[str, str]], rows: Sequence[tuple[str, Sequence[Bar]]]) -> Markup:
    """A row a name, each with its bars below one another; `key` names the classes."""
    if not rows:
        return Markup("")
    body = [
        element("div", element("span", element("bdi", name), class_="name", title=name), element("div", [_bar(b) for b in bars], class_="bars"), class_="row")
        for name, bars in rows
    ]
    return element(
        "figure",
        element("figcaption", element("h3", title), element("p", note) if note else None),
        element("ul", [element("li", element("i", class_=f"swatch bar {style}"), words) for style, words in key], class_="key"),
        element("div", body, class_="chart"),
        class_="rows", role="group", aria_label=title,
    )  # fmt: skip


def _bar(bar: Bar) -> Markup:
    wide = min(max(bar.share, 0.0), 1.0) if math.isfinite(bar.share) else 0.0
    return element("div", element("span", element("i", class_=f"bar {bar.style}", style=f"width:{share(wide)}"), class_="track"), element("span", bar.words, class_="value"))


@dataclass(frozen=True)
class Range:
    """What one feature ranges over."""

    name: str
    low: float
    high: float
    mean: float
    deviation: float


class _Bent:
    """Maps values to 0 (bottom) .. 1 (top): straight, or by powers of ten on both sides of zero where they differ widely."""

    def __init__(self, ranges: Sequence[Range]) -> None:
        ends = [v for r in ranges for v in (r.low, r.high, r.mean - r.deviation, r.mean + r.deviation)]
        sizes = [r.deviation for r in ranges if r.deviation > 0]
        largest = max((abs(v) for v in ends), default=0.0)
        self.bent = bool(sizes) and largest > _WIDE * min(sizes)
        self._unit = max(min(sizes), largest * 1e-9) if self.bent else 1.0
        self.low, self.high = min([*ends, 0.0]), max([*ends, 0.0])
        if self.low == self.high:
            self.low, self.high = self.low - 1.0, self.high + 1.0

    def at(self, value: float) -> float:
        """Position of a value."""
        low, high, value = (math.asinh(v / self._unit) if self.bent else v for v in (self.low, self.high, value))
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def ticks(self) -> list[float]:
        """Zero and powers of ten, or round numbers."""
        if not self.bent:
            return steps(self.low, self.high)
        powers = [10.0**i for i in range(math.ceil(math.log10(self._unit)), 1 + math.floor(math.log10(max(abs(self.low), self.high))))]
        stride = max(1, -(-len(powers) // 4))
        sides = [*(-p for p in powers[::-stride]), 0.0, *powers[::-1][::stride][::-1]]
        return [v for v in sides if self.low <= v <= self.high]


def range_plot(title: str, note: str, ranges: Sequence[Range]) -> Markup:
    """A column a feature: a thin line from its smallest to its largest value, a wide one for a deviation about its mean."""
    known = [r for r in ranges if all(math.isfinite(v) for v in (r.low, r.high, r.mean, r.deviation))]
    if not known:
        return Markup("")
    axis, wide = _Bent(known), len(known)
    thin, thick, middle = [], [], []
    for i, r in enumerate(known):
        x = _SIZE * (i + 0.5) / wide
        ends = [_SIZE * (1 - axis.at(v)) for v in (r.low, r.high, r.mean - r.deviation, r.mean + r.deviation, r.mean)]
        half = min(0.35 * _SIZE / wide, 0.05 * _SIZE)
        thin.append(f"M{x:.1f} {ends[0]:.1f}V{ends[1]:.1f}")
        thick.append(f"M{x - half:.1f} {ends[2]:.1f}H{x + half:.1f}V{ends[3]:.1f}H{x - half:.1f}z")
        middle.append(f"M{x - half:.1f} {ends[4]:.1f}H{x + half:.1f}")
    drawing = element(
        "svg",
        element("path", d="".join(f"M0 {_SIZE * (1 - axis.at(v)):.1f}H{_SIZE}" for v in axis.ticks()), class_="grid"),
        element("path", d="".join(thin), class_="range"), element("path", d="".join(thick), class_="box"), element("path", d="".join(middle), class_="mean"),
        viewBox=f"0 0 {_SIZE} {_SIZE}", preserveAspectRatio="none", aria_hidden="true", focusable="false",
    )  # fmt: skip
    every = max(1, -(-wide // 8))
    key = [("range", "smallest to largest"), ("box", "one deviation about the mean"), ("mean", "mean")]
    return element(
        "figure",
        element("figcaption", element("h3", title), element("p", note, " Powers of ten on both sides of zero." if axis.bent else None)),
        element("ul", [element("li", element("i", class_=f"swatch {style}"), words) for style, words in key], class_="key"),
        element(
            "div",
            labels("top", [(1 - axis.at(v), number(v)) for v in axis.ticks()]),
            element("div", drawing, element("div", class_="tip", role="status", hidden=True), class_="area"),
            labels("left", [((i + 0.5) / wide, known[i].name) for i in range(0, wide, every)]),
            class_="frame",
        ),
        data({"kind": "ranges", "ranges": [{"name": r.name, "low": r.low, "high": r.high, "mean": r.mean, "deviation": r.deviation} for r in known]}),
        class_="plot", role="group", aria_label=title,
    )  # fmt: skip
