"""What layers put out: each symptom where it holds, and the healthy look-alike."""

from __future__ import annotations

import math

import pytest

from tests.symptoms.build import BUILT, change, healthy, inputs, lacks, outputs, relu, symptom_of

# --- dead-units ---------------------------------------------------------------------------------------------------


def test_units_that_are_zero_for_every_sample_are_dead() -> None:
    """Share and size of the worst layer, and that it was alive at the start."""
    r = healthy()
    change(r.sites[1:], dead_end=0.75)

    s = symptom_of(r, "dead-units")

    assert (0.75, 0.5, "net.3", BUILT) == (s.value, s.threshold, s.where, s.place)
    assert "75% of the 32 units after net.3" in s.text and "(alive at the start)" in s.text
    assert lacks(r, "dead-units", limit=0.8)


def test_units_that_were_dead_all_along_are_told_as_such() -> None:
    """Nothing then says that they were alive."""
    r = healthy()
    change(r.sites, dead_start=0.75, dead_end=0.75)

    assert "alive" not in symptom_of(r, "dead-units").text


def test_sparse_units_are_alive() -> None:
    """Zero for nine samples in ten, and never for all; a third of a layer dead is common; one unit is no layer."""
    sparse, third, single = healthy(), healthy(), healthy()
    change(sparse.activations, zero=0.9)
    change(third.sites, dead_end=0.33)
    change(single.sites, units=1, dead_end=1.0, dead_start=1.0)

    assert lacks(sparse, "dead-units")
    assert lacks(third, "dead-units")
    assert lacks(single, "dead-units")


# --- dead-from-start ----------------------------------------------------------------------------------------------


def test_units_that_begin_dead() -> None:
    """No step can have killed them."""
    r = healthy()
    change(r.sites[:1], dead_start=0.75)

    s = symptom_of(r, "dead-from-start")

    assert (0.75, "net.1") == (s.value, s.where)
    assert "75% of the 32 units after net.1" in s.text
    assert lacks(r, "dead-from-start", limit=0.8)


def test_units_that_die_later_did_not_begin_dead() -> None:
    """What killed them came with training."""
    r = healthy()
    change(r.sites, dead_start=0.1, dead_end=0.9)

    assert lacks(r, "dead-from-start")


# --- wholly-dead --------------------------------------------------------------------------------------------------


def test_a_layer_that_is_silent_from_first_to_last() -> None:
    """All of its units, in all of the looks."""
    r = healthy()
    change(r.sites[:1], dead_start=1.0, dead_end=1.0)

    s = symptom_of(r, "wholly-dead")

    assert "net.1" == s.where
    assert "net.1 puts out nothing but zeros" in s.text


@pytest.mark.parametrize("fields", [{"dead_start": 1.0, "dead_end": 0.4}, {"dead_start": 0.9, "dead_end": 1.0}, {"dead_start": 1.0, "dead_end": 1.0, "hidden": False}])
def test_a_layer_that_wakes_or_dies_later(fields: dict[str, object]) -> None:
    """A branch that starts at zero on purpose wakes; an output is another matter."""
    r = healthy()
    change(r.sites[:1], **fields)

    assert lacks(r, "wholly-dead")


# --- saturated-units ----------------------------------------------------------------------------------------------


def test_outputs_near_an_asymptote_are_saturated() -> None:
    """Share and kind of the worst hidden site."""
    r = healthy()
    change(r.sites, function="tanh", dead_start=None, dead_end=None)
    change(r.activations, saturated=0.8)

    s = symptom_of(r, "saturated-units")

    assert 0.8 == pytest.approx(s.value)
    assert "80% of the outputs of net.3 (tanh)" in s.text
    assert lacks(r, "saturated-units", limit=0.85)


