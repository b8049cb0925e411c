"""What is read from the curves of somebody else's log."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from nndoctor.diagnosis.log import LogReading, judge
from nndoctor.logs.model import Log, Series
from tests.symptoms.build import geometric

FALLS, FLAT, RISES = geometric(2.0, 0.2, 40), geometric(1.0, 0.999, 40), geometric(1.0, 3.0, 40)


def series(name: str, values: list[float] | None) -> Series | None:
    return Series(name, [(float(i), v) for i, v in enumerate(values)]) if values is not None else None


def read(training: list[float] | None, validation: list[float] | None = None, scores: tuple[list[float], list[float]] | None = None) -> LogReading:
    """The reading of a log with these losses, and these accuracies of training and validation."""
    one, two = scores or (None, None)
    return judge(Log("log.csv", "CSV", "epoch", series("loss", training), series("val_loss", validation), series("acc", one), series("val_acc", two)))


def names(reading: LogReading, *severities: str) -> set[str]:
    return {f.name for f in reading.findings if f.severity in severities}


@pytest.mark.parametrize(
    ("training", "validation", "words", "claim", "severity", "verdict"),
    [
        (FALLS, FALLS, "both fall: the network is still learning", "", "", "unremarkable"),
        (FALLS, FLAT, "Training loss falls and validation loss stands still", "A-curve-2", "note", "unremarkable"),
        (FALLS, RISES, "Training loss falls and validation loss rises: the network overfits", "C-overfit", "warning", "sick"),
        (FLAT, FALLS, "Training loss stands still and validation loss falls: look at the data sets", "A-curve-3", "warning", "sick"),
        (FLAT, FLAT, "both stand still: learning has hit a bottleneck", "A-curve-4", "note", ""),
        (RISES, RISES, "both rise: structure, settings or data are at fault", "A-curve-5", "error", "sick"),
    ],
)
def test_combinations(training: list[float], validation: list[float], words: str, claim: str, severity: str, verdict: str) -> None:
    """The five combinations of the first document, and overfitting in full: sentence, claim and severity."""
    reading = read(training, validation)
    told = [f for f in reading.findings if f.name == "curves"]

    assert words in reading.reading
    assert ([severity] if severity else []) == [f.severity for f in told]
    assert not claim or claim in told[0].claims
    assert verdict in ("", reading.verdict)


def test_only_the_late_half_counts() -> None:
    """A run that fell and then stands still stands still; its fall is told as well."""
    reading = read(geometric(2.0, 0.2, 20) + [0.2 + 0.001 * (i % 2) for i in range(40)], geometric(2.0, 0.3, 20) + [0.3] * 40)

    assert "both stand still" in reading.reading
    assert "unremarkable" == reading.verdict
    assert "learns" in names(reading, "")


def test_short_logs() -> None:
    """Four epochs can be read, and the reader is told how little that is; three cannot."""
    four, three = read([2.0, 1.2, 0.8, 0.6], [2.0, 1.5, 1.2, 1.1]), read([2.0, 1.2, 0.8], [2.0, 1.5, 1.2])

    assert "both fall" in four.reading
    assert any("curve of only 4 points" in u for u in four.unknown)
    assert ("inconclusive", "Too little was seen to read the curves.") == (three.verdict, three.reading)


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_direction(seed: int) -> None:
    """Noise around a level neither falls nor rises, and a noisy run that learns is not called sick."""
    noise = random.Random(seed)
    level = read([1.0 + 0.1 * noise.gauss(0, 1) for _ in range(200)], [1.0 + 0.1 * noise.gauss(0, 1) for _ in range(20)])
    learns = read([x * (1 + 0.1 * noise.gauss(0, 1)) for x in geometric(2.0, 0.3, 300)], [x * (1 + 0.03 * noise.gauss(0, 1)) for x in geometric(2.0, 0.4, 12)])

    assert "both stand still" in level.reading
    assert "unremarkable" == learns.verdict


@pytest.mark.parametrize("epochs", [8, 50])
def test_noise_at_the_floor_is_no_fault(epochs: int) -> None:
    """A run that fell to its floor, and then moves by its noise alone, is seldom called sick: in one log of twenty at most."""
    wrong = 0
    for seed in range(40):
        noise = random.Random(seed)
        losses = [[floor + 2 * math.exp(-5 * i / epochs) + size * noise.gauss(0, 1) for i in range(epochs)] for floor, size in ((0.2, 0.05), (0.3, 0.03))]
        wrong += read(*losses).verdict == "sick"

    assert wrong <= 2


@pytest.mark.parametrize(("points", "passes"), [(300, 12), (50, 50)])
def test_faults_are_seen_through_noise(points: int, passes: int) -> None:
    """Overfitting, rising losses and a validation that falls beside a training that never did are seen in nearly all noisy logs."""
    faults: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
        "the network overfits": (lambda t: 0.05 + 2 * math.exp(-5 * t), lambda t: 0.6 + 1.4 * math.exp(-8 * t) + 0.9 * max(0.0, t - 0.3)),
        "both rise": (lambda t: 1 + t, lambda t: 1.1 + t),
        "look at the data sets": (lambda t: 2.3, lambda t: 2.2 - t),
    }
    for words, (training, validation) in faults.items():
        seen = 0
        for seed in range(20):
            noise = random.Random(seed)
            curves = [[f(i / n) * (1 + size * noise.gauss(0, 1)) for i in range(n)] for f, n, size in ((training, points, 0.08), (validation, passes, 0.03))]
            reading = judge(Log("log.csv", "CSV", "step", Series("loss", spread(curves[0])), Series("val_loss", spread(curves[1]))))
            seen += reading.verdict == "sick" and words in reading.reading

        assert seen >= 18, words


def spread(values: list[float]) -> list[tuple[float, float]]:
    """The values as points over the same time, however many there are."""
    return [(i / len(values), value) for i, value in enumerate(values)]


def test_training_that_rests_first() -> None:
    """Validation that falls on while training has come down to rest is a note; where training never fell, a warning."""
    rested = read(geometric(2.0, 0.2, 20) + [0.2 + 0.0001 * (i % 2) for i in range(40)], geometric(2.0, 0.3, 60))

    assert "curves" in names(rested, "note")
    assert "unremarkable" == rested.verdict
    assert "curves" in names(read(FLAT, FALLS), "warning")


def test_one_curve() -> None:
    """With training or validation alone, that one is read, and what is missing is said."""
    training, validation = read(RISES), read(None, FALLS)

    assert ("Training loss rises.", "sick") == (training.reading, training.verdict)
    assert any("no validation loss" in u for u in training.unknown)
    assert ("Validation loss falls.", "unremarkable") == (validation.reading, validation.verdict)
    assert any("no training loss" in u for u in validation.unknown)


def test_losses_that_break_down() -> None:
    """NaN in training or in validation, a loss that ends far above its start, and one that falls without end are errors."""
    assert "loss-nonfinite" in names(read([*FALLS, math.nan]), "error")
    assert "loss-nonfinite" in names(read(FALLS, [*FALLS, math.inf]), "error")
    assert "loss-diverged" in names(read([*FALLS, *geometric(0.2, 50.0, 40)]), "error")
    assert "loss-unbounded" in names(read([2.0 - 0.5 * i**2 for i in range(40)]), "error")
    assert ("sick", "The training loss ended in NaN or infinity.") == (read([*FALLS, math.nan]).verdict, read([*FALLS, math.nan]).reading)


def test_all_is_nan() -> None:
    """A log of NaN alone is sick, and reads as what it is."""
    reading = read([math.nan] * 10, [math.nan] * 10)

    assert {"loss-nonfinite"} == names(reading, "error")
    assert "sick" == reading.verdict


def test_a_run_that_never_learnt() -> None:
    """A loss that stays where it began over the whole log is a warning, a bottleneck after a fall is not."""
    assert "loss-flat" in names(read([2.3 + 0.001 * (-1) ** i for i in range(60)]), "warning")
    assert "loss-flat" not in names(read(geometric(2.0, 0.2, 20) + [0.2] * 40), "warning")


def test_gap_of_accuracies() -> None:
    """Accuracy far better in training than in validation is told, as a share or in per cent; a small gap is not."""
    for scale in (1.0, 100.0):
        assert "memorises" in names(read(FALLS, FALLS, ([0.99 * scale] * 9, [0.6 * scale] * 9)), "warning")
    assert "memorises" not in names(read(FALLS, FALLS, ([0.99] * 9, [0.9] * 9)), "warning")


def test_causes_that_fit() -> None:
    """Overfitting names causes of overfitting; where nothing is wrong none is named."""
    assert "no-regularization" in [c.id for c in read(FALLS, RISES).fits]
    assert "train-val-mismatch" in [c.id for c in read(FLAT, FALLS).fits]
    assert [] == read(FALLS, FALLS).fits


def test_points_and_not_steps() -> None:
    """A log's points are no optimiser steps, and are not called so."""
    for reading in (read([*FALLS, math.nan]), read(FALLS, RISES), read([*FALLS, *geometric(0.2, 50.0, 40)])):
        assert [] == [f.text for f in reading.findings if " step" in f.text]


def test_what_is_unknown_is_said() -> None:
    """Every reading ends with what a log cannot tell; a bottleneck with why it may be none."""
    assert any("nndoctor check" in u for u in read(FALLS, FALLS).unknown)
    assert any("converged" in u for u in read(FLAT, FLAT).unknown)
