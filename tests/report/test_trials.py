"""Trials as they run, and two runs side by side."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from nndoctor.diagnosis.model import Trial
from nndoctor.probe.changes.names import KINDS
from nndoctor.report.page import Look
from nndoctor.report.trials import change_list, comparison, live_table, sentence
from tests.report import samples
from tests.trials.build import run

RUNNING = Trial("learning rate x 0.1", 120, None, 0.4, "accuracy", "running", "lr*0.1", "lr-too-high")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def test_a_log_gets_a_line_for_every_trial_that_is_over() -> None:
    """Each once, none while it runs."""
    out = io.StringIO()
    with live_table(False, out) as table:
        table.show([RUNNING])
        table.show([samples.BYPASSED, RUNNING])
        table.show([samples.BYPASSED, samples.IMPOSSIBLE])

    assert (
        "nndoctor: tried output activation bypassed: accuracy 21 % to 97 %: confirmed\n"
        "nndoctor: tried loader shuffled: not possible\n"
    ) == out.getvalue()  # fmt: skip


def test_a_terminal_gets_a_table_that_is_gone_at_the_end() -> None:
    """With the score so far of what still runs."""
    out = Terminal()
    with live_table(False, out) as table:
        table.show([samples.BYPASSED, RUNNING])

    assert "learning rate x 0.1" in out.getvalue()
    assert "accuracy 40 %" in out.getvalue()
    assert "\x1b[2K" in out.getvalue()  # the lines are erased


def test_quiet_is_quiet() -> None:
    """On a terminal, too."""
    out = Terminal()
    with live_table(True, out) as table:
        table.show([samples.BYPASSED])

    assert "" == out.getvalue()


@pytest.mark.parametrize(
    ("trial", "end"),
    [
        (samples.BYPASSED, "accuracy 21 % → 97 % in 161 steps; that confirms it"),
        (samples.REFUTED, "accuracy 21 % → 18 % in 161 steps; that does not help, which speaks against it"),
        (samples.IMPOSSIBLE, "not possible, there was nothing in this run that it could change"),
        (replace(samples.REFUTED, outcome="unclear"), "better, but not by enough to tell"),
        (replace(samples.REFUTED, measure="R2", before=-0.1, after=0.123), "that does not help, which speaks against it"),
    ],
)
def test_a_trial_in_a_sentence(trial: Trial, end: str) -> None:
    """What was changed, the score before and after, and what that means."""
    assert sentence(trial).startswith(trial.change)
    assert sentence(trial).endswith(end)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("better", samples.BYPASSED), ("no-better", samples.REFUTED), ("not-possible", samples.IMPOSSIBLE), ("control", samples.CONTROL),
        ("little", replace(samples.REFUTED, outcome="unclear", gain=0.12)),
    ],
)  # fmt: skip
def test_two_runs_side_by_side(name: str, made: Trial, width: int, gold: Callable[[str, str], None]) -> None:
    """Both curves on one scale, the score, and one sentence."""
    text = comparison(made, run(0.2, loss=2.2), run(0.95, made.spelling, loss=0.1), False, Look(width))

    assert max(map(len, text.split("\n"))) <= width
    gold(f"try-{name}-{width}.txt", text)


def test_two_runs_for_a_machine() -> None:
    """The trial's fields and both curves, thinned out."""
    document = json.loads(comparison(samples.BYPASSED, run(0.2), run(0.95), True, Look()))

    assert ("output=identity", "confirmed", 0.97) == (document["spelling"], document["outcome"], document["after"])
    assert {"before", "after"} == set(document["losses"])
    assert 50 == len(document["losses"]["before"])


def test_every_change_is_listed() -> None:
    """With its form and what it does."""
    text = change_list(KINDS, Look(80))

    for kind in KINDS:
        assert kind.name in text
    assert "lr*FACTOR" in text