def test_a_sure_classifier_saturates_its_output() -> None:
    """That is what it is for; and hidden sites that saturate only late have learnt by then."""
    sure, late = healthy(), healthy()
    change(sure.sites, hidden=False)
    change(sure.activations, saturated=0.99)
    for site in ("net.1", "net.3"):
        change([a for a in late.activations if a.site == site][10:], saturated=0.99)
        change([a for a in late.activations if a.site == site][:10], saturated=0.05)

    assert lacks(sure, "saturated-units")
    assert lacks(late, "saturated-units")


# --- squashed-signal ----------------------------------------------------------------------------------------------


def test_a_sigmoid_that_puts_out_a_half_for_every_sample() -> None:
    """Deviation between samples, as a share of their size, in the first looks."""
    r = healthy()
    change([s for s in r.sites if s.name == "net.3"], function="sigmoid", dead_start=None, dead_end=None)
    change([a for a in r.activations if a.site == "net.3"], mean=0.5, std=0.0, spread=0.01)

    s = symptom_of(r, "squashed-signal")

    assert (pytest.approx(0.02), 0.06, "net.3") == (s.value, s.threshold, s.where)
    assert "(sigmoid) differ between samples by 2.0%" in s.text
    assert lacks(r, "squashed-signal", limit=0.01)


def test_a_gate_may_be_alike_for_every_sample_and_saturated() -> None:
    """Attention that is still even; a gate that is open or shut."""
    r = healthy()
    change([s for s in r.sites if s.name == "net.3"], function="sigmoid", dead_start=None, dead_end=None, gate=True)
    change([a for a in r.activations if a.site == "net.3"], mean=0.5, std=0.0, spread=0.01, saturated=0.9)

    assert lacks(r, "squashed-signal")
    assert lacks(r, "saturated-units")


def test_one_sigmoid_of_a_unit_signal_squashes_little() -> None:
    """It leaves a fifth over a half; and equal inputs are no fault of the activation."""
    fine, equal = healthy(), healthy()
    for r, spread in ((fine, 0.2), (equal, 0.0)):
        change([s for s in r.sites if s.name == "net.3"], function="sigmoid", dead_start=None, dead_end=None)
        change([a for a in r.activations if a.site == "net.3"], mean=0.5, std=0.0, spread=spread)
    equal.features = [inputs(between=0.0)]

    assert lacks(fine, "squashed-signal")
    assert lacks(equal, "squashed-signal")


def test_a_softmax_behind_the_network_makes_probabilities_to_draw_from() -> None:
    """Nearly even at first, as it should be. Without modules no output is known, and it counts."""
    r, loose = healthy(), healthy()
    for each in (r, loose):
        change([s for s in each.sites if s.name == "net.3"], function="softmax", dead_start=None, dead_end=None, module="")
        change([a for a in each.activations if a.site == "net.3"], mean=0.5, std=0.0, spread=0.01)
        each.sites[0].hidden, each.sites[0].module = False, "net.4" if each is r else ""

    assert lacks(r, "squashed-signal")
    assert "(softmax)" in symptom_of(loose, "squashed-signal").text


# --- signal-collapses ---------------------------------------------------------------------------------------------


def test_outputs_that_hardly_differ_between_samples() -> None:
    """Their deviation between samples, as a share of their size."""
    r = healthy()
    change([a for a in r.activations if a.site == "net.3"], mean=1.0, std=0.0, spread=0.001)

    s = symptom_of(r, "signal-collapses")

    assert (pytest.approx(0.001), 0.02, "net.3") == (s.value, s.threshold, s.where)
    assert "by 0.10% of their size" in s.text
    assert lacks(r, "signal-collapses", limit=0.0005)


def test_equal_inputs_give_equal_outputs() -> None:
    """Then the network is not at fault; nor is it where an embedding returns the same row."""
    equal, embedded = healthy(), healthy()
    change(equal.activations, spread=0.0)
    equal.features = [inputs(between=0.0)]
    change(embedded.sites, function="embedding")
    change(embedded.activations, spread=0.0)

    assert lacks(equal, "signal-collapses")
    assert lacks(embedded, "signal-collapses")


