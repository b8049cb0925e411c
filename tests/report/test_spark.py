"""The drawn loss curve."""

from __future__ import annotations

import math

import pytest
from rich.cells import cell_len

from nndoctor.report.spark import draw

FALLING = [(i, 2.0 * 0.98**i) for i in range(1, 201)]


def drawn(*args: object, **kwargs: object) -> list[str]:
    return [line.plain for line in draw(*args, **kwargs)]  # type: ignore[arg-type]


def dots(lines: list[str]) -> list[list[int]]:
    """Column numbers of the line's dots, by row."""
    return [
        [x for x, c in enumerate(line) if "\u2801" <= c <= "\u28ff"] for line in lines if "│" in line or "┤" in line
    ]


def test_a_falling_loss_falls() -> None:
    """The curve begins at the top left and ends at the bottom right."""
    rows = dots(drawn(FALLING, width=60))

    assert min(rows[0]) < min(rows[2]) < min(rows[-1])
    assert max(rows[-1]) == 59
    assert max(rows[0]) < 20


def test_a_flat_loss_is_flat() -> None:
    """The scale begins at zero: a loss that falls by a hundredth stays within one row."""
    rows = dots(drawn([(i, 2.3 - 0.0002 * i) for i in range(1, 101)], width=60))

    assert 1 == sum(1 for row in rows if row)
    assert 4 == len(rows)


def test_axis_shows_range_and_steps() -> None:
    """The highest loss stands at the top, zero at the bottom, the number of steps under it."""
    lines = drawn(FALLING, width=60)

    assert lines[0].startswith("1.96 ┤")
    assert lines[5].startswith("   0 ┤")
    assert lines[6].endswith("─ 200 steps")


def test_constant_predictor_is_a_dashed_level() -> None:
    """The level is labelled beside its row and named in the key."""
    lines = drawn(FALLING, constant=1.0, width=60)

    assert lines[2].startswith("   1 ┤")
    assert "┈┈┈┈" in lines[2]
    assert "┈┈ constant prediction 1" in lines[-1]
    assert "┈" not in "".join(drawn(FALLING, width=60))


def test_validation_is_circles() -> None:
    """Each validation pass is one circle at its step and height."""
    lines = drawn(FALLING, [(100, 1.9), (200, 1.9)], width=60)

    assert 2 == lines[0].count("o")
    assert 59 == lines[0].rindex("o")
    assert "o validation" in lines[-1]


def test_validation_before_the_first_step_is_drawn_at_the_left() -> None:
    """A pass over the untrained network has step 0."""
    lines = drawn(FALLING, [(0, 1.9)], width=60)

    assert 6 == lines[0].index("o")


def test_decades_are_drawn_on_a_logarithmic_scale() -> None:
    """A loss from 1000 to 0.001 is a straight line, and the key says that the scale is logarithmic."""
    lines = drawn([(i, 10.0 ** (3 - 6 * i / 100)) for i in range(101)][1:], width=60)

    assert "log scale" in lines[-1]
    assert all(5 <= len(row) <= 15 for row in dots(lines))


def test_a_loss_that_reaches_zero_keeps_its_logarithmic_scale() -> None:
    """Zero is drawn at the bottom, where the smallest loss above it is."""
    lines = drawn([(1, 100.0), (2, 1.0), (3, 0.01), (4, 0.0)], width=60)

    assert "log scale" in lines[-1]
    assert "0.01 ┤" in lines[5]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_crossed_out(bad: float) -> None:
    """From its step on crosses stand in the top row, and the key names the step."""
    lines = drawn([(i, 1.0 if i < 50 else bad) for i in range(1, 101)], width=60)

    assert lines[0].endswith("×" * 20)
    assert "×" not in lines[0][:30]
    assert "× NaN or infinite from step 50" in "\n".join(lines)


def test_nothing_finite_draws_nothing() -> None:
    """Without a finite loss there is no scale, so no drawing."""
    assert [] == draw([])
    assert [] == draw([(1, math.nan), (2, None), (3, math.inf)])


@pytest.mark.parametrize(
    "points",
    [
        [(1, 0.0)],
        [(1, -5.0), (2, -7.0)],
        [(1, 1e300), (2, 1e-300)],
        [(1, 5e-324), (2, 1.0)],
        [(i, (-1.0) ** i * 1e9) for i in range(1, 50)],
        [(i, None if i % 2 else 3.0) for i in range(1, 50)],
        [(i, 1.0) for i in range(1, 5000)],
        [(3, 2.0), (1, 1.0)],
    ],
)
@pytest.mark.parametrize("width", [40, 72, 96])
def test_any_losses_can_be_drawn(points: list[tuple[int, float | None]], width: int) -> None:
    """Negative, huge, tiny, constant, missing and unordered losses: every line fits and something is drawn."""
    lines = drawn(points, constant=0.5, width=width)

    assert all(cell_len(line) <= width for line in lines)
    assert any(row for row in dots(lines))
