"""Numbers, places and foreign strings as words that fit into a sentence."""

from __future__ import annotations

import math
import re

from nndoctor.record.model import Place

# CSI and OSC sequences, then the two-character escapes.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]?", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """The text without anything that a terminal would obey: escape sequences and control characters, tabs as spaces.

    Line ends stay. Names, messages and source lines come from the user's program and are not to be trusted with
    the screen. Half a character (of a file name that is no UTF-8) is spelt out, since no file could take it.
    """
    text = text.encode("utf-8", "backslashreplace").decode()
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n"))).expandtabs(4)


def number(value: float | None, digits: int = 3) -> str:
    """A measured number with few digits: 0.0123, 9,610, 3.1e-7, NaN. A dash where nothing was measured."""
    if value is None:
        return "-"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == int(value) and abs(value) < 1e7:
        return f"{int(value):,}"
    if abs(value) >= 1000 and abs(value) < 1e7:
        return f"{value:,.0f}"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    if -4 <= int(exponent) < 7:
        return _short(f"{float(mantissa + 'e' + exponent):.{max(digits - 1 - int(exponent), 0)}f}")
    return f"{_short(mantissa)}e{int(exponent)}"


def _short(decimal: str) -> str:
    return decimal.rstrip("0").rstrip(".") if "." in decimal else decimal


def setting(value: object) -> str:
    """A setting as somebody would type it: 0.05, 1e-05, (0.9, 0.999), True."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(setting(v) for v in value) + ")"
    return f"{value:g}" if isinstance(value, (int, float)) else clean(str(value))


def percent(share: float | None) -> str:
    """A share as per cent, with a decimal where it would otherwise read as nothing or as all."""
    if share is None or not math.isfinite(share):
        return "-"
    whole = 100 * share
    return f"{whole:.1f} %" if 0 < whole < 1 or 99 < whole < 100 else f"{whole:.0f} %"


def count(n: int, noun: str, plural: str = "") -> str:
    """`1 step`, `9,610 parameters`, `10 classes`."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """Seconds as somebody would say them: 85 µs, 12.3 ms, 4.1 s, 2 min 5 s."""
    if not math.isfinite(seconds):
        return "-"
    if seconds >= 120:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    if seconds >= 0.5 or seconds == 0:
        return f"{seconds:.1f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def memory(size: int) -> str:
    """Bytes in MB or GB."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def place(where: Place | None) -> str:
    """`train.py:14`, empty where there is none."""
    return f"{clean(where.file)}:{where.line}" if where is not None else ""


def listing(items: list[str], last: str = "and") -> str:
    """`a, b and c`."""
    return ", ".join(items[:-1]) + f" {last} {items[-1]}" if len(items) > 1 else "".join(items)


def shape(sizes: list[int]) -> str:
    """`64 × 1 × 28 × 28`."""
    return " × ".join(f"{n:,}" for n in sizes) if sizes else "a single number"
