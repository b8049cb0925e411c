"""Which trials are made, in which order, and when they end; with outcomes that are laid down beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from nndoctor.diagnosis.calibration import shipped
from nndoctor.diagnosis.model import Curve, Diagnosis, Suspect, Trial
from nndoctor.knowledge.loader import load_causes
from nndoctor.record.model import ModuleMode, Recording
from nndoctor.trials.plan import changes_for
from nndoctor.trials.run import RUNNING, Budget, try_suspects
from tests.symptoms.build import change, healthy, relu
from tests.symptoms.test_inputs import outweighed
from tests.symptoms.test_weights import by_hand
from tests.trials.build import Outcomes, run

CAUSES = load_causes()


def suspect(cause: str, confidence: float, severity: str = "error") -> Suspect:
    return Suspect(CAUSES[cause], confidence, severity, [])


def sick(*suspects: Suspect, hidden: tuple[Suspect, ...] = (), accuracy: float = 0.1, failing: bool = True) -> Diagnosis:
    """A diagnosis of a run that ends at this accuracy."""
    return Diagnosis("sick", list(suspects), [], [], Curve("", None, None, None), [], run(accuracy), list(hidden), failing)


def tried(diagnosis: Diagnosis, outcomes: Mapping[str, float | Recording], **budget: Any) -> tuple[Diagnosis, list[str]]:
    """The diagnosis after trials, and what was run."""
    laboratory = Outcomes(diagnosis.recording, outcomes)
    made = try_suspects(diagnosis, CAUSES, laboratory, Budget(**budget), lambda _: None)  # type: ignore[arg-type]
    return made, laboratory.asked


def test_a_healthy_run_costs_no_trial() -> None:
    """Nor does one of which nothing can be said."""
    for verdict in ("healthy", "inconclusive"):
        diagnosis = replace(sick(suspect("lr-too-high", 0.3, "note")), verdict=verdict, failing=False)
        after, asked = tried(diagnosis, {"lr*0.1": 1.0})

        assert ([], diagnosis) == (asked, after)


def test_a_run_that_fails_for_no_known_reason_is_tried() -> None:
    """What makes it learn is the cause; where nothing does, that is said, and it is not called healthy."""
    unknown = replace(sick(), verdict="inconclusive", failing=True, suspects=[], reasons=["It does not learn."])
    found, _ = tried(unknown, {"lr*10": 1.0})
    nothing, asked = tried(unknown, {})

    assert ("sick", "lr-too-low") == (found.verdict, found.suspects[0].cause.id)
    assert ("inconclusive", []) == (nothing.verdict, nothing.suspects)
    assert f"It does not learn. {len(asked)} changes of the run were tried, and none makes it learn." == nothing.reasons[0]


def test_a_doubtful_run_is_tried_for_what_it_is_suspected_of() -> None:
    """A cure that works makes it sick; where none does, it is as healthy as it was called, for the reasons that were given."""
    little, less, hardly = (shipped().confidence(odds) for odds in (-1.4, -1.65, -4.0))
    doubted = replace(
        sick(suspect("dying-relu", little, "note"), hidden=(suspect("lr-too-high", less), suspect("lr-too-low", hardly)), accuracy=0.25, failing=False),
        verdict="healthy", doubtful=True, reasons=["It learns, slowly."],
    )  # fmt: skip

    found, asked = tried(doubted, {"lr*0.1": 1.0})
    assert ("sick", "lr-too-high", "confirmed") == (found.verdict, found.suspects[0].cause.id, found.suspects[0].trial.outcome if found.suspects[0].trial else "")
    assert "lr*0.1" in asked

    doubted.recording.references = []  # nobody knows what there is to learn
    nothing, asked = tried(doubted, {})
    assert ("healthy", ["It learns, slowly."]) == (nothing.verdict, nothing.reasons)
    assert asked and "lr*10" not in asked


@pytest.mark.parametrize(("reason", "expected"), [("finished", "lr-too-low"), ("steps", "")])
def test_a_script_that_ends_far_below_what_is_there_is_tried_without_a_suspect(reason: str, expected: str) -> None:
    """Of one that was cut short by the watch nobody knows what it would have come to."""
    below = replace(sick(accuracy=0.4, failing=False), verdict="healthy", doubtful=True, reasons=["It learns, slowly."], recording=run(0.4, reason=reason))

    found, asked = tried(below, {"lr*10": 0.95})

    assert expected == next((s.cause.id for s in found.suspects), "")
    assert bool(expected) == bool(asked)


def test_the_leading_suspect_is_tried_until_a_cure_works() -> None:
    """The smaller edit first; what works ends the search."""
    after, asked = tried(sick(suspect("lr-too-high", 0.8)), {"lr*0.01": 1.0})

    assert ["lr*0.1", "lr*0.01"] == asked[:2]
    assert ("lr-too-high", True) == (after.suspects[0].cause.id, bool(after.suspects[0].trial and after.suspects[0].trial.confirmed))
    assert after.suspects[0].confidence >= 0.97


def test_a_confirmed_suspect_overtakes_a_refuted_one() -> None:
    """The one whose cure changes nothing sinks to a note."""
    after, _ = tried(sick(suspect("bad-initialization", 0.9), suspect("lr-too-high", 0.6)), {"lr*0.1": 1.0})

    assert ["lr-too-high", "bad-initialization"] == [s.cause.id for s in after.suspects]
    assert ["error", "note"] == [s.severity for s in after.suspects]


def test_the_smaller_edit_names_the_cause_where_both_cure() -> None:
    """An activation swap that is matched by a rate change is a rate problem, whoever was suspected."""
    after, asked = tried(sick(suspect("dying-relu", 0.9)), {"activation=leaky_relu": 0.9, "lr*0.1": 0.88})

    assert "lr*0.1" in asked
    assert "lr-too-high" == after.suspects[0].cause.id
    assert ("dying-relu", "lr-too-high") == (after.suspects[1].cause.id, after.suspects[1].consequence_of)


def test_a_smaller_edit_that_does_half_as_well_does_not() -> None:
    """Better than before is not as good."""
    after, _ = tried(sick(suspect("dying-relu", 0.9)), {"activation=leaky_relu": 0.95, "lr*0.1": 0.5})

    assert "dying-relu" == after.suspects[0].cause.id


def test_a_cause_that_nobody_suspected_is_found_by_its_cure() -> None:
    """Where the run learns nothing and no suspect's cure works."""
    after, _ = tried(sick(suspect("dying-relu", 0.9)), {"init=standard": 1.0})

    assert ("bad-initialization", "error") == (after.suspects[0].cause.id, after.suspects[0].severity)


