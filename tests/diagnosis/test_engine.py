"""The diagnosis as a whole: verdict, severities, choices, reasons - on recordings built by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest

from nndoctor.diagnosis import engine
from nndoctor.diagnosis.engine import DiagnosisOptions, diagnose
from nndoctor.knowledge.loader import load_causes
from nndoctor.knowledge.model import Cause
from nndoctor.record.model import End, Recording
from nndoctor.symptoms.catalogue import NAMES
from tests.diagnosis.test_rank import cause
from tests.symptoms.build import (
    LOSS,
    OPTIMIZER,
    change,
    geometric,
    header,
    healthy,
    inputs,
    links,
    looks,
    outputs,
    regression,
    relu,
    stuck,
)

NAN = math.nan


def ended(recording: Recording, reason: str, **fields: object) -> Recording:
    """The same run with another end."""
    change([recording.end], reason=reason, **fields)
    return recording


def double_softmax(recording: Recording) -> Recording:
    """The same run with a softmax before cross-entropy."""
    change(recording.losses, chain=links("Softmax", "Addmm"))
    return recording


def thrashing() -> Recording:
    """A rate far too high: losses rise tenfold, weights move by half of their size, NaN from step 40 on."""
    recording = healthy([*geometric(2.3, 200.0, 39), NAN], accuracy=0.1)
    recording.samples = looks(range(6), at=(1, 2, 3, 5, 7, 10, 20, 30), update=2.0, accuracy=0.1)
    recording.evaluations = []
    change(recording.steps[-1:], gradient_norm=NAN)
    return ended(recording, "error", error="ValueError: loss is NaN\nsecond line")


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts these causes in the place of the knowledge base."""

    def use(*causes: Cause) -> None:
        monkeypatch.setattr(engine, "load_causes", lambda symptoms: {c.id: c for c in causes})

    return use


# --- verdicts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [healthy, regression])
def test_a_run_that_learns_is_healthy(make: Callable[[], Recording]) -> None:
    """And the reasons say why: what was learnt, that all is reached, cleared, and holds in validation."""
    d = diagnose(make())

    assert ("healthy", []) == (d.verdict, [s for s in d.suspects if s.severity != "note"])
    assert any("accuracy reaches 95.0%" in r or "90% of what" in r for r in d.reasons)
    assert "The loss reaches every parameter that is optimised." in d.reasons
    assert "Gradients are cleared between steps." in d.reasons
    assert any(r.startswith("Validation keeps up with training") for r in d.reasons)
    assert any("still improving" in r for r in d.reasons)


def test_reasons_that_do_not_hold_are_not_given() -> None:
    """Converged, gradients kept for two steps of a hundred, validation behind."""
    r = healthy([*geometric(2.3, 0.2, 50), *[0.2, 0.202] * 25])
    change(r.steps[:2], carried=1)
    change(r.evaluations, accuracy=0.7)

    d = diagnose(r)

    assert ("healthy", 2) == (d.verdict, len(d.reasons))
    assert "accuracy reaches 95.0%" in d.reasons[0]
    assert "The loss reaches every parameter that is optimised." == d.reasons[1]


def test_a_run_with_a_fault_is_sick() -> None:
    """The fault stands first, with its evidence, its line and its module; and no reasons for health."""
    r = double_softmax(stuck())

    d = diagnose(r)

    assert ("sick", "loss-input", []) == (d.verdict, d.suspects[0].cause.id, d.reasons)
    assert "double-softmax" == d.suspects[0].evidence[0].name
    assert (LOSS, "net.4") == (d.suspects[0].location, d.suspects[0].module)
    assert 0.5 < d.suspects[0].confidence <= 0.99
    assert r is d.recording


def test_suspects_are_ranked() -> None:
    """Confidence falls from first to last, notes at the end."""
    r = double_softmax(stuck())
    r.features = [inputs(mean=200.0, std=100.0)]

    told = [s for s in diagnose(r).suspects if s.severity != "note"]

    assert sorted((s.confidence for s in told), reverse=True) == [s.confidence for s in told]


def test_an_error_of_the_script_before_enough_steps_is_inconclusive() -> None:
    """What was raised is said, by its first line; suspects are not told."""
    few = double_softmax(healthy([2.3, 2.2, 2.1]))

    d = diagnose(ended(healthy([2.3, 2.2, 2.1]), "error", error="ValueError: no such column\nsecond line"))

    assert ("inconclusive", []) == (d.verdict, d.suspects)
    assert ["The script raised ValueError: no such column after 3 training steps."] == d.reasons
    assert "sick" == diagnose(few).verdict  # a fact needs no run


