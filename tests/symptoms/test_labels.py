"""Targets, predictions and what links inputs to them: each symptom where it holds, and where it only seems to."""

from __future__ import annotations

import pytest

from nndoctor.record.model import Features, Labels, Recording, Reference, TrainingRows
from tests.symptoms.build import change, classes, healthy, inputs, lacks, reference, regression, stuck, symptom_of

TEN = {str(k): 320 for k in range(10)}


def labelled(labels: Labels) -> Recording:
    """The healthy run with other labels."""
    recording = healthy()
    recording.labels = [labels]
    return recording


def learnt_by(found: Reference, features: Features | None = None) -> Recording:
    """A run that learns nothing, on data from which closed-form learners learn that much."""
    recording = stuck()
    recording.references = [found]
    recording.features = [features or inputs()]
    return recording


# --- class-imbalance ----------------------------------------------------------------------------------------------


def test_one_class_with_most_labels_is_imbalance() -> None:
    """Its share, and those of the others."""
    r = labelled(classes({"0": 950, "1": 50}))

    s = symptom_of(r, "class-imbalance")

    assert (0.95, 0.8, 1.0) == (s.value, s.threshold, pytest.approx(s.strength))
    assert "0: 95.0%, 1: 5.0%" in s.text
    assert lacks(r, "class-imbalance", limit=0.96)


def test_three_of_four_is_no_imbalance() -> None:
    """Neither is a first batch or two that happen to hold one class."""
    assert lacks(labelled(classes({"0": 750, "1": 250})), "class-imbalance")
    assert lacks(labelled(classes({"0": 40, "1": 2})), "class-imbalance")


# --- predicts-one-class -------------------------------------------------------------------------------------------


def test_one_answer_to_everything_is_told() -> None:
    """Its share, the number of predictions and the class."""
    r = labelled(classes(TEN, {"3": 319, "1": 1}))

    s = symptom_of(r, "predicts-one-class")

    assert 319 / 320 == s.value
    assert "99.7% of the last 320" in s.text and "class 3" in s.text
    assert lacks(r, "predicts-one-class", limit=0.999)


def test_a_favourite_class_is_not_the_only_one() -> None:
    """Nineteen in twenty leave room for others; one small batch proves nothing; nor do labels of a single class."""
    assert lacks(labelled(classes(TEN, {"3": 304, "1": 16})), "predicts-one-class")
    assert lacks(labelled(classes(TEN, {"3": 16})), "predicts-one-class")
    assert lacks(labelled(classes({"3": 3200})), "predicts-one-class")


# --- minority-ignored ---------------------------------------------------------------------------------------------


def test_a_class_that_occurs_and_is_never_named_is_ignored() -> None:
    """How often it should have come up and how often it does."""
    s = symptom_of(labelled(classes({"0": 800, "1": 200}, {"0": 320})), "minority-ignored")

    assert 1 == s.value
    assert "Class 1 should come up 64 times in the last 320 predictions and comes up 0 times" in s.text


@pytest.mark.parametrize(
    ("why", "labels"),
    [
        ("the classes are equally common", classes(TEN, {"0": 320})),
        ("two in a thousand are not expected to come up", classes({"0": 998, "1": 2}, {"0": 320})),
        ("the rare class is named half as often as it occurs", classes({"0": 800, "1": 200}, {"0": 288, "1": 32})),
    ],
)
def test_a_rare_class_may_be_named_rarely(why: str, labels: Labels) -> None:
    """It is ignored only where it should have come up."""
    assert lacks(labelled(labels), "minority-ignored"), why


def test_a_class_that_is_frequent_in_validation_alone() -> None:
    """There it shows that nobody names it, however rare it was among the last predictions of training."""
    r = labelled(classes({"0": 998, "1": 2}, {"0": 320}))
    change(r.evaluations, labels={"0": 50, "1": 50}, predicted={"0": 100})
    named = labelled(classes({"0": 998, "1": 2}, {"0": 320}))
    change(named.evaluations, labels={"0": 50, "1": 50}, predicted={"0": 60, "1": 40})

    assert "In validation class 1 occurs 50 times and is predicted 0 times." == symptom_of(r, "minority-ignored").text
    assert lacks(named, "minority-ignored")


