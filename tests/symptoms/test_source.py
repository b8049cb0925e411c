"""What a line of the script says, and that a finding points there."""

from __future__ import annotations

from nndoctor.diagnosis.engine import diagnose
from nndoctor.record.model import Place, Recording, SourceHint
from tests.symptoms.build import healthy, lacks, symptom_of

LINE = Place("train.py", 7)


def written(*whats: str) -> Recording:
    """A healthy run whose script has such a line."""
    recording = healthy()
    recording.hints = [SourceHint(what, LINE, "the line") for what in whats]
    return recording


def test_a_line_is_told_with_its_text_and_its_place() -> None:
    """One symptom for each kind of slip."""
    assert "Line 7 names a method without calling it: the line" == symptom_of(written("uncalled:zero_grad"), "clearing-not-called").text
    assert LINE == symptom_of(written("uncalled:step"), "step-not-called").place
    assert LINE == symptom_of(written("uncalled:backward"), "step-not-called").place
    assert LINE == symptom_of(written("uncalled:train"), "training-mode-not-called").place
    assert LINE == symptom_of(written("uncalled:eval"), "evaluation-mode-not-called").place
    assert "moves the rows of one array alone" in symptom_of(written("moved-apart"), "rows-moved-apart").text


def test_other_slips_are_other_symptoms() -> None:
    """None stands for another."""
    assert lacks(written("uncalled:step"), "clearing-not-called")
    assert lacks(written("uncalled:zero_grad"), "step-not-called")
    assert lacks(written("uncalled:eval"), "training-mode-not-called")
    assert lacks(written("uncalled:train"), "evaluation-mode-not-called")
    assert lacks(written(), "rows-moved-apart")


def test_a_line_alone_is_no_suspicion() -> None:
    """It may never have been reached."""
    every = written("uncalled:zero_grad", "uncalled:step", "uncalled:train", "uncalled:eval", "moved-apart")

    assert [] == diagnose(every).suspects


def test_the_finding_points_at_the_line() -> None:
    """Once the run shows that gradients pile up."""
    recording = written("uncalled:zero_grad")
    for step in recording.steps:
        step.held = step.carried = 4
    first = diagnose(recording).suspects[0]

    assert ("missing-zero-grad", LINE) == (first.cause.id, first.location)