def test_nan_at_step_40_is_a_diagnosis_though_the_script_stopped() -> None:
    """The run was sick before it raised."""
    d = diagnose(thrashing())

    assert ("sick", "lr-too-high", "error") == (d.verdict, d.suspects[0].cause.id, d.suspects[0].severity)
    assert "The training loss ended in NaN or infinity." == d.curve.reading
    assert {"loss-nonfinite", "updates-huge"} <= {s.name for s in d.suspects[0].evidence}
    assert OPTIMIZER == d.suspects[0].location


def test_a_script_that_never_trained_is_inconclusive() -> None:
    """No backward, no step."""
    d = diagnose(Recording(header(), end=End("finished", 0, 0, 5, 0.0, 1.0)))

    assert ("inconclusive", []) == (d.verdict, d.suspects)
    assert ["No training was seen: the script called no backward and no optimiser stepped."] == d.reasons


@pytest.mark.parametrize(
    ("reason", "fields", "words"),
    [
        ("exit", {"exit_code": 2}, "The script exited with code 2 after 3 training steps."),
        ("interrupt", {}, "The run was interrupted after 3 training steps."),
        ("signal", {"error": "SIGKILL"}, "The script was killed by SIGKILL after 3 training steps."),
        ("timeout", {}, "The time limit for the whole run passed after 3 training steps."),
        ("lost", {"exit_code": 137}, "The script ended without a word after 3 training steps (exit code 137)."),
        ("finished", {}, "The script ended after 3 training steps, too few to say anything."),
        ("error", {}, "The script raised an exception after 3 training steps."),
    ],
)
def test_how_a_short_run_ended_is_said(reason: str, fields: dict[str, object], words: str) -> None:
    """Each end in words."""
    d = diagnose(ended(healthy([2.3, 2.2, 2.1]), reason, **fields))

    assert ("inconclusive", [words]) == (d.verdict, d.reasons)


def test_one_step_is_written_as_one_step() -> None:
    """And a recording that broke off has no exit code."""
    r = healthy([2.3])
    r.end = None

    assert ["The script ended without a word after 1 training step."] == diagnose(r).reasons


@pytest.mark.parametrize(("reason", "verdict"), [("exit", "healthy"), ("interrupt", "healthy"), ("error", "inconclusive"), ("lost", "inconclusive")])
def test_a_long_run_without_fault_is_judged_by_its_end(reason: str, verdict: str) -> None:
    """Who leaves on purpose has trained; a script that broke has not shown that it is sound."""
    assert verdict == diagnose(ended(healthy(), reason)).verdict


def test_a_run_that_shows_nothing_plainly_says_so() -> None:
    """Neither learning nor any known fault."""
    r = Recording(header(), end=End("steps", 20, 20, 20, 1.0, 2.0, weights_moved=True))
    r.steps = healthy([2.0, 2.1] * 5).steps
    change(r.steps, optimizers=[], held=0)

    assert ["Nothing speaks for any known fault, though learning is not plain to see in so few steps."] == diagnose(r).reasons


def test_a_run_that_learns_nothing_for_two_reasons_is_sick() -> None:
    """Six saturated sigmoids in series, and steps of a sixth of the weights: each brings the other about."""
    r = healthy([2.302, 2.304] * 50, accuracy=0.1, widths=(64, 32, 32, 32, 32, 32, 32, 10))
    r.sites = [relu(2 * i + 1, function="sigmoid", dead_start=None, dead_end=None) for i in range(6)]
    r.activations = [a for site in r.sites for a in outputs(site.name, "sigmoid", saturated=0.9, zero=0.0)]
    r.samples = looks(range(14), update=0.6, accuracy=0.1)

    d = diagnose(r)

    assert {"squashing-stack", "saturated-units", "updates-huge", "below-reference"} <= {s.name for s in d.symptoms}
    assert "sick" == d.verdict
    assert d.suspects[0].consequence_of is None


# --- severities ---------------------------------------------------------------------------------------------------


def test_an_error_is_a_warning_where_the_run_learns_all_the_same() -> None:
    """The finding is certain, the harm is not."""
    assert "error" == diagnose(double_softmax(stuck())).suspects[0].severity
    assert "warning" == diagnose(double_softmax(healthy())).suspects[0].severity


