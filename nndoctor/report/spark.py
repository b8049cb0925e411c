"""The loss curve drawn in characters: training as a line of dots, validation as circles, the constant predictor's level.

A cell of the drawing is a Braille character, two dots wide and four high, so that twelve hundred steps fit into a
line of text and an oscillation still looks like one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.text import Text

from nndoctor.report.words import clean, count, number

# Bits of a Braille character by column and row of its dots (Unicode 11.0, section 21.1).
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_DECADES = 100.0  # a range wider than this is drawn on a logarithmic scale
_HEIGHT, _LOW_HEIGHT = 6, 4  # lines; the lower drawing for a curve that would leave most of the higher one empty

Points = Sequence[tuple[int, float | None]]


@dataclass(frozen=True)
class Scale:
    """Maps a loss to 0 (bottom) .. 1 (top)."""

    low: float
    high: float
    logarithmic: bool

    def at(self, value: float) -> float:
        """Position of a finite loss, clamped to the drawing."""
        low, high, value = self.low, self.high, min(max(value, self.low), self.high)
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return (value - low) / (high - low) if high > low else 0.5


def draw(
    training: Points, validation: Points = (), constant: float | None = None, width: int = 72, noun: tuple[str, str] = ("step", "steps")
) -> list[Text]:
    """The drawing with its axes and its key, one `Text` a line; empty where no loss was finite.

    `noun` is what one of the points is called, and several.
    """
    scale = scale_of([v for _, v in (*training, *validation)], constant)
    if scale is None:
        return []
    height = _height(training, scale)
    labels = _labels(scale, constant, height)
    margin = max(len(s) for s in labels.values())
    columns = max(width - margin - 2, 10)
    last = max([1, *(s for s, _ in (*training, *validation))])  # a validation may come before the first step
    cells = _line(training, scale, columns, height, last)
    circles = {_cell(s, v, scale, columns, height, last) for s, v in validation if _finite(v)}
    level = _row(scale.at(constant), height) if _finite(constant) and constant is not None else None
    broken = _broken(training, columns, last)
    lines = []
    for row in range(height):
        label = labels.get(row, "")
        marks = [(f"{label:>{margin}} {'┤' if label else '│'}", "dim")]
        for column in range(columns):
            if row == 0 and column in broken:
                marks.append(("×", "bold red"))
            elif (row, column) in circles:
                marks.append(("o", "bold yellow"))
            elif cells[row][column]:
                marks.append((chr(0x2800 + cells[row][column]), "cyan"))
            else:
                marks.append(("┈", "dim") if row == level else (" ", ""))
        lines.append(_joined(marks))
    lines.append(_foot(margin, columns, last, noun))
    lines.extend(_key(training, bool(circles), scale, constant, margin + 2, width, noun[0]))
    return lines


_STYLES = ("cyan", "bold yellow", "bold magenta", "bold green")


def draw_together(curves: Sequence[tuple[str, Points]], width: int = 72) -> list[Text]:
    """Several training curves on one scale, each under its name; empty where no loss was finite."""
    scale = scale_of([v for _, points in curves for _, v in points], None)
    if scale is None:
        return []
    last = max((s for _, points in curves for s, _ in points), default=1)
    labels = _labels(scale, None, _LOW_HEIGHT)
    margin = max(len(s) for s in labels.values())
    columns = max(width - margin - 2, 10)
    lines: list[Text] = []
    for (name, points), style in zip(curves, _STYLES, strict=False):
        broken = _broken(points, columns, last)
        lines.append(Text(f"{' ' * (margin + 2)}{clean(name)}", style=style))
        for row, cells in enumerate(_line(points, scale, columns, _LOW_HEIGHT, last)):
            label = labels.get(row, "")
            marks = [(f"{label:>{margin}} {'┤' if label else '│'}", "dim")]
            marks += [
                ("×", "bold red") if row == 0 and c in broken else (chr(0x2800 + bits), style) if bits else (" ", "")
                for c, bits in enumerate(cells)
            ]  # fmt: skip
            lines.append(_joined(marks))
    return [*lines, _foot(margin, columns, last, ("step", "steps"))]


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def scale_of(values: Sequence[float | None], constant: float | None) -> Scale | None:
    """The scale on which these losses and a constant predictor's are drawn; None where no loss is finite."""
    finite = [v for v in values if v is not None and math.isfinite(v)]
    if not finite:
        return None
    if constant is not None and math.isfinite(constant):
        finite.append(constant)
    low, high = min(finite), max(finite)
    positive = [v for v in finite if v > 0]
    if low >= 0 and positive and high / min(positive) >= _DECADES:
        return Scale(min(positive), high, True)
    # From zero, so that a loss that falls by a hundredth looks like one that does.
    return Scale(min(low, 0.0), max(high, 0.0), False)