def test_a_hidden_suspicion_comes_before_a_general_cure() -> None:
    """What was considered is tried first."""
    hidden = (suspect("clipping-too-tight", 0.3, "note"),)
    after, asked = tried(sick(suspect("dying-relu", 0.9), hidden=hidden), {"clip=off": 1.0})

    assert ["activation=leaky_relu", "clip=off"] == asked[:2]
    assert "clipping-too-tight" == after.suspects[0].cause.id


def test_what_is_no_more_than_noted_is_tried_as_well() -> None:
    """Where the one that is told has no cure, or none that works."""
    after, asked = tried(sick(suspect("labels-misaligned", 0.6), suspect("frozen-parameters", 0.4, "note")), {"requires-grad=on": 1.0})

    assert "requires-grad=on" == asked[0]
    assert ("frozen-parameters", "error") == (after.suspects[0].cause.id, after.suspects[0].severity)


def test_controls_are_made_where_nothing_helps() -> None:
    """They name no cause."""
    after, asked = tried(sick(suspect("dying-relu", 0.9)), {"one-batch=repeated": 1.0}, most=30)

    assert ["one-batch=repeated", "labels=shuffled", "inputs=zero"] == asked[-3:]
    assert "sick" == after.verdict
    assert ["dying-relu"] == [s.cause.id for s in after.suspects]


def test_a_run_that_learns_and_whose_suspects_are_refuted_is_healthy() -> None:
    """An alarm that the trial takes back."""
    after, _ = tried(sick(suspect("lr-too-high", 0.6, "warning"), accuracy=0.8, failing=False), {})

    assert "healthy" == after.verdict
    assert ["note"] == [s.severity for s in after.suspects]
    assert after.reasons


def test_a_run_that_fails_stays_sick_whatever_the_trials_say() -> None:
    """Something is wrong with it, and the first suspicion is still the best."""
    after, _ = tried(sick(suspect("lr-too-high", 0.6)), {})

    assert "sick" == after.verdict
    assert "lr-too-high" == after.suspects[0].cause.id


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_trials_are_made_than_were_allowed(most: int) -> None:
    """The budget in numbers."""
    _, asked = tried(sick(suspect("dying-relu", 0.9), suspect("lr-too-high", 0.8)), {}, most=most)

    assert most == len(asked)


def test_no_trial_begins_after_the_time_is_up() -> None:
    """The budget in seconds."""
    _, asked = tried(sick(suspect("dying-relu", 0.9)), {}, seconds=-1.0)

    assert [] == asked


