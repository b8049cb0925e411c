"""Numbers and foreign strings as words."""

from __future__ import annotations

import math

import pytest

from nndoctor.report import words


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "-"), (0.0, "0"), (-0.0, "0"), (1.0, "1"), (9610, "9,610"), (0.5, "0.5"), (2.30259, "2.3"), (0.0123456, "0.0123"),
        (123.456, "123"), (1234.56, "1,235"), (-1234.56, "-1,235"), (99999.5, "100,000"), (1e7, "1e7"), (3.14159e-7, "3.14e-7"),
        (0.000123, "0.000123"), (1e-5, "1e-5"), (9.999, "10"), (math.nan, "NaN"), (math.inf, "inf"), (-math.inf, "-inf"),
        (1e300, "1e300"), (5e-324, "4.94e-324"), (1.5e-6, "1.5e-6"),
    ],
)  # fmt: skip
def test_number(value: float | None, said: str) -> None:
    """Three digits, no trailing zeros, powers of ten only where needed."""
    assert said == words.number(value)


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.21, "21 %"), (0.004, "0.4 %"), (0.996, "99.6 %"), (None, "-"), (math.nan, "-")],
)
def test_percent(share: float | None, said: str) -> None:
    """A share that is nearly nothing or nearly all does not read as nothing or all."""
    assert said == words.percent(share)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0.0 s"), (4.12, "4.1 s"), (125.0, "2 min 5 s"), (0.0123, "12.3 ms"), (8.5e-5, "85 µs"), (math.nan, "-")],
)
def test_duration(seconds: float, said: str) -> None:
    """Seconds in the unit that somebody would use."""
    assert said == words.duration(seconds)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.05, "0.05"),
        (1e-5, "1e-05"),
        (True, "True"),
        (None, "None"),
        ((0.9, 0.999), "(0.9, 0.999)"),
        ("max\x1b[1m", "max"),
    ],
)
def test_setting(value: object, said: str) -> None:
    """Settings read as they are typed."""
    assert said == words.setting(value)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("plain [red]text[/red]", "plain [red]text[/red]"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2K\x1b[1Aup", "up"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(Bcharset", "charset"),
        ("a\x07\x08\x0cb\x7f\x9b", "ab"),
        ("one\r\ntwo", "one\ntwo"),
        ("tab\tend", "tab end"),
        ("broken \x1b", "broken "),
    ],
)
def test_clean(raw: str, cleaned: str) -> None:
    """Nothing that a terminal would obey is left; brackets are."""
    assert cleaned == words.clean(raw)


def test_small_words() -> None:
    """Plurals, lists, shapes, sizes."""
    assert ("1 step", "2 steps", "10 classes") == (
        words.count(1, "step"), words.count(2, "step"), words.count(10, "class", "classes"),
    )  # fmt: skip
    assert ("", "a", "a, b or c") == (words.listing([]), words.listing(["a"]), words.listing(["a", "b", "c"], "or"))
    assert ("64 × 1 × 28", "a single number") == (words.shape([64, 1, 28]), words.shape([]))
    assert ("412 MB", "1.50 GB") == (words.memory(412_000_000), words.memory(1_500_000_000))
