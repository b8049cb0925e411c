"""What counts as better."""

from __future__ import annotations

import math

import pytest

from nndoctor.probe.changes.names import parse
from nndoctor.record.cut import cut
from nndoctor.record.model import Sample
from nndoctor.trials.compare import compare, judge
from tests.symptoms.build import evaluation
from tests.trials.build import run

RATE = parse("lr*0.1")


def test_a_cure_is_confirmed_by_the_task_score() -> None:
    """Accuracy before and after, at equal steps, and the gain of what there is to learn."""
    trial = compare(RATE, "lr-too-high", run(0.1), run(0.9, "lr*0.1"))

    assert "confirmed" == trial.outcome
    assert ("accuracy", 100, "lr*0.1", "lr-too-high") == (trial.measure, trial.steps, trial.spelling, trial.cause)
    assert trial.before == pytest.approx(0.1, abs=0.01)
    assert trial.after == pytest.approx(0.9, abs=0.01)


def test_what_changes_nothing_is_refuted() -> None:
    """Nor does a little make a cure."""
    assert "refuted" == compare(RATE, "x", run(0.5), run(0.5, "lr*0.1")).outcome
    assert "refuted" == compare(RATE, "x", run(0.5), run(0.2, "lr*0.1")).outcome
    assert "unclear" == compare(RATE, "x", run(0.3), run(0.42, "lr*0.1")).outcome


def test_half_of_what_is_missing_is_much_where_little_is_missing() -> None:
    """From 80 % to 95 % there is no quarter to gain."""
    assert "confirmed" == compare(RATE, "x", run(0.8), run(0.95, "lr*0.1")).outcome
    assert "refuted" == compare(RATE, "x", run(0.92), run(0.97, "lr*0.1")).outcome


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (run(0.9), "nothing in this run"),
        (run(0.9, "lr*0.1", applied=0), "nothing in this run"),
        (run(0.9, "lr*0.1", count=6), "only 6 steps"),
        (run(0.9, "lr*0.1", count=50, reason="error"), "ended early: ValueError: no"),
    ],
)
def test_what_was_not_run_is_not_claimed(after: object, reason: str) -> None:
    """A change that found nothing, or a run that cannot be compared, says why."""
    trial = compare(RATE, "x", run(0.1), after)  # type: ignore[arg-type]

    assert "not possible" == trial.outcome
    assert reason in trial.reason
    assert trial.before is None and trial.after is None


def test_runs_are_compared_at_equal_steps() -> None:
    """The longer one as it was when the shorter one ended."""
    early = compare(RATE, "x", run(0.9), run(0.6, "lr*0.1", count=40))

    assert 40 == early.steps
    assert early.before is not None and early.before < 0.8


def test_a_run_that_broke_down_stays_where_it_was() -> None:
    """A NaN check that raises after 20 steps does not cut the cure short."""
    trial = compare(RATE, "x", run(0.1, count=20, reason="error"), run(0.9, "lr*0.1"))

    assert trial.confirmed


def test_validation_counts_as_much_as_training() -> None:
    """Who trains on one batch for ever knows it by heart."""
    before, after = run(1.0), run(0.9, "loader=shuffled")
    before.evaluations = [evaluation(90, accuracy=0.1)]
    after.evaluations = [evaluation(90, accuracy=0.9)]

    assert compare(parse("loader=shuffled"), "repeated-batch", before, after).confirmed


def test_a_changed_loss_is_not_compared_with_the_old_one() -> None:
    """Without a score there is nothing to say; a change that leaves the loss alone is judged by it."""
    before, after = run(0.1, loss=2.2), run(0.9, "target=reshaped", loss=0.1)
    for recording in (before, after):
        recording.samples = [Sample(s.step, []) for s in recording.samples]
    rate = run(0.9, "lr*0.1", loss=0.1)
    rate.samples = after.samples

    assert "not possible" == compare(parse("target=reshaped"), "x", before, after).outcome
    assert ("loss", "confirmed") == ((t := compare(RATE, "x", before, rate)).measure, t.outcome)


def test_a_loss_that_is_no_number_has_learnt_nothing() -> None:
    """By loss alone, too."""
    before, after = run(0.1, loss=1.0), run(0.1, "lr*0.1", loss=0.1)
    for recording in (before, after):
        recording.samples = []
    for step in before.steps[30:]:
        step.loss = math.nan

    assert compare(RATE, "x", before, after).confirmed


def test_a_second_control_measures_the_noise() -> None:
    """The gain over the mean of both must be twice their deviation from it."""
    assert "confirmed" == judge(RATE, 0.5, 0.3)
    assert "confirmed" == judge(RATE, 0.5, 0.3, 0.45)
    assert "unclear" == judge(RATE, 0.5, 0.3, 0.8)


def test_a_control_is_no_cure() -> None:
    """However well it does."""
    assert "control" == compare(parse("one-batch=repeated"), "", run(0.1), run(1.0, "one-batch=repeated")).outcome
    assert "control" == compare(parse("inputs=zero"), "", run(0.1), run(1.0, "inputs=zero")).outcome


def test_balanced_accuracy_judges_weighted_classes() -> None:
    """Accuracy falls where the rare class is no longer ignored."""
    before, after = run(0.9), run(0.8, "classes=weighted")
    for recording, balanced in ((before, 0.1), (after, 0.7)):
        for s in recording.samples:
            s.balanced = balanced
    trial = compare(parse("classes=weighted"), "class-imbalance", before, after)

    assert ("balanced accuracy", "confirmed") == (trial.measure, trial.outcome)


def test_cutting_leaves_what_came_before() -> None:
    """Steps, looks and validation alike."""
    whole = run(0.9)
    whole.evaluations = [evaluation(n, accuracy=0.5) for n in (20, 80)]
    part = cut(whole, 40)

    assert (40, 40, 1) == (len(part.steps), part.samples[-1].step, len(part.evaluations))
    assert 100 == len(whole.steps)
