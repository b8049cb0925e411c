"""Trials: a table that grows while they run, the same table in the report, and two curves side by side."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from nndoctor.diagnosis.model import Trial
from nndoctor.record.model import Recording
from nndoctor.report.page import Look, Page, Part, text
from nndoctor.report.spark import draw_together
from nndoctor.report.words import clean, count, duration, number, percent

if TYPE_CHECKING:
    from nndoctor.probe.changes.names import Kind

STYLES = {"confirmed": "bold green", "refuted": "dim", "unclear": "yellow", "not possible": "dim", "control": "cyan", "running": ""}
# What a control says: whether it reached so much (0 is a constant's score, 1 a perfect one), or lost so much.
_CONTROLS = {
    "one-batch=repeated": (0.9, "one batch can be memorised: rate, data or capacity are at fault", "not even one batch can be memorised: structure, loss or step are at fault"),
    "labels=shuffled": (0.05, "worse than with the true labels: the run does learn from them", "no worse than with the true labels: as it is, the run learns nothing from them"),
    "inputs=zero": (0.05, "worse than with the inputs: the run does learn from them", "no worse than with the inputs: as it is, the run learns nothing from them"),
}  # fmt: skip


# --- while they run -----------------------------------------------------------------------------------------------


class TrialScreen(AbstractContextManager["TrialScreen"]):
    """What a series of trials reports to. This one stays dark."""

    def show(self, trials: Sequence[Trial]) -> None:
        """The trials so far, those that still run with the outcome "running"."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None


def live_table(quiet: bool, stream: TextIO | None = None) -> TrialScreen:
    """A table that is drawn anew on a terminal; a line for every finished trial elsewhere; nothing where `quiet`."""
    out = stream if stream is not None else sys.stderr
    if quiet:
        return TrialScreen()
    console = Console(file=out, markup=False, emoji=False, highlight=False)
    return DrawnTrials(console) if out.isatty() else PrintedTrials(out)


