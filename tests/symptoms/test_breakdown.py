"""How a run breaks down: each symptom where it holds, and the look-alike that grows into it or never breaks."""

from __future__ import annotations

import math

from nndoctor.record.model import NonFinite
from tests.symptoms.build import LOSS, change, healthy, lacks, links, outputs, relu, stuck, symptom_of, tensor

NAN, INF = math.nan, math.inf


# --- breaks-at-once -----------------------------------------------------------------------------------------------


def test_a_calm_run_that_is_nan_at_the_next_step() -> None:
    """The step is named, and how large everything was until then."""
    r = healthy([2.3, 2.0, 1.8, *[NAN] * 97])

    s = symptom_of(r, "breaks-at-once")

    assert 4.0 == s.value
    assert "nan at step 4" in s.text and "losses up to 2.3" in s.text
    assert lacks(r, "breaks-at-once", limit=0.5)


def test_a_gradient_that_is_nan_where_the_loss_is_not() -> None:
    """The root of zero has a value and no slope."""
    r = healthy([1.8, *[NAN] * 99])
    r.steps[0].gradient_norm = NAN

    assert "The gradient was nan at step 1, of a loss of 1.8" in symptom_of(r, "breaks-at-once").text


def test_losses_that_a_script_throws_away() -> None:
    """They never reach backward: what is recorded looks well."""
    r = healthy()
    r.nonfinite = [NonFinite(7, "loss", "the loss", 0.3, 30, 100)]

    assert "in 30 batches, which were skipped, the first at step 7" in symptom_of(r, "breaks-at-once").text


def test_what_grows_into_an_overflow_did_not_break_at_once() -> None:
    """Losses, outputs; and NaN that came in with the data, or half precision, which ends at 65504."""
    growing, large, given, half = (healthy([2.3, 2.0, 1.8, *[NAN] * 97]) for _ in range(4))
    growing.steps[1].loss = 1e6
    change(large.activations, mean=1e5)
    given.nonfinite = [NonFinite(1, "input", "x", 0.1, 5, 100)]
    change(half.parameters, dtype="float16")

    assert lacks(growing, "breaks-at-once")
    assert lacks(large, "breaks-at-once")
    assert lacks(given, "breaks-at-once")
    assert lacks(half, "breaks-at-once")
    assert lacks(stuck(), "breaks-at-once")


# --- steep-loss ---------------------------------------------------------------------------------------------------


def test_a_logarithm_in_a_loss_that_broke() -> None:
    """It is named before the quotient that makes a mean, with its line; a sound loss may have one, too."""
    r, sound = healthy([2.3, *[NAN] * 99]), healthy()
    for made in (r, sound):
        made.graphs[0].chain = links("Div", "Neg", "Log", "Softmax", "Addmm")

    s = symptom_of(r, "steep-loss")

    assert LOSS == s.place
    assert f"a logarithm at line {LOSS.line}" in s.text
    assert lacks(sound, "steep-loss")
    assert lacks(healthy([2.3, *[NAN] * 99]), "steep-loss")


# --- signal-grows -------------------------------------------------------------------------------------------------


def deep(factor: float) -> list[float]:
    """The sizes of eight layers' outputs."""
    return [factor**i for i in range(8)]


def growing(factor: float, scale: float = 1.0, function: str = "linear"):  # type: ignore[no-untyped-def]
    """A run of eight layers whose outputs grow by that factor a layer."""
    r = healthy()
    r.sites = [relu(2 * i, name=f"net.{2 * i}", order=i, function=function) for i in range(8)]
    r.activations = [a for i, size in enumerate(deep(factor)) for a in outputs(f"net.{2 * i}", function, mean=0.0, std=scale * size)]
    return r


def test_a_signal_that_doubles_thrice_a_layer() -> None:
    """From the first layers' size to the largest."""
    r = growing(8.0)

    s = symptom_of(r, "signal-grows")

    assert s.value is not None and math.isclose(8.0**5, s.value)
    assert "net.14" == s.where
    assert lacks(r, "signal-grows", limit=1e6)


def test_large_inputs_and_a_loss_by_hand_are_no_growth() -> None:
    """What comes in large stays as large; an exponential in a loss is no layer."""
    assert lacks(growing(1.2, scale=1e5), "signal-grows")
    assert lacks(growing(8.0, function="exp"), "signal-grows")


def called_again(factor: float, calls: int, losses: list[float] | None = None):  # type: ignore[no-untyped-def]
    """A run of one layer whose output grows by that factor from call to call."""
    r = healthy(losses or [1.8, *[NAN] * 99])
    names = ["cell", *(f"cell#{i}" for i in range(2, calls + 1))]
    r.sites = [relu(i, name=name, order=i, function="linear") for i, name in enumerate(names)]
    r.activations = [a for i, name in enumerate(names) for a in outputs(name, "linear", mean=0.0, std=0.1 * factor**i)]
    return r


def test_a_layer_that_is_called_again_and_grows_until_something_breaks() -> None:
    """A twentieth in 24 calls; of a run that goes well, that shrinks, or that calls it a few times, nothing is said."""
    r = called_again(1.13, 24)

    s = symptom_of(r, "signal-grows")

    assert s.value is not None and math.isclose(1.13**23, s.value)
    assert ("cell", True) == (s.where, "in the 24 calls that were looked at" in s.text)
    assert lacks(r, "signal-grows", limit=1e4)
    assert lacks(called_again(1.13, 24, [2.3 - 0.01 * i for i in range(100)]), "signal-grows")
    assert lacks(called_again(0.9, 24), "signal-grows")
    assert lacks(called_again(1.5, 8), "signal-grows")


# --- recurrent ----------------------------------------------------------------------------------------------------


def test_weights_that_are_applied_again_and_again() -> None:
    """A recurrent layer, or a cell called in a loop."""
    layer, cell = healthy(), healthy()
    change(layer.modules[:1], type="RNN")
    cell.sites = [relu(1, name="net.1" if n == 1 else f"net.1#{n}") for n in range(1, 13)]

    assert "RNN" in symptom_of(layer, "recurrent").text
    assert "net.1" == symptom_of(cell, "recurrent").where
    assert lacks(cell, "recurrent", limit=20.0)
    assert lacks(healthy(), "recurrent")


def test_half_a_prediction_is_half_precision() -> None:
    """Autocast leaves the weights in float32."""
    r = healthy([2.3, *[NAN] * 99])
    r.losses[0].prediction = tensor(32, 10, dtype="bfloat16")

    assert lacks(r, "breaks-at-once")