# --- no-signal ----------------------------------------------------------------------------------------------------


def test_structured_inputs_that_tell_nothing_of_the_targets() -> None:
    """Rows, the best score and the constant's."""
    s = symptom_of(learnt_by(reference(0.1, 0.12, 0.11, 0.13)), "no-signal")

    assert (0.5, None) == (s.value, s.threshold)
    assert "On 600 training rows" in s.text
    assert "accuracy 0.13 (a constant: 0.10)" in s.text and "50% of their variance" in s.text


@pytest.mark.parametrize(
    ("why", "found", "features"),
    [
        ("torch.randn in place of data, to try a script out", reference(0.1, 0.12, 0.11, 0.13), inputs(noise=True)),
        ("a learner is above chance", reference(0.1, 0.2, 0.11, 0.13), inputs()),
        ("too few rows to say", reference(0.1, 0.12, 0.11, 0.13, rows=100), inputs()),
        ("a constant is right nearly always", reference(0.95, 0.95, 0.95, 0.95), inputs()),
    ],
)
def test_signal_is_missed_only_where_it_should_be(why: str, found: Reference, features: Features) -> None:
    """The inputs have to be real, the rows many, and something left to be known."""
    assert lacks(learnt_by(found, features), "no-signal"), why


# --- signal-present -----------------------------------------------------------------------------------------------


def test_a_learner_far_above_chance_finds_signal() -> None:
    """Its score beside the constant's."""
    s = symptom_of(healthy(), "signal-present")

    assert (0.94, 0.1) == (s.value, s.threshold)
    assert "accuracy 0.94" in s.text and "a constant: 0.10" in s.text
    assert "R2 0.90" in symptom_of(regression(), "signal-present").text


def test_a_learner_just_above_chance_finds_nothing() -> None:
    """A tenth above the constant, where chance alone gives six hundredths."""
    assert lacks(learnt_by(reference(0.1, 0.17, 0.15, 0.17)), "signal-present")


# --- signal-nonlinear ---------------------------------------------------------------------------------------------


def test_a_kernel_far_above_a_linear_map_shows_a_bend() -> None:
    """Both scores; the value is their gap on the scale where a constant is 0 and a perfect score 1."""
    r = learnt_by(reference(0.1, 0.3, 0.8, 0.9))

    s = symptom_of(r, "signal-nonlinear")

    assert 0.6 / 0.9 == pytest.approx(s.value)
    assert "score 0.90" in s.text and "linear map 0.30" in s.text
    assert lacks(r, "signal-nonlinear", limit=0.7)


def test_a_kernel_a_little_above_a_linear_map_shows_none() -> None:
    """Nor does a linear map that overfits while nothing is above chance."""
    assert lacks(learnt_by(reference(0.1, 0.85, 0.8, 0.9)), "signal-nonlinear")
    assert lacks(learnt_by(reference(0.0, -0.9, -0.1, 0.02, task="real")), "signal-nonlinear")


# --- signal-after-shift -------------------------------------------------------------------------------------------


def test_targets_that_fit_the_row_before_are_shifted() -> None:
    """Both scores and the number of rows."""
    r = learnt_by(reference(0.1, 0.12, 0.11, 0.13, shifted=0.9, shift=-1))

    s = symptom_of(r, "signal-after-shift")

    assert (0.9, 0.13) == (s.value, s.threshold)
    assert "0.13 with the targets as they are and 0.90 with them moved by 1 row." in s.text


def test_neighbouring_rows_may_be_alike() -> None:
    """In a time series the neighbour's target fits as well; and a little above chance is chance."""
    assert lacks(learnt_by(reference(0.1, 0.85, 0.8, 0.9, shifted=0.92, shift=1)), "signal-after-shift")
    assert lacks(learnt_by(reference(0.1, 0.12, 0.11, 0.13, shifted=0.27, shift=1)), "signal-after-shift")


# --- few-samples --------------------------------------------------------------------------------------------------


