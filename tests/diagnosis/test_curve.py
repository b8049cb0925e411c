"""The sentence on the two curves: five combinations of training and validation, and what is short of one."""

from __future__ import annotations

import math

import pytest

from nndoctor.diagnosis.curve import read_curve
from nndoctor.diagnosis.model import Curve
from nndoctor.record.model import Recording
from nndoctor.symptoms.view import View
from tests.symptoms.build import evaluation, geometric, healthy, regression, run_of

FALLS, FLAT, RISES = geometric(2.0, 0.5), [2.0, 2.01] * 50, geometric(1.0, 3.0)


def read(losses: list[float], *validation: float) -> str:
    """The reading of a run with these losses in training, and these in validation."""
    recording = run_of(losses)
    recording.evaluations = [evaluation(20 * i, loss=loss) for i, loss in enumerate(validation, 1)]
    return read_curve(View(recording)).reading


def curve(recording: Recording) -> Curve:
    return read_curve(View(recording))


@pytest.mark.parametrize(
    ("training", "validation", "words"),
    [
        (FALLS, (1.5, 1.2, 0.9, 0.7), "both fall: the network is still learning"),
        (FALLS, (1.0, 1.0, 1.0, 1.0), "Training loss falls and validation loss stands still"),
        (FALLS, (1.0, 0.8, 1.0, 1.4), "Training loss falls and validation loss rises: the network overfits"),
        (FLAT, (1.5, 1.2, 0.9, 0.7), "Training loss stands still and validation loss falls: look at the data sets"),
        (FLAT, (2.0, 2.0, 2.0, 2.0), "both stand still: learning has hit a bottleneck"),
        (FLAT, (1.0, 1.2, 1.5, 2.0), "Training loss stands still and validation loss rises"),
        (RISES, (1.0, 1.2, 1.5, 2.0), "both rise: structure, settings or data are at fault"),
        (RISES, (1.5, 1.2, 0.9, 0.7), "Training loss rises and validation loss falls"),
        (RISES, (1.0, 1.0, 1.0, 1.0), "Training loss rises and validation loss stands still"),
    ],
)
def test_two_curves_make_one_reading(training: list[float], validation: tuple[float, ...], words: str) -> None:
    """Each of the two falls, stands still or rises."""
    assert words in read(training, *validation)


@pytest.mark.parametrize(("training", "words"), [(FALLS, "falls"), (FLAT, "stands still"), (RISES, "rises")])
def test_one_validation_pass_makes_no_curve(training: list[float], words: str) -> None:
    """Training speaks alone."""
    assert f"Training loss {words}." == read(training)
    assert f"Training loss {words}." == read(training, 1.0)


def test_a_first_pass_that_was_the_best_by_a_hair_is_no_rise() -> None:
    """The end has to be a tenth above the minimum."""
    assert "stands still" in read(FALLS, 1.0, 0.98, 1.0, 1.03)


def test_what_cannot_be_read_is_said() -> None:
    """Too few steps, or an end in NaN."""
    assert "Too few steps were seen to read the curves." == read(FALLS[:9])
    assert "The training loss ended in NaN or infinity." == read([*FALLS[:90], *[math.nan] * 10])
    assert "The training loss ended in NaN or infinity." == read([*FALLS[:99], math.inf])


def test_numbers_stand_beside_the_reading() -> None:
    """First and last loss, the constant's, and the scores under their name."""
    found = curve(healthy())

    assert (2.3, "accuracy") == (found.first, found.score_name)
    assert 0.95 == pytest.approx(found.task_score)
    assert 0.85 / 0.9 == pytest.approx(found.score)
    assert 0.85 / 0.9 == pytest.approx(found.validation_score)
    assert math.log(10) == pytest.approx(found.constant)
    assert ("R2", 0.9) == (curve(regression()).score_name, pytest.approx(curve(regression()).task_score))


def test_an_empty_run_has_no_numbers() -> None:
    """Unknown is None, not zero."""
    found = curve(run_of([]))

    assert (None, None, None, None, "", None, None) == (
        found.first, found.last, found.constant, found.score, found.score_name, found.task_score, found.validation_score,
    )  # fmt: skip
