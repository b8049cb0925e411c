"""The screen while the script runs: its own output, dimmed, above a line with steps, loss and time. All on stderr.

On a terminal the script's bytes are made harmless first: escape sequences go, and what a progress bar writes over
itself after a carriage return is shown once, in place, until the line ends. Anywhere else its bytes pass as they are.
"""

from __future__ import annotations

import codecs
import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, BinaryIO, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nndoctor.record.model import Step
from nndoctor.report.words import clean, duration, number

_LONGEST = 20_000  # characters of one unfinished line that are kept
_BURST, _PER_SECOND = 2_000_000, 500_000  # characters drawn at once, and later on; a terminal is slower than a script
_BAR = 24


class Screen(AbstractContextManager["Screen"]):
    """What a watched run reports to, as a context that is left when the run is over. This one stays dark."""

    def on_record(self, record: Any) -> None:
        """A record came from the child process."""

    def on_output(self, data: bytes) -> None:
        """The script has printed something."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def screen(script: str, steps: int, seconds: float, quiet: bool, stream: TextIO | None = None, shared: bool = False) -> Screen:
    """The screen that suits the stream (stderr): drawn on a terminal that no other process draws on, plain elsewhere, dark where `quiet`."""
    out = stream if stream is not None else sys.stderr
    if quiet:
        return Screen()
    if out.isatty() and not shared:
        return DrawnScreen(script, steps, seconds, Console(file=out, markup=False, emoji=False, highlight=False))
    return PlainScreen(getattr(out, "buffer", None), out)


class PlainScreen(Screen):
    """Passes the script's bytes on, for a file or a pipe. A reader that went away is no reason to end the run."""

    def __init__(self, raw: BinaryIO | None, out: TextIO) -> None:
        self._raw, self._out = raw, out
        self._open = True

    def on_output(self, data: bytes) -> None:
        """Write the bytes at once."""
        if not self._open:
            return
        try:
            if self._raw is not None:
                self._out.flush()
                self._raw.write(data)
                self._raw.flush()
            else:
                self._out.write(data.decode("utf-8", "replace"))
        except (BrokenPipeError, ValueError):  # ValueError: the stream was closed
            self._open = False


class DrawnScreen(Screen):
    """A terminal: the script's lines scroll, the progress stays below them and is gone at the end."""

    def __init__(self, script: str, steps: int, seconds: float, console: Console) -> None:
        self._script, self._steps, self._seconds = clean(script), steps, seconds
        self._console = console
        self._lines = LineReader()
        self._started = time.monotonic()
        self._step, self._trained = 0, 0.0
        self._loss: float | None = None
        self._budget, self._refilled, self._dropped = float(_BURST), self._started, 0
        self._live = Live(
            console=console, transient=True, refresh_per_second=8, get_renderable=self._progress,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        rest = self._lines.finish()
        self._show([rest] if rest else [])
        self._confess()
        self._live.stop()

    def on_record(self, record: Any) -> None:
        """Remember the newest step; the drawing thread reads it eight times a second."""
        if isinstance(record, Step):
            self._step, self._trained = record.index, record.seconds
            self._loss = record.loss if record.loss is not None else self._loss

    def on_output(self, data: bytes) -> None:
        """Show the lines that are now complete, as far as the terminal keeps up."""
        self._show(self._lines.feed(data))

    def _show(self, lines: list[str]) -> None:
        now = time.monotonic()
        self._budget = min(self._budget + (now - self._refilled) * _PER_SECOND, _BURST)
        self._refilled = now
        shown = []
        for line in lines:
            self._budget -= len(line) + 1
            if self._budget < 0:
                self._budget = 0.0
                self._dropped += 1
            else:
                shown.append(line)
        if shown:
            self._confess()
            self._console.print(Text("\n".join(shown), style="dim"))

    def _confess(self) -> None:
        """Say how many lines were left out, once lines are shown again."""
        if self._dropped:
            self._console.print(Text(f"... {self._dropped:,} lines not shown ...", style="dim"))
            self._dropped = 0

    def _progress(self) -> RenderableType:
        """The script's unfinished line, if any, and the progress."""
        share = max(self._step / max(self._steps, 1), self._trained / self._seconds if self._seconds else 0.0)
        words = (
            f"{self._step:,}/{self._steps:,} steps" if self._step else f"waiting for the first step of {self._script}"
        )
        loss = f"loss {number(self._loss)}" if self._loss is not None else ""
        seconds = int(time.monotonic() - self._started)
        elapsed = duration(seconds) if seconds >= 120 else f"{seconds} s"
        row = Table.grid(padding=(0, 2, 0, 0))
        row.add_row(
            ProgressBar(1.0, min(share, 1.0), width=_BAR, complete_style="cyan", finished_style="cyan"),
            words,
            loss,
            Text(elapsed, style="dim"),
        )
        pending = self._lines.pending()
        if not pending:
            return row
        return Group(Text(pending, style="dim", no_wrap=True, overflow="ellipsis"), row)


class LineReader:
    """Bytes in any pieces to harmless lines of text."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """The lines that these bytes complete; of a line written over itself, what it came to in the end."""
        self._rest += self._decoder.decode(data)
        *complete, self._rest = self._rest.split("\n")
        self._rest = self._rest[-_LONGEST:]
        if "\r" in self._rest[:-1]:
            self._rest = self._rest[self._rest.rindex("\r", 0, len(self._rest) - 1) + 1 :]
        return [_visible(line) for line in complete]

    def pending(self) -> str:
        """The unfinished line as it would look now."""
        return _visible(self._rest)

    def finish(self) -> str:
        """The last line, where no line end came after it."""
        rest, self._rest = _visible(self._rest + self._decoder.decode(b"", final=True)), ""
        return rest


def _visible(line: str) -> str:
    """What stays on the screen of a line with carriage returns: the last part that is not empty."""
    parts = [p for p in line.split("\r") if p.strip()]
    return clean(parts[-1]).rstrip() if parts else ""