def test_the_same_rows_again_and_again_are_few() -> None:
    """Their number is told."""
    r = healthy()
    r.features = [inputs(distinct=40)]

    s = symptom_of(r, "few-samples")

    assert (40, 200) == (s.value, s.threshold)
    assert "about 40 different samples" in s.text
    assert lacks(r, "few-samples", limit=39)


def test_rows_that_hardly_repeat_are_not_few() -> None:
    """A loader's length says how many there are; a stream that never repeats has no end."""
    streamed = healthy()
    streamed.features, streamed.loaders = [inputs(rows=150, distinct=150)], []

    assert lacks(healthy(), "few-samples")
    assert lacks(streamed, "few-samples")


# --- batches-differ -----------------------------------------------------------------------------------------------


def test_targets_that_come_sorted() -> None:
    """Most of what differs, differs between batches; shuffled ones leave next to nothing there."""
    r = healthy()
    change(r.labels, between=0.9)

    assert "90% of what differs" in symptom_of(r, "batches-differ").text
    assert lacks(r, "batches-differ", limit=0.95)
    change(r.labels, between=0.02)
    assert lacks(r, "batches-differ")


# --- sure-and-wrong -----------------------------------------------------------------------------------------------


def test_errors_where_a_learner_is_sure() -> None:
    """As often as elsewhere; classes that overlap are wrong at their borders, and chance is nothing to be sure of."""
    r, overlap, chance, clean, seen, patterns = (healthy() for _ in range(6))
    for made in (r, clean, seen, patterns):
        made.references = [reference(0.2, 0.5, 0.55, 0.6, wrong=0.4, sure_wrong=0.35)]
    for made in (r, patterns):
        change(made.evaluations, accuracy=0.6)
    change(clean.samples, accuracy=0.6)
    change(patterns.references, local=0.95)
    overlap.references = [reference(0.2, 0.5, 0.55, 0.6, wrong=0.4, sure_wrong=0.1)]
    chance.references = [reference(0.5, 0.5, 0.52, 0.55, wrong=0.45, sure_wrong=0.4)]

    assert "wrong in 35% of the rows of which it is surest, against 40% of all" in symptom_of(r, "sure-and-wrong").text
    assert lacks(r, "sure-and-wrong", limit=0.95)
    assert lacks(overlap, "sure-and-wrong")
    assert lacks(chance, "sure-and-wrong")
    assert "against 40% of all" in symptom_of(clean, "sure-and-wrong").text
    assert lacks(seen, "sure-and-wrong")
    change(clean.samples, accuracy=0.95)
    clean.evaluations = []
    assert "against 40% of all" in symptom_of(clean, "sure-and-wrong").text
    clean.rows = [TrainingRows(0, 3200, 1500, 100, 0.1)]  # what came twice is not known by heart
    assert lacks(clean, "sure-and-wrong")
    assert lacks(patterns, "sure-and-wrong")


# --- codes-as-numbers ---------------------------------------------------------------------------------------------


def test_codes_that_say_more_as_categories() -> None:
    """A linear map of indicators beats all that is made of the numbers."""
    r = healthy()
    r.references = [reference(0.1, 0.3, 0.35, 0.4, encoded=0.8, codes=2)]

    assert "2 input columns hold few, evenly spaced values; as categories they predict 0.80 of the target, as numbers 0.40" in symptom_of(r, "codes-as-numbers").text
    assert lacks(r, "codes-as-numbers", limit=0.6)
    change(r.references, encoded=0.42)
    assert lacks(r, "codes-as-numbers")


# --- one-label ----------------------------------------------------------------------------------------------------


def test_all_targets_are_the_same() -> None:
    """Of a network with several outputs; a handful of targets says nothing, and a real target may be constant."""
    r, few = labelled(classes({"0": 3200}, classes=10)), labelled(classes({"0": 32}, classes=10))

    assert "All 3,200 targets are 0." == symptom_of(r, "one-label").text
    assert lacks(r, "one-label", limit=4000)
    assert lacks(few, "one-label")
    assert lacks(healthy(), "one-label")
    assert lacks(regression(), "one-label")


def test_a_right_answer_that_always_stands_first() -> None:
    """Contrastive scores of one sample against a queue: no layer has an output for each of them."""
    assert lacks(labelled(classes({"0": 3200}, classes=1025)), "one-label")