def _height(training: Points, scale: Scale) -> int:
    positions = [scale.at(v) for _, v in training if v is not None and math.isfinite(v)] or [0.0]
    return _HEIGHT if max(positions) - min(positions) > 0.25 else _LOW_HEIGHT


def _row(position: float, height: int) -> int:
    return min(int((1 - position) * height), height - 1)


def _column(step: int, columns: int, last: int) -> int:
    return min(int((step - 1) / last * columns), columns - 1)


def _cell(step: int, value: float | None, scale: Scale, columns: int, height: int, last: int) -> tuple[int, int]:
    return _row(scale.at(value or 0.0), height), _column(max(step, 1), columns, last)


def _broken(training: Points, columns: int, last: int) -> set[int]:
    """Columns of the steps whose loss was NaN or infinite."""
    broken: set[int] = set()
    for step, value in training:
        if value is not None and not math.isfinite(value):
            start = _column(step, columns, last)
            broken.update(range(start, max(_column(step + 1, columns, last), start + 1)))
    return broken


def _line(training: Points, scale: Scale, columns: int, height: int, last: int) -> list[list[int]]:
    """Braille bits by row and column: the mean loss of the steps that share a column of dots, joined up."""
    sums: dict[int, tuple[float, int]] = {}
    for step, value in training:
        if value is not None and math.isfinite(value):
            x = _column(step, 2 * columns, last)
            total, n = sums.get(x, (0.0, 0))
            sums[x] = (total + scale.at(value), n + 1)
    cells = [[0] * columns for _ in range(height)]
    before: tuple[int, int] | None = None
    for x in sorted(sums):
        total, n = sums[x]
        y = min(int((1 - total / n) * 4 * height), 4 * height - 1)
        for px, py in _between(before, (x, y)):
            cells[py // 4][px // 2] |= _DOTS[px % 2][py % 4]
        before = (x, y)
    return cells


def _between(start: tuple[int, int] | None, end: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots from one point (left out) to the next; the point alone where there is none before it."""
    if start is None:
        return [end]
    (x0, y0), (x1, y1) = start, end
    n = max(x1 - x0, abs(y1 - y0), 1)
    return [(x0 + round((x1 - x0) * i / n), y0 + round((y1 - y0) * i / n)) for i in range(1, n + 1)]


def _labels(scale: Scale, constant: float | None, height: int) -> dict[int, str]:
    """Losses written beside the rows: the top, the bottom, and the constant predictor's where there is room."""
    if scale.high == scale.low:
        return {_row(0.5, height): number(scale.high)}
    labels = {0: number(scale.high), height - 1: number(scale.low)}
    if constant is not None and math.isfinite(constant):
        labels.setdefault(_row(scale.at(constant), height), number(constant))
    return labels


def _joined(marks: list[tuple[str, str]]) -> Text:
    """One line, with neighbours of one style in one span."""
    line = Text()
    for style, run in groupby(marks, key=lambda mark: mark[1]):
        line.append("".join(mark for mark, _ in run), style=style)
    return line


def _foot(margin: int, columns: int, last: int, noun: tuple[str, str]) -> Text:
    end = f" {count(last, *noun)}"
    return Text(" " * (margin + 1) + "└" + "─" * max(columns - len(end), 1) + end, style="dim")


def _key(training: Points, circles: bool, scale: Scale, constant: float | None, indent: int, width: int, noun: str) -> list[Text]:
    """What the marks mean, only those that occur."""
    parts = [Text.assemble(("⠒⠒", "cyan"), (" training", "dim"))] if training else []
    if circles:
        parts.append(Text.assemble(("o", "bold yellow"), (" validation", "dim")))
    if _finite(constant):
        parts.append(Text(f"┈┈ constant prediction {number(constant)}", style="dim"))
    first = next((s for s, v in training if v is not None and not math.isfinite(v)), None)
    if first is not None:
        parts.append(Text.assemble(("×", "bold red"), (f" NaN or infinite from {noun} {first:,}", "dim")))
    if scale.logarithmic:
        parts.append(Text("log scale", style="dim"))
    lines = [Text(" " * indent)]
    for part in parts:
        if len(lines[-1]) > indent and len(lines[-1]) + len(part) + 3 > width:
            lines.append(Text(" " * indent))
        if len(lines[-1]) > indent:
            lines[-1].append("   ")
        lines[-1].append_text(part)
    return lines
