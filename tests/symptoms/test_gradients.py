"""Gradients over depth and over the run: each symptom where it holds, and the healthy look-alike."""

from __future__ import annotations

import math

import pytest

from nndoctor.record.model import Recording, Recurrence
from tests.symptoms.build import BUILT, NUMBERS, change, healthy, lacks, symptom_of

NAN = float("nan")


def scaled(first: float, widths: tuple[int, ...] = (64, 32, 32, 10)) -> Recording:
    """The healthy run with the gradients of its first weight matrix times that."""
    recording = healthy(widths=widths)
    for step in recording.steps:
        norm = step.norms[0]
        assert norm is not None
        step.norms[0] = norm * first
    return recording


# --- gradient-vanishes --------------------------------------------------------------------------------------------


def test_a_first_layer_with_a_hundred_thousandth_of_the_gradient() -> None:
    """Both layers and their ratio."""
    r = scaled(1e-5)

    s = symptom_of(r, "gradient-vanishes")

    assert (pytest.approx(1e-5), 1e-3, BUILT) == (s.value, s.threshold, s.place)
    assert "net.0.weight is 1.0e-05 times that of net.4.weight" in s.text
    assert lacks(r, "gradient-vanishes", limit=1e-6)


def test_a_hundredth_of_the_gradient_is_enough() -> None:
    """And two layers have no depth in which it could vanish."""
    assert lacks(scaled(1e-2), "gradient-vanishes")
    assert lacks(scaled(1e-5, widths=(64, 32, 10)), "gradient-vanishes")


# --- gradient-fades-in-time ---------------------------------------------------------------------------------------


def through_time(*reaches: float, module: str = "net.rnn") -> list[Recurrence]:
    """Looks at a recurrence of fifty steps of time."""
    return [Recurrence(step, module, "RNN", 50, reach, BUILT) for step, reach in enumerate(reaches, 1)]


def test_a_beginning_that_gets_a_millionth_of_the_gradient() -> None:
    """The layer, its length, and the median over the looks."""
    r = healthy()
    r.recurrences = through_time(0.1, 1e-6, 1e-6, NAN)

    s = symptom_of(r, "gradient-fades-in-time")

    assert (1e-6, 1e-4, "net.rnn", BUILT) == (s.value, s.threshold, s.where, s.place)
    assert "the 50 steps of time of net.rnn (RNN), 1e-06 comes back" in s.text
    assert lacks(r, "gradient-fades-in-time", limit=1e-7)


def test_one_layer_that_reaches_back_is_enough() -> None:
    """Of two directions, say; a hundredth is a reach, and what is no number is none."""
    r, reaching, unknown = healthy(), healthy(), healthy()
    r.recurrences = through_time(1e-8, 1e-8) + through_time(0.3, 0.2, module="net.gru")
    reaching.recurrences = through_time(0.01, 0.01)
    unknown.recurrences = through_time(NAN, math.inf)

    assert lacks(r, "gradient-fades-in-time")
    assert lacks(reaching, "gradient-fades-in-time")
    assert lacks(unknown, "gradient-fades-in-time")
    assert lacks(healthy(), "gradient-fades-in-time")


# --- gradient-zero ------------------------------------------------------------------------------------------------


def zeroed(share_of_steps: float) -> Recording:
    """The first layer's gradient is exactly zero in that share of the steps."""
    recording = healthy()
    for step in recording.steps:
        if (step.index % 10) < 10 * share_of_steps:
            step.norms[:2] = [0.0, 0.0]
    return recording


def test_parameters_with_a_gradient_of_exactly_zero() -> None:
    """Their share and the first of them."""
    r = zeroed(1.0)

    s = symptom_of(r, "gradient-zero")

    assert (2080 / NUMBERS, "net.0.weight") == (s.value, s.where)
    assert "60% of the optimised numbers" in s.text and "net.0.weight" in s.text
    assert lacks(r, "gradient-zero", limit=0.65)


def test_gradients_that_are_zero_now_and_then() -> None:
    """A head that is used every other step; and where there is no gradient, there is no zero."""
    absent = healthy()
    for step in absent.steps:
        step.norms[:2] = [None, None]

    assert lacks(zeroed(0.5), "gradient-zero")
    assert lacks(absent, "gradient-zero")


# --- gradient-explodes --------------------------------------------------------------------------------------------


def test_a_spike_of_five_hundred_times_the_median() -> None:
    """Largest norm and median."""
    r = healthy()
    change(r.steps[60:61], gradient_norm=500.0)

    s = symptom_of(r, "gradient-explodes")

    assert (500.0, 100.0) == (s.value, s.threshold)
    assert "reaches 500 against a median of 1." in s.text
    assert lacks(r, "gradient-explodes", limit=600)


def test_what_clipping_cut_off_is_seen() -> None:
    """The norm before clipping counts."""
    r = healthy()
    change(r.steps, unclipped_norm=1.0, clip=1.0)
    change(r.steps[60:61], unclipped_norm=500.0)

    assert 500.0 == symptom_of(r, "gradient-explodes").value


def test_heavy_tails_are_no_explosion() -> None:
    """A batch in a while has twenty times the usual gradient; and gradients that are all large do not grow."""
    tailed, large = healthy(), healthy()
    change(tailed.steps[::20], gradient_norm=20.0)
    change(large.steps, gradient_norm=1e6)

    assert lacks(tailed, "gradient-explodes")
    assert lacks(large, "gradient-explodes")


def test_growth_that_ends_in_nan_is_measured_from_its_start() -> None:
    """Half the run lies near the peak: the median would hide it."""
    r = healthy()
    for step in r.steps:
        step.gradient_norm = 10.0 ** (step.index / 10) if step.index < 60 else NAN

    assert 1e5 < (symptom_of(r, "gradient-explodes").value or 0)


# --- gradient-nonfinite -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [math.inf, NAN])
def test_gradients_that_are_no_numbers(norm: float) -> None:
    """The first step and how many there are."""
    r = healthy()
    change(r.steps[40:], gradient_norm=norm)

    s = symptom_of(r, "gradient-nonfinite")

    assert 41 == s.value
    assert "from step 41 on, in 60 steps" in s.text


def test_gradients_that_are_huge_or_unknown_are_finite() -> None:
    """Only what was measured and is no number counts."""
    huge, unknown = healthy(), healthy()
    change(huge.steps, gradient_norm=1e30)
    change(unknown.steps, gradient_norm=None)

    assert lacks(huge, "gradient-nonfinite")
    assert lacks(unknown, "gradient-nonfinite")
