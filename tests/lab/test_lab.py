"""The laboratory's own parts: scripts that are what they claim, and figures that are right where they are known."""

from __future__ import annotations

import ast
import math
import random

import pytest

from nndoctor.diagnosis.calibration import Calibration, shipped
from nndoctor.knowledge.loader import load_causes
from tests.lab import published
from tests.lab.bases import BASES, Base
from tests.lab.build import mutants
from tests.lab.judge import calibration_error, fit
from tests.lab.operators import FAULTS, HARMLESS
from tests.symptoms.build import change, healthy


@pytest.mark.parametrize("base", BASES, ids=lambda b: b.name)
def test_every_change_of_a_base_is_a_script_of_its_own(base: Base) -> None:
    """It parses, and differs from the base and from all other changes."""
    texts = [changed.script() for o in (*HARMLESS[1:], *FAULTS) if (changed := o.change(base)) is not None]

    for text in texts:
        ast.parse(text)
    assert base.script() not in texts
    assert len(texts) == len(set(texts))
    assert len(texts) > 30


def test_operators_name_causes_that_exist() -> None:
    """Nearly every cause that one process can have has an operator, and each operator fits some base."""
    known = load_causes()
    named = {o.cause for o in FAULTS}

    assert set() == (named | {c for o in FAULTS for c in o.accept}) - set(known)
    assert len(named) >= 40
    assert [] == [o.name for o in FAULTS if all(o.change(b) is None for b in BASES)]


def test_mutants_are_the_same_at_every_call() -> None:
    """The recordings of one day serve on the next."""
    once, again = ([m.name for m in mutants(2, 1)] for _ in range(2))

    assert once == again
    assert len(once) == len(set(once))


def test_calibration_finds_the_slope_that_answers_were_drawn_with() -> None:
    """Answers that are right half as surely as their odds say; the fit says so, and the error falls."""
    draw = random.Random(0)
    odds = [draw.uniform(-1, 6) for _ in range(4000)]
    known = [(o, draw.random() < 1 / (1 + math.exp(-0.5 * o))) for o in odds]

    learnt = fit(known)
    raw = calibration_error([(Calibration().confidence(o), r) for o, r in known])
    mended = calibration_error([(learnt.confidence(o), r) for o, r in known])

    assert learnt.slope == pytest.approx(0.5, abs=0.06)
    assert learnt.offset == pytest.approx(0.0, abs=0.15)
    assert raw > 0.08 > 0.03 > mended


def test_few_answers_move_little() -> None:
    """Five right answers are no proof of certainty."""
    learnt = fit([(1.0, True)] * 5)

    assert abs(learnt.slope - 1) < 0.5 and abs(learnt.offset) < 0.8


def test_shipped_calibration_goes_both_ways() -> None:
    """A confidence leads back to its odds."""
    assert shipped().odds(shipped().confidence(1.7)) == pytest.approx(1.7)


def test_published_thresholds() -> None:
    """Inputs beyond one are a fault to them, and so is a rate above a hundredth; NaN is found by all."""
    r = healthy()
    change(r.features, min=[-0.5] * 64, max=[0.9] * 64)

    assert [] == list(published.causes(r))
    change(r.optimizers[0].groups, settings={"lr": 0.1})
    assert ["lr-too-high"] == list(published.causes(r))
    assert "input-not-normalized" in list(published.causes(healthy()))
