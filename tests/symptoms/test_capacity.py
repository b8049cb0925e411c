"""What the network can express: each symptom where it holds, and the network that is narrow or shallow by right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nndoctor.record.model import Recording, Strait
from tests.symptoms.build import change, geometric, healthy, lacks, parameter, reference, regression, symptom_of, tensor

# --- bottleneck ---------------------------------------------------------------------------------------------------


def test_three_units_for_ten_classes() -> None:
    """The narrowest hidden layer counts, a recurrent one by its state; the last is as wide as the classes."""
    r = healthy(widths=(64, 32, 3, 10))
    gated = healthy()
    gated.parameters[2].shape, gated.parameters[2].module_type = [9, 32], "GRU"

    s = symptom_of(r, "bottleneck")

    assert ("net.2", 3 / 8) == (s.where, s.value)
    assert "net.2 has 3 units, through which 10 classes" in s.text
    assert "has 3 units" in symptom_of(gated, "bottleneck").text
    assert lacks(r, "bottleneck", limit=0.1)


def test_a_narrow_code_or_two_classes_are_no_bottleneck() -> None:
    """Real targets may be as few numbers as they are."""
    narrow = regression()
    change(narrow.parameters[2:3], shape=[2, 32])

    assert lacks(narrow, "bottleneck")
    assert lacks(healthy(), "bottleneck")


def test_a_tensor_that_is_added_is_no_bottleneck() -> None:
    """A position or a class token has an axis of one, and nothing goes through it; a layer of one unit is one all the same."""
    added, layer = healthy(), healthy(widths=(64, 32, 1, 10))
    token = parameter(6, "net.token", 1, 32)
    added.parameters.insert(0, token)
    added.graphs[0].reached.append(6)
    added.optimizers[0].groups[0].parameters.append(6)

    assert lacks(added, "bottleneck")
    assert "net.2 has 1 unit, through which 10 classes" in symptom_of(layer, "bottleneck").text
    token.name = "net.first.weight"
    assert "has 1 unit" in symptom_of(added, "bottleneck").text


def test_labels_that_do_not_exclude_each_other_need_more() -> None:
    """Six yes-or-no answers through three units; an autoencoder's code is narrow by design, whatever its loss."""
    r, code = regression(), regression()
    for made, count in ((r, 6), (code, 64)):
        change(made.parameters[2:3], shape=[3, 32])
        change(made.labels, task="multilabel", mean=[0.5] * count)
        made.losses[0].target = tensor(32, count, integers=True)

    assert "has 3 units, through which 6 labels have to be told apart" in symptom_of(r, "bottleneck").text
    assert lacks(code, "bottleneck")
    change([r.losses[0].target], integers=False)
    assert lacks(r, "bottleneck")


def test_what_a_path_leads_around_is_no_bottleneck() -> None:
    """The one unit that weighs the places of a pooling."""
    r = healthy(widths=(64, 32, 1, 10))
    r.graphs[0].straits = [Strait(2, 32, True)]

    assert lacks(r, "bottleneck")


# --- few-numbers-pass ---------------------------------------------------------------------------------------------


def squeezed(numbers: int, r2: float = 0.2, **fields: Any) -> Recording:
    """The regression in which so many numbers of each sample come through the second layer."""
    recording = regression(geometric(1.0, 0.8), r2=r2)
    recording.graphs[0].straits = [replace(Strait(2, 32 * numbers, False), **fields)]
    return recording


def test_one_number_for_what_simple_learners_predict() -> None:
    """Two are few as well, three are not; a target as wide as the input is a code's, and of two numbers on purpose."""
    two, code = squeezed(2), squeezed(2)
    code.losses[0].target = tensor(32, 64)

    s = symptom_of(squeezed(1), "few-numbers-pass")

    assert (1.0, 2.0, "net.2") == (s.value, s.threshold, s.where)
    assert "comes through net.2, as one number; 20% of what" in s.text
    assert "as 2 numbers" in symptom_of(two, "few-numbers-pass").text
    assert lacks(two, "few-numbers-pass", limit=1.0)
    assert lacks(squeezed(3), "few-numbers-pass")
    assert lacks(code, "few-numbers-pass")


def test_one_number_may_be_enough() -> None:
    """Where the run learns, where nothing else does better, and where a path leads around it."""
    hopeless = squeezed(1)
    hopeless.references = [reference(0.0, 0.3, 0.2, 0.3, task="real")]

    assert lacks(squeezed(1, r2=0.9), "few-numbers-pass")
    assert lacks(squeezed(1, around=True), "few-numbers-pass")
    assert lacks(hopeless, "few-numbers-pass")


