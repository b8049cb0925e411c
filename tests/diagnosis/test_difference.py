"""What changed between two runs: settings, numbers, the step in which they part, and findings."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from nndoctor.diagnosis.difference import Difference, Parting, compare
from nndoctor.diagnosis.engine import diagnose
from nndoctor.record.cut import cut
from nndoctor.record.model import Recording, Step
from tests.symptoms.build import geometric, healthy


def difference(before: Recording, after: Recording) -> Difference:
    return compare(diagnose(before), diagnose(after))


def parting(**fields: dict[int, Any]) -> Parting:
    """Where the healthy run parts from one whose steps differ in these fields: step -> value."""
    one, two = healthy(), healthy()
    for name, values in fields.items():
        for step, value in values.items():
            setattr(two.steps[step - 1], name, value)
    return difference(one, two).parting


def test_the_same_run_twice() -> None:
    """A run does not differ from itself: nothing changed, nothing moved, nothing new, and it never parts."""
    found = difference(healthy(), healthy())

    assert ([], [], [], []) == (found.changed, [m for m in found.measured if m.moved], found.appeared, found.gone)
    assert Parting(100, "") == found.parting
    assert found.comparable


def test_a_setting_that_changed() -> None:
    """The rate is named with both values, and nothing else is."""
    other = healthy()
    other.optimizers[0].groups[0].settings["lr"] = 0.5
    (changed,) = difference(healthy(), other).changed

    assert ("optimiser", "lr", 0.5) == (changed.subject, changed.name, changed.after)
    assert changed.before not in (None, 0.5)


def test_settings_of_every_subject() -> None:
    """Script, model, loss, loop and data are compared, too; what is on one side only is None on the other."""
    other = healthy()
    other.header = dataclasses.replace(other.header, script="other.py")
    other.modules.clear()
    other.models[0].parameters = 7
    other.losses[0].function = "mse_loss"
    other.features[0].dtype = "float64"
    for step in other.steps:
        step.batch, step.clip = 8, 1.0
    found = {(c.subject, c.name): (c.before, c.after) for c in difference(healthy(), other).changed}

    assert ("train.py", "other.py") == found["run", "script"]
    assert 7 == found["model", f"{other.models[0].name} parameters"][1]
    assert ("cross_entropy", "mse_loss") == found["loss", "loss"]
    assert (32, 8) == found["loop", "batch size"]
    assert (None, 1.0) == found["loop", "gradients clipped at"]
    assert ("float32", "float64") == found["data", "inputs type"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"input_sum": {1: 9.0}, "loss": {1: 9.0}}, Parting(1, "inputs")),
        ({"input_sum": {40: 9.0}}, Parting(40, "inputs")),
        ({"target_sum": {1: 9.0}, "loss": {1: 9.0}}, Parting(1, "targets")),
        ({"loss": {1: 9.0}, "gradient_norm": {1: 9.0}}, Parting(1, "loss")),
        ({"loss": {2: 9.0}}, Parting(2, "loss")),
        ({"loss": {2: math.nan}}, Parting(2, "loss")),
        ({"gradient_norm": {1: 9.0}, "loss": {2: 9.0}}, Parting(1, "gradient")),
        ({"input_sum": {3: None}, "target_sum": {3: None}}, Parting(100, "")),
    ],
)
def test_parting(fields: dict[str, dict[int, Any]], expected: Parting) -> None:
    """The first step that is not the same, and the first thing in it that is not; what is not known is not compared."""
    assert expected == parting(**fields)


def test_nan_on_both_sides_is_the_same() -> None:
    """Two runs that break down alike do not part by it."""
    one, two = (healthy([1.0] * 50 + [math.nan] * 50) for _ in range(2))

    assert Parting(100, "") == difference(one, two).parting


def test_findings_that_appear_and_go() -> None:
    """A run that no longer clears its gradients has a new finding; the other way round it is gone; against itself it stays."""
    sick = healthy()
    for step in sick.steps[1:]:
        step.carried = step.held
    sick.calls = [c for c in sick.calls if c.what != "zero_grad"]
    forth, back, same = difference(healthy(), sick), difference(sick, healthy()), difference(sick, sick)

    assert "missing-zero-grad" in [s.cause.id for s in forth.appeared]
    assert "missing-zero-grad" in [s.cause.id for s in back.gone]
    assert [] == back.appeared
    assert "missing-zero-grad" in [s.cause.id for s in same.stayed]


def test_measures_are_compared_at_equal_steps() -> None:
    """Of a run that was watched longer, the first part is compared."""
    losses = geometric(2.0, 0.1, 200)
    found = {m.name: m for m in difference(healthy(losses[:100]), healthy(losses)).measured}

    assert found["last loss"].before == found["last loss"].after
    assert not found["last loss"].moved


def test_a_little_is_no_move() -> None:
    """A tenth is what seeds make; beyond it, or into NaN, a measure has moved."""
    def moved(factor: float) -> bool:
        found = difference(healthy(geometric(2.0, 0.5)), healthy([x * factor for x in geometric(2.0, 0.5)]))
        return next(m.moved for m in found.measured if m.name == "last loss")

    assert not moved(1.05)
    assert moved(1.2)


def test_too_little_to_compare() -> None:
    """Runs of a few steps are compared, and not judged by it."""
    short = healthy()
    short.steps = short.steps[:3]

    assert not difference(healthy(), short).comparable
    assert not difference(Recording(healthy().header), healthy()).comparable


def test_cut() -> None:
    """A recording that is cut has so many steps, and the samples and validation passes up to there; zero leaves none."""
    recording = healthy()

    assert (30, 30) == (len(cut(recording, 30).steps), max(s.step for s in cut(recording, 30).samples))
    assert ([], []) == (cut(recording, 0).steps, cut(recording, 0).samples)
    assert cut(recording, 1000) is recording
    assert isinstance(recording.steps[0], Step)