def test_a_small_difference_on_a_large_offset_is_seen_as_small() -> None:
    """A tenth of the size is far from collapse."""
    r = healthy()
    change(r.activations, mean=1.0, std=0.1, spread=0.1)

    assert lacks(r, "signal-collapses")


# --- norm-erases --------------------------------------------------------------------------------------------------


def test_a_normalisation_that_leaves_nothing() -> None:
    """The first site where all samples are alike, if it is a normalisation, its inputs differed, and so it stays up to the output."""
    r, other, equal, branch = healthy(), healthy(), healthy(), healthy()
    for made in (r, other, equal):
        change([a for a in made.activations if a.site != "net.0"], mean=1.0, std=0.0, spread=0.0)
    change([a for a in branch.activations if a.site == "net.1"], mean=1.0, std=0.0, spread=0.0)
    for made in (r, equal, branch):
        change([s for s in made.sites if s.name == "net.1"], function="layer_norm")
    equal.features = [inputs(between=0.0)]

    s = symptom_of(r, "norm-erases")

    assert (0.0, "net.1") == (s.value, s.where)
    assert lacks(r, "norm-erases", limit=0.0)
    assert lacks(other, "norm-erases")
    assert lacks(equal, "norm-erases")
    assert lacks(branch, "norm-erases")
    assert lacks(healthy(), "norm-erases")


def test_a_mean_over_what_a_normalisation_has_centred() -> None:
    """The norm's outputs still differ; what comes next keeps their mean only, which is the same for all: the norm is named."""
    r, deaf, late = healthy(), healthy(), healthy()
    for made in (r, deaf, late):
        change(made.sites[:1], function="layer_norm")
        change(made.sites[1:], function="linear")
    change([a for a in r.activations if a.site == "net.3"], mean=0.3, std=0.2, spread=1e-8)
    # A rectifier whose units are all dead puts out nothing but zeros, whatever came before it.
    change(deaf.sites[1:], function="relu")
    change([a for a in deaf.activations if a.site == "net.3"], mean=0.0, std=0.0, spread=0.0)
    # A layer between the two: the signal was lost behind the norm.
    late.sites.insert(1, relu(2, order=2, function="linear"))
    late.activations += outputs("net.2")
    change([a for a in late.activations if a.site == "net.3"], mean=0.3, std=0.2, spread=1e-8)

    s = symptom_of(r, "norm-erases")

    assert ("net.1", BUILT) == (s.where, s.place)
    assert "net.1 leaves each sample the same mean" in s.text and "the outputs of net.3 are alike" in s.text
    assert lacks(deaf, "norm-erases")
    assert lacks(late, "norm-erases")


# --- activations-explode ------------------------------------------------------------------------------------------


def test_outputs_in_the_hundred_thousands_explode() -> None:
    """The largest root mean square."""
    r = healthy()
    change(r.activations[-1:], mean=0.0, std=1e5)

    s = symptom_of(r, "activations-explode")

    assert (1e5, 1000.0, "net.3") == (s.value, s.threshold, s.where)
    assert "1e+05" in s.text
    assert lacks(r, "activations-explode", limit=2e5)


def test_outputs_that_overflow_count_as_infinite() -> None:
    """NaN has no size of its own."""
    r = healthy()
    change(r.activations[-1:], mean=float("nan"))

    assert math.inf == symptom_of(r, "activations-explode").value


def test_large_inputs_make_large_outputs() -> None:
    """They did not grow: the inputs are as large."""
    r = healthy()
    r.features = [inputs(mean=5e4)]
    r.activations = outputs("net.1", std=1e5)

    assert lacks(r, "activations-explode")


def test_one_sample_differs_from_no_other() -> None:
    """In batches of one nothing can be said of what all samples have in common."""
    r = healthy()
    change([s for s in r.sites if s.name == "net.3"], function="sigmoid", dead_start=None, dead_end=None)
    change([a for a in r.activations if a.site == "net.3"], mean=0.5, std=0.0, spread=0.0)
    change(r.steps, batch=1)

    assert lacks(r, "squashed-signal")
    assert lacks(r, "signal-collapses")