def test_one_factor_for_each_row() -> None:
    """Wider rows, or a wider pair beside them, are enough; yes or no by one trait and one difficulty is a model of its own."""
    r, wider, answers = (regression(geometric(1.0, 0.8), r2=0.2) for _ in range(3))
    r.graphs[0].factors, wider.graphs[0].factors, answers.graphs[0].factors = [1, 1], [1, 1, 8, 8], [1, 1]
    change(answers.labels, task="binary")

    assert "each has one number only" in symptom_of(r, "few-numbers-pass").text
    assert lacks(wider, "few-numbers-pass")
    assert lacks(answers, "few-numbers-pass")


# --- single-layer -------------------------------------------------------------------------------------------------


def test_one_linear_layer_for_what_is_not_linear() -> None:
    """Neighbours do much better than a linear map on the same rows."""
    r, linear = healthy(), healthy()
    for made in (r, linear):
        change(made.graphs, layers=1, nonlinear=0)
    r.references = [reference(0.1, 0.5, 0.9, 0.85)]

    assert "a linear map reaches 0.50 on these rows, neighbours or a kernel 0.90" in symptom_of(r, "single-layer").text
    assert lacks(r, "single-layer", limit=0.6)
    assert lacks(linear, "single-layer")
    deep = healthy()
    deep.references = r.references
    assert lacks(deep, "single-layer")


# --- levels-off ---------------------------------------------------------------------------------------------------


def test_a_loss_that_fell_and_stays() -> None:
    """Half learnt, and no further; not where it never fell, or where all is learnt."""
    r = healthy([*geometric(2.3, 1.6, 30), *[1.6, 1.61] * 35], accuracy=0.4)

    assert "1.60" in symptom_of(r, "levels-off").text
    assert lacks(r, "levels-off", limit=-0.1)
    assert lacks(healthy([2.302, 2.304] * 50, accuracy=0.1), "levels-off")
    assert lacks(healthy(), "levels-off")


# --- features-irrelevant ------------------------------------------------------------------------------------------


def test_a_few_features_that_do_better_than_all() -> None:
    """By how much, and what share they are."""
    r, found = healthy(), healthy()
    for made in (r, found):
        made.references = [reference(0.1, 0.3, 0.25, 0.3, selected=0.8, relevant=0.05, features=200)]
    change(r.evaluations, accuracy=0.4)

    assert "On the 5% of the 200 features" in symptom_of(r, "features-irrelevant").text
    assert lacks(r, "features-irrelevant", limit=0.8)
    assert lacks(found, "features-irrelevant")
    change(r.references, selected=0.32)
    assert lacks(r, "features-irrelevant")


# --- simpler-does-better ------------------------------------------------------------------------------------------


def test_simple_learners_do_better_on_unseen_rows() -> None:
    """Of a network that fits its training data; where they do no better, the data are few."""
    r, few = healthy(), healthy()
    for made in (r, few):
        change(made.evaluations, accuracy=0.4)
        made.references = [reference(0.1, 0.8, 0.9, 0.85)]
    few.references = [reference(0.1, 0.4, 0.4, 0.4)]

    s = symptom_of(r, "simpler-does-better")

    assert "Closed-form learners score 0.89 on rows that they were not fitted on, the network 0.3" in s.text
    assert lacks(r, "simpler-does-better", limit=0.7)
    assert lacks(few, "simpler-does-better")
    assert lacks(healthy(), "simpler-does-better")


# --- many-parameters ----------------------------------------------------------------------------------------------


def test_parameters_beyond_the_number_of_samples() -> None:
    """3466 parameters for thirty samples are many, and for thousands they are not."""
    r = healthy()
    change(r.features, rows=600, distinct=30)

    assert "3466 parameters are trained on about 30 samples" in symptom_of(r, "many-parameters").text
    assert lacks(r, "many-parameters", limit=200)
    assert lacks(healthy(), "many-parameters")


# --- place-ignored ------------------------------------------------------------------------------------------------


def test_a_learner_that_knows_of_place_does_far_better() -> None:
    """Than the network, in validation where there is any, and than learners that do not know of it."""
    r, learnt, plain, seeing = (healthy() for _ in range(4))
    for made in (r, learnt, plain, seeing):
        made.references = [reference(0.1, 0.2, 0.25, 0.2)]
        change(made.references, local=0.9, blind=True)
    change(r.evaluations, accuracy=0.2)
    plain.references[0].kernel = 0.88
    change(plain.evaluations, accuracy=0.2)

    s = symptom_of(r, "place-ignored")

    assert "reaches 0.90 on held-out rows; simple learners without that 0.25, and the network no more than 0.2" in s.text
    change(seeing.references, blind=False)
    change(seeing.evaluations, accuracy=0.2)
    assert lacks(seeing, "place-ignored")
    assert lacks(learnt, "place-ignored")
    assert lacks(plain, "place-ignored")
    assert lacks(r, "place-ignored", limit=0.9)
