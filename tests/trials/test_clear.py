"""When a trial need not go on."""

from __future__ import annotations

import math
import threading

from nndoctor.probe.changes.names import parse
from nndoctor.record.model import Recording
from nndoctor.trials.clear import Clear
from tests.trials.build import run

CONTROL = run(0.3)


def stops_at(recording: Recording, change: str = "lr*0.1", control: Recording = CONTROL) -> int | None:
    """The step after which enough was seen; None where the whole of it was wanted."""
    enough = threading.Event()
    clear = Clear(parse(change), control, enough)
    records = sorted([*recording.steps, *recording.samples], key=lambda r: (getattr(r, "index", None) or r.step, hasattr(r, "step")))
    for record in records:
        clear.see(record)
        if enough.is_set():
            return clear.steps
    return None


def test_what_is_learnt_need_not_be_learnt_again() -> None:
    """Three looks at nearly all there is to learn."""
    stop = stops_at(run(1.0))

    assert stop is not None
    assert 60 <= stop < 90


def test_a_run_that_gets_on_is_seen_to_its_end() -> None:
    """Better than the control, and not yet there."""
    assert stops_at(run(0.7)) is None


def test_who_is_no_better_after_two_thirds_is_given_up() -> None:
    """The control stands at 30 %."""
    stop = stops_at(run(0.15))

    assert stop is not None
    assert 66 < stop <= 80


def test_ten_losses_that_are_no_numbers_are_enough() -> None:
    """Once past the start."""
    broken = run(0.7)
    for step in broken.steps[20:]:
        step.loss = math.nan

    assert 60 == stops_at(broken)


def test_controls_run_to_their_end() -> None:
    """They are compared, not judged."""
    assert stops_at(run(1.0), "one-batch=repeated") is None
    assert stops_at(run(0.1), "labels=shuffled") is None


def test_a_control_that_falls_apart_later_is_waited_for() -> None:
    """It is as good until step 80: what the trial has learnt says nothing before."""
    late = run(1.0)
    for sample in late.samples:
        if sample.step > 80:
            sample.accuracy = 0.1

    assert 90 == stops_at(run(1.0), control=late)
    assert stops_at(run(1.0), control=run(0.95)) in (60, 70)