def test_a_run_that_learns_less_than_it_could_keeps_its_error() -> None:
    """Half learnt is no excuse where a closed-form learner does much better."""
    r = double_softmax(healthy([2.0] * 100, accuracy=0.6))

    d = diagnose(r)

    assert "below-reference" in {s.name for s in d.symptoms}
    assert "error" == d.suspects[0].severity


def test_a_cause_that_is_a_warning_is_never_more(pages: Callable[..., None]) -> None:
    """Whether or not the run learns; a note makes no run sick."""
    pages(cause("mild", severity="warning", prior=0.0, loss_flat=5.0))
    mild = diagnose(stuck())
    pages(cause("advice", severity="note", prior=0.0, learns=5.0))
    advice = diagnose(healthy())

    assert ("sick", "warning") == (mild.verdict, mild.suspects[0].severity)
    assert ("healthy", "note") == (advice.verdict, advice.suspects[0].severity)


def test_suspicions_short_of_the_bar_are_notes_and_at_most_three(pages: Callable[..., None]) -> None:
    """From odds of one to three on; below nothing is told."""
    pages(*(cause(f"c{i}", prior=-0.7 - 0.1 * i, learns=0.01 * (9 - i)) for i in range(6)), cause("no", prior=-3.0, learns=1.0))

    d = diagnose(healthy())

    assert ["c0", "c1", "c2"] == [s.cause.id for s in d.suspects]
    assert {"note"} == {s.severity for s in d.suspects}
    assert "healthy" == d.verdict
    assert {"c3", "c4", "c5", "no"} == {r.cause.id for r in d.ruled_out}


def test_advice_that_is_told_counts_among_the_notes(pages: Callable[..., None]) -> None:
    """A cause whose severity is a note takes one of the three places."""
    pages(
        cause("advice", severity="note", prior=3.0, signal_present=1.0),
        *(cause(f"c{i}", prior=-0.8, still_falling=0.01 * (9 - i)) for i in range(5)),
    )

    assert ["advice", "c0", "c1"] == [s.cause.id for s in diagnose(healthy()).suspects]


def test_a_run_that_plainly_fails_is_told_lesser_suspicions(pages: Callable[..., None]) -> None:
    """The data can be learnt and nothing was: something is wrong for certain."""
    doubtful = cause("doubtful", prior=-0.9, severity="error", still_falling=0.1, loss_flat=0.1)
    pages(doubtful)

    assert ["error"] == [s.severity for s in diagnose(stuck()).suspects]
    assert ["note"] == [s.severity for s in diagnose(healthy()).suspects]


# --- choices ------------------------------------------------------------------------------------------------------


def test_only_selected_causes_are_looked_at() -> None:
    """Others are neither told nor ruled out."""
    d = diagnose(double_softmax(stuck()), DiagnosisOptions(select=frozenset({"missing-step", "lr-too-low"})))

    assert "loss-input" not in {s.cause.id for s in d.suspects}
    assert {r.cause.id for r in d.ruled_out} <= {"missing-step", "lr-too-low"}
    assert "double-softmax" in {s.name for s in d.symptoms}


def test_ignored_causes_are_left_out() -> None:
    """Even where they are selected as well; nor do they explain anything away."""
    chosen = frozenset({"loss-input"})

    d = diagnose(double_softmax(stuck()), DiagnosisOptions(ignore=chosen))

    assert "loss-input" not in {s.cause.id for s in d.suspects} | {r.cause.id for r in d.ruled_out}
    assert "loss-input" not in {s.consequence_of for s in d.suspects}
    assert [] == diagnose(double_softmax(stuck()), DiagnosisOptions(select=chosen, ignore=chosen)).suspects


def test_thresholds_reach_the_symptoms() -> None:
    """What does not count as a symptom is no evidence."""
    r = healthy()
    tame = DiagnosisOptions(thresholds={"learns": 0.99})

    assert "learns" in {s.name for s in diagnose(r).symptoms}
    assert "learns" not in {s.name for s in diagnose(r, tame).symptoms}


# --- what was ruled out -------------------------------------------------------------------------------------------


def test_every_cause_that_is_not_told_is_ruled_out_with_a_reason() -> None:
    """Told or ruled out, and never both; a cause that needs nothing was not looked for."""
    d = diagnose(double_softmax(stuck()))
    looked_for = {c.id for c in load_causes(symptoms=NAMES).values() if c.needs}
    told, out = [s.cause.id for s in d.suspects], [r.cause.id for r in d.ruled_out]

    assert sorted(looked_for) == sorted(told + out)
    assert all(r.reason for r in d.ruled_out)
    assert "not seen: gradients-carried" == next(r.reason for r in d.ruled_out if r.cause.id == "missing-zero-grad")