class PrintedTrials(TrialScreen):
    """One line a trial, once it is over: for a log."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._said = 0

    def show(self, trials: Sequence[Trial]) -> None:
        """Say what is new."""
        over = [t for t in trials if t.outcome != "running"]
        for made in over[self._said :]:
            try:
                self._out.write(f"nndoctor: tried {_plain_line(made)}\n")
                self._out.flush()
            except (BrokenPipeError, ValueError):  # nobody reads it any more
                break
        self._said = len(over)


class DrawnTrials(TrialScreen):
    """The table, redrawn in place and gone at the end: the report shows it again."""

    def __init__(self, console: Console) -> None:
        self._trials: list[Trial] = []
        self._live = Live(
            console=console, transient=True, refresh_per_second=4, get_renderable=self._table, redirect_stdout=False, redirect_stderr=False
        )

    def __enter__(self) -> TrialScreen:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def show(self, trials: Sequence[Trial]) -> None:
        """Remember them for the next drawing."""
        self._trials = list(trials)

    def _table(self) -> RenderableType:
        rows = [(t, score(t), t.outcome if t.outcome != "running" else "…", f"{t.steps} steps") for t in self._trials]
        # Where the terminal is narrow, the change is cut and not what came of it.
        widths = [max((len(cells[i]) for _, *cells in rows), default=0) for i in range(3)]
        last = (Column(no_wrap=True, min_width=widths[0]), Column(no_wrap=True, min_width=widths[1]), Column(no_wrap=True, min_width=widths[2], justify="right"))
        table = Table(Column(no_wrap=True, overflow="ellipsis"), *last, box=None, show_header=False, pad_edge=False)
        table.add_row(Text("trying the cures", style="bold"), "", "", "")
        for made, reached, outcome, steps in rows:
            table.add_row(clean(made.change), reached, Text(outcome, style=STYLES[made.outcome]), steps)
        return table


def _plain_line(made: Trial) -> str:
    scores = f": {made.measure} {_value(made, made.before)} to {_value(made, made.after)}" if made.possible else ""
    return f"{clean(made.change)}{scores}: {made.outcome}"


# --- in the report ------------------------------------------------------------------------------------------------


def sentence(made: Trial) -> str:
    """What a trial did and what came of it."""
    if not made.possible:
        return f"{clean(made.change)}: not possible, {clean(made.reason)}"
    change = f"{clean(made.measure)} {_value(made, made.before)} → {_value(made, made.after)}"
    outcome = {
        "confirmed": "that confirms it", "refuted": "that does not help, which speaks against it", "unclear": "better, but not by enough to tell",
    }.get(made.outcome, says(made))  # fmt: skip
    return f"{clean(made.change)}: {change} in {count(made.steps, 'step')}; {outcome}"


def says(made: Trial) -> str:
    """What a control says."""
    limit, above, below = _CONTROLS.get(made.spelling, (0.0, "", ""))
    if made.spelling.startswith("seed="):
        return f"another seed moves the run as it is by {percent(abs(made.gain))} of all that there is to learn"
    return above if (made.reached >= limit if made.spelling == "one-batch=repeated" else made.gain < -limit) else below


def table(page: Page, trials: Sequence[Trial], verbose: bool) -> None:
    """All trials in the order in which they were made; those that were not possible in the long form only."""
    shown = [t for t in trials if verbose or t.possible]
    if not shown:
        return
    page.heading("Trials: the same run with one thing changed")
    body: list[list[Part]] = [[clean(t.change), (t.outcome, STYLES.get(t.outcome, "")), score(t), t.cause or "comparison"] for t in shown]
    page.table(["change ", " outcome", " score", "cause "], body)
    if verbose:
        page.gap()
        page.bullets([details(t) for t in shown])
    for t in shown:
        if t.outcome == "control":
            page.prose(f"{clean(t.change)[:1].upper()}{clean(t.change)[1:]}: {says(t)}.", indent=2)


def details(made: Trial) -> str:
    """How a trial was made, and how to make it again."""
    why = f"; {clean(made.reason)}" if made.reason else ""
    way = {"fork": "by fork", "fresh": "afresh", "": "with another trial"}[made.way]
    return f"{made.spelling}, for {made.cause or 'comparison'}: {count(made.steps, 'step')} in {duration(made.seconds)}, {way}{why}"


def score(made: Trial) -> str:
    """Measure, before and after: `accuracy 21 % → 97 %`; empty where nothing was compared."""
    if made.outcome == "running":
        return f"{made.measure} {_value(made, made.after)}" if made.after is not None else ""
    if not made.possible:
        return ""
    return f"{made.measure} {_value(made, made.before)} → {_value(made, made.after)}"


def _value(made: Trial, value: float | None) -> str:
    return percent(value) if "accuracy" in made.measure else number(value)


# --- `nndoctor try` -----------------------------------------------------------------------------------------------


def comparison(made: Trial, before: Recording, after: Recording, as_json: bool, look: Look) -> str:
    """Both runs of one change tried by hand: their curves on one scale, the score, and what it means."""
    if as_json:
        return json.dumps(_document(made, before), indent=2, ensure_ascii=False) + "\n"
    page = Page(look)
    word = "NOT POSSIBLE" if not made.possible else "BETTER" if made.confirmed else "A LITTLE BETTER" if made.outcome == "unclear" else "NO BETTER"
    style = STYLES["confirmed"] if made.confirmed else "bold"
    if made.outcome == "control":
        word, style = "CONTROL", STYLES["control"]
    page.line((word, style), "  ", (f"{clean(before.header.script)} with {clean(made.change)}", "bold"))
    page.gap()
    curves = [("as it is", _points(before)), (made.change, _points(after))]
    for line in draw_together(curves, width=min(page.width, 96) - 2):
        page.put(line, indent=2)
    page.gap()
    if made.possible:
        page.prose(f"{made.measure} {_value(made, made.before)} as it is, {_value(made, made.after)} with the change, after {count(made.steps, 'step')}.", indent=2)
        page.prose(_meaning(made), indent=2)
    else:
        page.prose(f"Nothing can be said: {clean(made.reason)}.", indent=2)
    return page.result()


def _meaning(made: Trial) -> str:
    gained = f"{percent(abs(made.gain))} of all that there is to learn"
    if made.outcome == "control":
        return says(made)[:1].upper() + says(made)[1:] + "."
    if made.confirmed:
        return f"The change brings {gained}: what it takes away was holding the run back."
    if made.outcome == "unclear":
        return f"The change brings {gained}, which another seed might do as well."
    return "The change does not help." if made.gain > -0.1 else f"The change costs {gained}."


def _points(recording: Recording) -> list[tuple[int, float | None]]:
    return [(s.index, s.loss) for s in recording.steps]


def _document(made: Trial, before: Recording) -> dict[str, Any]:
    from nndoctor.report.json import spelt, trial_document
    from nndoctor.trials.compare import thinned

    document: dict[str, Any] = spelt({**trial_document(made), "losses": {"before": thinned(before), "after": made.losses}})
    return document


def change_list(kinds: Sequence[Kind], look: Look) -> str:
    """Every change that can be tried, and what it does."""
    page = Page(look)
    page.line(("Changes for `nndoctor try --change`", "bold"))
    page.gap()
    for kind in kinds:
        form = kind.form if len(kind.values) < 2 or "|" in kind.form else f"{kind.name}={'|'.join(kind.values)}"
        page.line(text((form, "bold")), indent=2)
        page.prose(clean(kind.what), indent=6)
    return page.result()