def test_a_small_gain_is_held_against_another_seed() -> None:
    """A control that differs by as much takes the confirmation back."""
    weak = sick(suspect("lr-too-high", 0.8), accuracy=0.4, failing=False)
    steady, asked = tried(weak, {"lr*0.1": 0.68, "lr*0.01": 0.68, "seed=1": 0.41})
    noisy, _ = tried(weak, {"lr*0.1": 0.68, "lr*0.01": 0.68, "seed=1": 0.7})

    assert "seed=1" in asked
    assert "confirmed" == steady.suspects[0].trial.outcome  # type: ignore[union-attr]
    assert "unclear" == noisy.suspects[0].trial.outcome  # type: ignore[union-attr]


def test_one_run_answers_for_two_causes_with_one_cure() -> None:
    """What was run once is not run again."""
    diagnosis = sick(suspect("optimizer-parameters", 0.9), suspect("disconnected-parameters", 0.8))
    after, asked = tried(diagnosis, {"parameters=all": 0.15})

    assert 1 == asked.count("parameters=all")
    assert {"optimizer-parameters", "disconnected-parameters"} == {t.cause for t in after.trials if t.spelling == "parameters=all"}


def test_a_trial_that_breaks_is_not_possible_and_says_why() -> None:
    """The diagnosis stands, and the next cure is tried."""
    diagnosis = sick(suspect("lr-too-high", 0.8))

    class Broken(Outcomes):
        def run(self, change: Any, on_record: Any, enough: Any) -> Any:
            if change.spelling == "lr*0.1":
                raise OSError("no space left")
            return super().run(change, on_record, enough)

    after = try_suspects(diagnosis, CAUSES, Broken(diagnosis.recording, {"lr*0.01": 1.0}), Budget(), lambda _: None)  # type: ignore[arg-type]

    assert ("not possible", "it failed: OSError: no space left") == (after.trials[0].outcome, after.trials[0].reason)
    assert "confirmed" == after.suspects[0].trial.outcome  # type: ignore[union-attr]


def test_the_sign_of_a_loss_is_left_where_one_tensor_is_moved_the_wrong_way() -> None:
    """The loss is right then: turned round, the run would be worse, and the suspicion refuted that is true."""
    climbs = by_hand(-1.0, -1.0, 0.9, -1.0, -1.0, -1.0)
    spelt = [[c.spelling for c in changes_for(CAUSES["loss-sign"], r)] for r in (climbs, run(0.1))]

    assert [False, True] == ["loss=negated" in s for s in spelt]


def test_inputs_are_left_where_the_targets_are_wild() -> None:
    """Cut off, they would mend nothing, and the score would go on counting what is wild."""
    spelt = [[c.spelling for c in changes_for(CAUSES["input-outliers"], r)] for r in (outweighed(0.1, 0.9), run(0.1))]

    assert [[], ["inputs=clipped"]] == spelt


def test_statistics_of_the_batch_are_no_cure_where_the_batch_is_two_rows() -> None:
    """They are what is suspected."""
    few, many = healthy(), healthy()
    for made, rows in ((few, 2), (many, 32)):
        made.sites.append(relu(9, name="net.norm", function="batch_norm", module="net.norm", values=rows))
        made.modes = [ModuleMode("net.norm", "BatchNorm1d", 100, 0, None, 100)]
        change(made.steps, batch=rows)
    spelt = [[c.spelling for c in changes_for(CAUSES["normalization-misuse"], r)] for r in (few, many)]

    assert [False, True] == ["norm=batch-statistics" in s for s in spelt]


def test_each_trial_is_shown_as_it_runs() -> None:
    """First as running, then with its outcome."""
    seen: list[list[Trial]] = []
    diagnosis = sick(suspect("lr-too-high", 0.8))
    try_suspects(diagnosis, CAUSES, Outcomes(diagnosis.recording, {"lr*0.1": 1.0}), Budget(), seen.append)  # type: ignore[arg-type]

    assert RUNNING == seen[0][-1].outcome
    assert "confirmed" in {t.outcome for t in seen[-1]}


def test_clipping_that_has_seen_no_usual_gradient_takes_one() -> None:
    """The first gradient of a run that breaks at once is what broke it."""
    calm, broken = run(0.1), run(0.1)
    for i, (a, b) in enumerate(zip(calm.steps, broken.steps, strict=True)):
        a.gradient_norm, b.gradient_norm = 2.0, 97_000.0 if i == 0 else float("nan")

    spelt = [[c.spelling for c in changes_for(CAUSES["exploding-gradient"], r)] for r in (calm, broken)]

    assert ["clip=2", "clip=1"] == [s[0] for s in spelt]
