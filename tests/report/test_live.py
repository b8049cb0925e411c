"""The screen while the script runs."""

from __future__ import annotations

import io
import math
import re

import pytest
from rich.console import Console

from nndoctor.record.model import Graph, Step
from nndoctor.report import live
from nndoctor.report.live import DrawnScreen, LineReader, PlainScreen, Screen, screen


def lines(*pieces: bytes) -> list[str]:
    reader = LineReader()
    found = [line for piece in pieces for line in reader.feed(piece)]
    rest = reader.finish()
    return [*found, rest] if rest else found


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"on", b"e\ntw", b"o"], ["one", "two"]),
        ([b"epoch 1\r\n", b"epoch 2\r\n"], ["epoch 1", "epoch 2"]),
        ([b"\r 0%", b"\r 50%", b"\r100%\n", b"done\n"], ["100%", "done"]),
        ([b"\r100%|####| 5/5\r\n"], ["100%|####| 5/5"]),
        ([b"first\rsecond\r\r\n"], ["second"]),
        ([b"caf\xc3", b"\xa9\n"], ["caf\u00e9"]),
        ([b"bad \xff byte\n"], ["bad \ufffd byte"]),
        ([b"\x1b[3", b"1mred\x1b[0m \x1b[2J\x1b[1;1Hhome\n"], ["red home"]),
        ([b"nul \x00 bell \x07\n"], ["nul  bell"]),
        ([b"[bold]not a style[/bold]\n"], ["[bold]not a style[/bold]"]),
        ([b"\n\n"], ["", ""]),
        ([b"cut \xc3"], ["cut \ufffd"]),
        ([], []),
    ],
)
def test_lines(pieces: list[bytes], shown: list[str]) -> None:
    """Whatever the pieces, lines come out whole, harmless and once."""
    assert shown == lines(*pieces)


def test_unfinished_line() -> None:
    """A prompt, or a progress bar on its way, can be seen before its line ends."""
    reader = LineReader()
    assert [] == reader.feed(b"name? ")
    assert "name?" == reader.pending()
    reader.feed(b"\r 10%\r 20%")
    assert " 20%" == reader.pending()
    reader.feed(b"\r")
    assert " 20%" == reader.pending()


def test_a_line_without_end_is_not_kept_whole() -> None:
    """A script that prints for ever without a line end takes no memory."""
    reader = LineReader()
    for _ in range(1000):
        reader.feed(b"x" * 1000)

    assert 20_000 == len(reader.pending())


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_which_screen() -> None:
    """Drawn on a terminal, plain in a pipe, dark where silence was asked for."""
    assert DrawnScreen is type(screen("train.py", 300, 60.0, False, Terminal()))
    assert PlainScreen is type(screen("train.py", 300, 60.0, False, io.StringIO()))
    assert Screen is type(screen("train.py", 300, 60.0, True, Terminal()))


def test_plain_screen_passes_bytes_on() -> None:
    """In a pipe nothing is changed: neither escape sequences nor bytes that are no text."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="utf-8")
    with screen("train.py", 300, 60.0, False, out) as shown:
        shown.on_output(b"\x1b[31m\xff\r 50%")
        shown.on_record(Step(1, 0.1, 2.0))

    assert b"\x1b[31m\xff\r 50%" == raw.getvalue()


def test_a_reader_that_goes_away_ends_nothing() -> None:
    """`nndoctor check train.py 2>&1 | head` watches on."""

    class Closed(io.BytesIO):
        writes = 0

        def write(self, data: object) -> int:
            self.writes += 1
            raise BrokenPipeError

    raw = Closed()
    shown = PlainScreen(raw, io.StringIO())
    shown.on_output(b"one")
    shown.on_output(b"two")

    assert 1 == raw.writes


def drawn(width: int = 100) -> tuple[DrawnScreen, io.StringIO]:
    sheet = io.StringIO()
    console = Console(file=sheet, force_terminal=True, width=width, color_system=None, _environ={})
    return DrawnScreen("train.py", 300, 60.0, console), sheet


def progress(shown: DrawnScreen) -> str:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    with console.capture() as captured:
        console.print(shown._progress())
    return captured.get()


def test_progress() -> None:
    """Steps, loss and time are shown, and whatever other records come changes nothing."""
    shown, _ = drawn()
    assert "waiting for the first step of train.py" in progress(shown)
    shown.on_record(Step(42, 1.5, 0.693147))
    shown.on_record(Graph(1, None, {}, [], [], 1, 0, 0))
    shown.on_record(Step(43, 1.6, None))

    assert "43/300 steps" in progress(shown)
    assert "loss 0.693" in progress(shown)
    shown.on_record(Step(44, 99.0, math.nan))
    assert "loss NaN" in progress(shown)
    assert progress(shown).rstrip().endswith("  0 s")


def test_pending_line_is_above_the_progress() -> None:
    """What the script has begun to print is seen at once, cut to one line."""
    shown, _ = drawn()
    shown.on_output(b"epoch 3: " + b"#" * 500)

    assert 2 == len(progress(shown).splitlines())
    assert progress(shown).startswith("epoch 3: ###")


def test_drawn_screen_scrolls_the_scripts_lines() -> None:
    """The script's lines are there in order, without its control sequences, also the one that no line end followed."""
    shown, sheet = drawn()
    with shown:
        shown.on_output(b"one [x]\n\x1b[31mtwo\n")
        shown.on_record(Step(1, 0.1, 2.0))
        shown.on_output(b"\r 50%\r 100%\nlast")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sheet.getvalue())

    assert "\x1b[31m" not in sheet.getvalue()
    assert ["one [x]", "two", " 100%", "last"] == [
        line
        for line in text.replace("\r", "\n").split("\n")
        if line.strip() and "steps" not in line and "wait" not in line
    ]


def test_more_than_a_terminal_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines beyond the terminal's pace are left out and counted: the script is not held up."""
    monkeypatch.setattr(live, "_BURST", 100)
    monkeypatch.setattr(live, "_PER_SECOND", 0)
    shown, sheet = drawn()
    with shown:
        shown.on_output(b"".join(b"line %03d\n" % i for i in range(500)))

    assert 11 == sheet.getvalue().count("line 0")
    assert "... 489 lines not shown ..." in sheet.getvalue()