# --- twins-disagree -----------------------------------------------------------------------------------------------


def test_equal_inputs_with_different_targets() -> None:
    """Nearly all rows have a twin, and which target they have is chance; rows of another epoch agree with themselves."""
    r, epochs, some = (labelled(classes(TEN)) for _ in range(3))
    change(r.labels, twins=0.95, twins_agree=0.1)
    change(epochs.labels, twins=0.95, twins_agree=1.0)
    change(some.labels, twins=0.1, twins_agree=0.1)

    s = symptom_of(r, "twins-disagree")

    assert pytest.approx(0.95) == s.value
    assert "95% of the input rows equal another row, and 90% of such pairs have different targets." == s.text
    assert lacks(r, "twins-disagree", limit=0.99)
    change(epochs.labels, twins=1.0, twins_agree=0.23)  # beyond the tenth of chance: there is something to learn
    assert lacks(epochs, "twins-disagree")
    change(epochs.labels, twins_agree=1.0)
    assert lacks(epochs, "twins-disagree")
    assert lacks(some, "twins-disagree")


def looked_up(read: int, table: int = 50, length: int = 12) -> Recording:
    """The healthy run on sequences of ids of which so many differ, from a table of so many rows; three quarters are beyond telling."""
    recording = labelled(classes(TEN))
    change(recording.labels, twins=1.0, twins_agree=0.325)
    change(recording.parameters[:1], module_type="Embedding", shape=[table, 16])
    recording.features = [inputs(dtype="int64", shape=[32, length])]
    for sample in recording.samples:
        change(sample.parameters[:1], zero=1 - read / table)
    return recording


def test_sequences_of_unknown_words_may_tell_their_length() -> None:
    """Where a batch reads next to nothing of a table, less of the targets need be beyond telling."""
    r = looked_up(2)

    s = symptom_of(r, "twins-disagree")

    assert pytest.approx(0.75) == s.value
    assert "Of the 50 rows of net.0.weight no batch has read more than 2" in s.text
    assert lacks(r, "twins-disagree", limit=0.99 / 0.7)


@pytest.mark.parametrize(
    ("why", "recording"),
    [
        ("a table that is read", looked_up(30)),
        ("a table for little more than it is read for", looked_up(3, table=6)),
        ("one that never gets a gradient", looked_up(0)),
        ("columns of categories", looked_up(2, length=2)),
    ],
)
def test_few_categories_and_noisy_targets(why: str, recording: Recording) -> None:
    """Many rows are alike, and agree more than by chance: so it is where there is little to know."""
    assert lacks(recording, "twins-disagree"), why


# --- classes-without-order ----------------------------------------------------------------------------------------


def amounts(linear: float | None, as_classes: float | None) -> Recording:
    """A regression on whole numbers, of which a linear map makes that much as amounts and as classes."""
    recording = regression()
    recording.references = [reference(0.0, linear, 0.5, 0.5, task="real", as_classes=as_classes)]
    return recording


def test_class_numbers_that_are_no_amounts() -> None:
    """Both scores; a linear map that is worse than a constant counts as one."""
    r = amounts(0.2, 0.8)

    s = symptom_of(r, "classes-without-order")

    assert (pytest.approx(0.6), 0.15, "labels") == (s.value, s.threshold, s.where)
    assert "a score of 0.80" in s.text and "R2 0.20" in s.text
    assert 0.8 == symptom_of(amounts(-5.0, 0.8), "classes-without-order").value
    assert lacks(r, "classes-without-order", limit=0.7)


def test_ratings_and_counts_have_an_order() -> None:
    """As amounts they are better known; and of other targets nothing is said."""
    classified = healthy()
    change(classified.references, as_classes=0.9, linear=0.1)

    assert lacks(amounts(0.6, 0.4), "classes-without-order")
    assert lacks(amounts(0.6, 0.7), "classes-without-order")
    assert lacks(amounts(0.6, None), "classes-without-order")
    assert lacks(amounts(None, 0.9), "classes-without-order")
    assert lacks(classified, "classes-without-order")