def test_reasons_for_ruling_out(pages: Callable[..., None]) -> None:
    """Not seen, explained by another, spoken against, or too weak."""
    pages(
        cause("parent", "child", prior=0.0, signal_present=5.0),
        cause("child", signal_present=5.0),
        cause("doubted", still_falling=1.0, learns=-3.0),
        cause("weak", still_falling=1.0),
        cause("unseen", no_step=9.0, no_backward=9.0),
    )

    reasons = {r.cause.id: r.reason for r in diagnose(healthy()).ruled_out}

    assert {"child", "doubted", "weak", "unseen"} == set(reasons)
    assert "explained by parent" == reasons["child"]
    assert reasons["doubted"].startswith("against it: Training accuracy reaches 95.0%")
    assert "too little for it: still-falling" == reasons["weak"]
    assert "not seen: no-step, no-backward" == reasons["unseen"]


# --- purity -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [healthy, regression, stuck, thrashing])
def test_the_same_recording_gives_the_same_answer(make: Callable[[], Recording]) -> None:
    """Twice the same, and the recording is as it was."""
    r, untouched = make(), make()

    first, second = diagnose(r), diagnose(r)

    assert repr(dataclasses.replace(first, recording=second.recording)) == repr(second)
    assert repr(untouched) == repr(r)


def test_a_run_that_learns_nothing_is_called_healthy_with_a_caution(pages: Callable[..., None]) -> None:
    """Where nobody knows whether there is something to learn; after trials it stands, unless one makes it sick."""
    pages(cause("no", prior=-9.0, loss_flat=1.0))
    r = stuck()
    r.references = []

    d = diagnose(r)

    assert ("healthy", False) == (d.verdict, d.failing)
    assert d.caution.startswith("Nothing has been learnt so far, and no known fault explains it. After 100 steps the loss is 2.303")
    assert [d.caution, *d.reasons] == d.all_reasons
    assert ("", d.reasons) == (diagnose(healthy()).caution, dataclasses.replace(d, caution="").all_reasons)


def test_a_run_that_hardly_learns_is_doubtful_where_something_is_suspected(pages: Callable[..., None]) -> None:
    """It is called healthy all the same; what is suspected, and can be tried, is kept. Who learns is beyond doubt."""
    pages(dataclasses.replace(cause("slow", prior=-3.0, still_falling=2.0), cures=["lr*10"]), cause("no", prior=-1.0, still_falling=0.1))
    slow, fine = healthy(geometric(2.3, 1.9), accuracy=0.2), healthy()

    slow.references = []  # nobody knows what there is to learn
    d = diagnose(slow)

    assert ("healthy", True, True) == (d.verdict, d.doubtful, d.is_worth_trials)
    assert "slow" in {s.cause.id for s in [*d.suspects, *d.hidden]}
    assert (False, []) == (diagnose(fine).doubtful, diagnose(fine).hidden)


@pytest.mark.parametrize(("accuracy", "reason", "doubtful"), [(0.45, "finished", True), (0.45, "steps", False), (0.7, "finished", False)])
def test_a_script_that_ends_far_below_a_closed_form_learner_is_doubtful(pages: Callable[..., None], accuracy: float, reason: str, doubtful: bool) -> None:
    """Though nothing is suspected: it missed what is there. One that the watch cut short may yet come to it."""
    pages(cause("no", prior=-9.0, still_falling=0.1))
    r = healthy(geometric(2.3, 1.4), accuracy=accuracy)
    assert r.end is not None
    r.evaluations, r.end = [], dataclasses.replace(r.end, reason=reason)

    d = diagnose(r)

    assert ("healthy", doubtful) == (d.verdict, d.doubtful)


def test_a_run_that_learns_nothing_is_not_healthy_for_want_of_a_suspect(pages: Callable[..., None]) -> None:
    """It is said that something is wrong and that nobody knows what; not to a user who left causes out."""
    pages(cause("no", prior=-9.0, loss_flat=1.0))

    d, restricted = diagnose(stuck()), diagnose(stuck(), DiagnosisOptions(ignore=frozenset({"lr-too-high"})))

    assert ("inconclusive", True, []) == (d.verdict, d.failing, d.suspects)
    assert d.reasons[0].startswith("The run does not learn, and no known fault explains it.")
    assert ("healthy", False) == (restricted.verdict, restricted.failing)
