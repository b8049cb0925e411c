"""Validation held against training: each symptom where it holds, and the honest split that looks like it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nndoctor.record.model import Holdout, Overlap, Place, Recording, TrainingRows, Vocabulary
from nndoctor.symptoms.view import View
from tests.symptoms.build import change, classes, evaluation, healthy, lacks, reference, stuck, symptom_of

# --- validation-shifted -------------------------------------------------------------------------------------------


def test_validation_inputs_that_lie_elsewhere() -> None:
    """Unscaled, or scaled by another rule; what a split does by chance is within four standard errors."""
    raw, narrow, split, few = (healthy() for _ in range(4))
    raw.holdouts = [Holdout(0, 300, [40.0] * 64, [12.0] * 64)]
    narrow.holdouts = [Holdout(0, 300, [0.0] * 64, [0.01] * 64)]
    split.holdouts = [Holdout(0, 100, [0.2, -0.2] * 32, [1.1] * 64)]
    few.holdouts = [Holdout(0, 10, [40.0] * 64, [12.0] * 64)]

    assert "39.8 training deviations away" in symptom_of(raw, "validation-shifted").text
    assert "0.01 times their scale" in symptom_of(narrow, "validation-shifted").text
    assert lacks(raw, "validation-shifted", limit=100.0)
    assert lacks(split, "validation-shifted")
    assert lacks(few, "validation-shifted")


def test_a_network_that_bears_with_other_inputs() -> None:
    """Its validation keeps up with training: half as strong a sign."""
    strengths = []
    for accuracy in (None, 0.2, 0.99):
        r = healthy()
        r.holdouts = [Holdout(0, 300, [40.0] * 64, [12.0] * 64)]
        r.evaluations = [evaluation(90, accuracy=accuracy)]
        strengths.append(symptom_of(r, "validation-shifted").strength)

    assert [1.0, 1.0, 0.5] == strengths


def test_what_is_no_data_is_held_against_nothing() -> None:
    """The output of another network that is trained as well, and one row that a decoder is fed with again and again."""
    made, repeated = healthy(), healthy()
    made.holdouts = [Holdout(0, 300, [40.0] * 64, [12.0] * 64)]
    repeated.holdouts = [Holdout(0, 300, [40.0] * 64, [0.0] * 64, repeated=True)]
    change(made.features, made=True)

    assert lacks(made, "validation-shifted")
    assert lacks(repeated, "validation-shifted")


# --- validation-other-ids -----------------------------------------------------------------------------------------


def fed(strange: float, one: float = 0.3, chance: float = 0.02, accuracy: float = 0.6) -> Recording:
    """The healthy run on ids, that scores so in validation at line 40, where so many are strange."""
    recording = healthy()
    recording.vocabularies = [Vocabulary(0, 12000, 4000, strange, one, chance, Place("train.py", 40))]
    change(recording.evaluations, accuracy=accuracy, place=Place("train.py", 40))
    return recording


def test_validation_is_fed_with_other_ids() -> None:
    """One that stands for all unknown words, or many: the words were cleaned or numbered by another rule."""
    unknown, many = symptom_of(fed(0.5, one=0.48), "validation-other-ids"), symptom_of(fed(0.6, one=0.05), "validation-other-ids")

    assert (pytest.approx(0.48), 0.3, Place("train.py", 40)) == (unknown.value, unknown.threshold, unknown.place)
    assert "50% of what is fed in validation lies on ids that training feeds less than a third as often, 48% on one of them" in unknown.text
    assert "one of them" not in many.text
    assert lacks(fed(0.5), "validation-other-ids", limit=0.6)


def test_ids_that_may_differ() -> None:
    """Rare words of a later text, rows that differ within one side as well, a score that suffers nothing, and a line that scores nothing."""
    prompts = fed(0.5)
    change(prompts.vocabularies, place=Place("train.py", 60))

    assert lacks(fed(0.2, one=0.2), "validation-other-ids")
    assert lacks(fed(0.4, one=0.05), "validation-other-ids")
    assert lacks(fed(0.5, chance=0.4), "validation-other-ids")
    assert lacks(fed(0.5, accuracy=0.95), "validation-other-ids")
    assert lacks(prompts, "validation-other-ids")


def test_a_loss_tells_how_far_validation_stays_behind_where_there_is_no_score() -> None:
    """As a share of what a constant prediction loses."""
    far, near = fed(0.5), fed(0.5)
    change(far.evaluations, accuracy=None, loss=1.2)
    change(near.evaluations, accuracy=None, loss=0.25)

    assert "50%" in symptom_of(far, "validation-other-ids").text
    assert lacks(near, "validation-other-ids")


# --- validation-other-shares --------------------------------------------------------------------------------------


def lopsided(train: dict[str, int], validation: dict[str, int], balanced: float = 0.2) -> Recording:
    """The healthy run on these labels, validated on those, where it does so well on every class alike."""
    recording = healthy()
    recording.labels = [classes(train)]
    change(recording.evaluations, labels=validation, accuracy=0.3, balanced=balanced)
    return recording


RARE, EVEN = {"0": 900, "1": 20, "2": 20, "3": 20}, {"0": 30, "1": 30, "2": 30, "3": 30}


def test_training_of_one_class_and_validation_of_four() -> None:
    """The share of the common class in both, and the effective number of classes of one over that of the other."""
    s = symptom_of(lopsided(RARE, EVEN), "validation-other-shares")

    assert "94% of the training labels are 0, and 25% of the 120 in validation." == s.text
    assert (pytest.approx(0.338, abs=0.001), 0.5) == (s.value, s.threshold)
    assert lacks(lopsided(RARE, EVEN), "validation-other-shares", limit=0.3)


@pytest.mark.parametrize(
    ("why", "train", "validation", "balanced"),
    [
        ("both are as rare", RARE, {"0": 90, "1": 2, "2": 2, "3": 2}, 0.25),
        ("rare classes were drawn more often in training", EVEN, RARE, 0.25),
        ("shares differ as splits do", {"0": 400, "1": 200, "2": 200, "3": 200}, EVEN, 0.25),
        ("the network tells them apart all the same", RARE, EVEN, 0.9),
        ("a dozen rows are no validation set", RARE, {"0": 3, "1": 3, "2": 3, "3": 3}, 0.25),
        ("these are other classes", RARE, {"0": 5, "7": 60, "8": 60}, 0.2),
    ],
)
def test_shares_that_differ_for_a_reason(why: str, train: dict[str, int], validation: dict[str, int], balanced: float) -> None:
    """Training has to know the classes, draw them far less often, and do badly on them."""
    assert lacks(lopsided(train, validation, balanced), "validation-other-shares"), why


def test_a_loss_that_weighs_its_classes_knows_of_their_shares() -> None:
    """And so does who sorts them: the classes to come are not known yet."""
    weighted, ordered = lopsided(RARE, EVEN), lopsided(RARE, EVEN)
    change(weighted.losses, settings={"weighted": True})
    change(ordered.labels, between=0.9)

    assert lacks(weighted, "validation-other-shares")
    assert lacks(ordered, "validation-other-shares")


# --- validation-overlaps ------------------------------------------------------------------------------------------


def overlapping(known: float, **fields: Any) -> Recording:
    """The healthy run, which evaluates 200 rows, this share of them known from training."""
    recording = healthy()
    recording.overlaps = [Overlap(0, 200, known, 800, **{"fresh": 0.0, "even": True, "covered": 0.2, **fields}, place=Place("train.py", 40))]
    return recording


def test_rows_on_both_sides() -> None:
    """Indices that overlap, and rows that were copied before they were split."""
    half = overlapping(0.5)

    s = symptom_of(half, "validation-overlaps")

    assert (0.5, 40) == (s.value, s.place.line if s.place else None)
    assert "50% of the 200 rows evaluated here are among the 800 rows" in s.text
    assert 0.99 == symptom_of(overlapping(0.99, twins=0.4, even=False), "validation-overlaps").value
    assert lacks(half, "validation-overlaps", limit=0.6)
    assert 1.0 == symptom_of(overlapping(1.0, named=True, chance=0.3), "validation-overlaps").value


@pytest.mark.parametrize(
    ("why", "recording"),
    [
        ("the training set itself, a part of it", overlapping(1.0)),
        ("all the data there are", overlapping(0.8, covered=1.0)),
        ("the training set was not seen whole", overlapping(0.5, fresh=0.3)),
        ("few rows are possible", overlapping(0.5, chance=0.9)),
        ("... and each of them was trained on", overlapping(1.0, named=True, chance=0.9)),
        ("sentences that repeat in training as well", overlapping(0.5, real=False, even=False)),
        ("some honest twins", overlapping(0.04)),
    ],
)
def test_what_may_be_evaluated_twice(why: str, recording: Recording) -> None:
    """Nobody is told of rows that are equal by design or by chance."""
    assert lacks(recording, "validation-overlaps"), why


# --- validation-never-learns --------------------------------------------------------------------------------------


def test_validation_that_is_guessing_from_first_to_last() -> None:
    """Though training is learnt, and simple learners find rows of the training set easy that they did not see."""
    r, overfits, hard = (healthy() for _ in range(3))
    for made in (r, overfits, hard):
        made.references = [reference(0.1, 0.8, 0.9, 0.85)]
        change(made.evaluations, accuracy=0.12)
    overfits.evaluations[0].accuracy = 0.6
    hard.references = [reference(0.1, 0.2, 0.2, 0.2)]

    assert "the score is never better than 0.0" in symptom_of(r, "validation-never-learns").text
    assert lacks(r, "validation-never-learns", limit=0.01)
    assert lacks(overfits, "validation-never-learns")
    assert lacks(hard, "validation-never-learns")
    assert lacks(healthy(), "validation-never-learns")


# --- validation-below-first-sight ---------------------------------------------------------------------------------


def first_seen(distinct: int, validation: float, training: float = 0.95) -> Recording:
    """The healthy run on so many distinct rows, 32 a step, with these accuracies."""
    recording = healthy(accuracy=training)
    recording.rows = [TrainingRows(0, 3200, distinct, 100, 0.0, True)]
    change(recording.evaluations, accuracy=validation, place=Place("train.py", 40))
    return recording


def test_validation_is_worse_than_training_rows_at_first_sight() -> None:
    """At the end of an epoch of fifty steps; the better of the passes counts, and the line is that of validation."""
    r = first_seen(1600, 0.4)
    r.evaluations[0].accuracy = 0.2

    s = symptom_of(r, "validation-below-first-sight")

    assert (pytest.approx(0.55 / 0.9), 0.3, Place("train.py", 40)) == (s.value, s.threshold, s.place)
    assert "the network scored 0.94; in validation it never does better than 0.33" in s.text
    assert lacks(r, "validation-below-first-sight", limit=0.7)


def test_learning_by_heart_is_another_thing() -> None:
    """Rows that came again and again; validation that came near once, or that was made on another network; nothing learnt at all."""
    once, other = first_seen(1600, 0.4), first_seen(1600, 0.4)
    once.evaluations[1].accuracy = 0.9
    change(other.evaluations, model=1)

    assert lacks(first_seen(40, 0.4), "validation-below-first-sight")
    assert lacks(once, "validation-below-first-sight")
    assert lacks(other, "validation-below-first-sight")
    assert lacks(first_seen(1600, 0.1, training=0.4), "validation-below-first-sight")
    assert lacks(first_seen(1600, 0.8), "validation-below-first-sight")


# --- validation-erratic -------------------------------------------------------------------------------------------


def passes(*accuracy: float, samples: int = 300) -> Recording:
    """The healthy run, whose validation passes score that."""
    recording = healthy()
    recording.evaluations = [evaluation(10 * i, loss=1.0, accuracy=a) for i, a in enumerate(accuracy, 1)]
    change(recording.evaluations, samples=samples)
    return recording


def test_a_validation_score_that_jumps_while_training_is_good() -> None:
    """Who learns by heart falls steadily, few rows jump by themselves, and a run that learns nothing has nothing to lose."""
    scores = (0.2, 0.6, 0.1, 0.7, 0.3, 0.8)
    r, lost = passes(*scores), passes(*scores)
    lost.samples, lost.labels = stuck().samples, stuck().labels
    lost.steps = stuck().steps

    s = symptom_of(r, "validation-erratic")

    assert pytest.approx(0.5 / 0.9) == s.value
    assert "jumps from pass to pass (0.56, 0.00, 0.67, 0.22, 0.78)" in s.text
    assert lacks(r, "validation-erratic", limit=0.6)
    assert lacks(passes(0.8, 0.7, 0.6, 0.5, 0.4, 0.3), "validation-erratic")
    assert lacks(passes(*scores, samples=20), "validation-erratic")
    assert lacks(lost, "validation-erratic")
    assert lacks(healthy(), "validation-erratic")


def test_wild_training_rows_are_no_other_place() -> None:
    """They widen the training set's deviation, beside which validation looks narrow; shrunk inputs do so without them."""
    wild = healthy()
    wild.holdouts = [Holdout(0, 300, [0.0] * 64, [0.01] * 64)]
    change(wild.features, outliers=0.002, outlier_size=1e5)

    assert lacks(wild, "validation-shifted")


def test_validation_classes_of_other_shares_are_judged_by_their_own() -> None:
    """Half of them is right by chance where there are two alike, however rare one was in training."""
    r = healthy()
    r.labels = [classes({"0": 900, "1": 100})]
    change(r.evaluations, accuracy=0.5, labels={"0": 150, "1": 150})

    assert [0.0] * 4 == View(r).validation_skills
    change(r.evaluations, labels={})
    assert [-4.0] * 4 == pytest.approx(View(r).validation_skills)


# --- validation-at-chance -----------------------------------------------------------------------------------------


def test_training_learns_and_validation_guesses() -> None:
    """In every late pass; one that is better, few rows and a run that learns nothing either are something else."""
    r, once, lost = passes(0.5, 0.1, 0.12, 0.1), passes(0.5, 0.1, 0.3, 0.1), passes(0.1, 0.1, 0.1, 0.1)
    lost.steps, lost.samples = stuck().steps, stuck().samples

    s = symptom_of(r, "validation-at-chance")

    assert pytest.approx(0.02 / 0.9) == s.value
    assert "In the last 2 validation passes the score is never better than 0.02, while training reaches 0.94" in s.text
    assert lacks(r, "validation-at-chance", limit=0.01)
    assert lacks(once, "validation-at-chance")
    assert lacks(passes(0.1, 0.1, 0.1, 0.1, samples=20), "validation-at-chance")
    assert lacks(lost, "validation-at-chance")
    assert lacks(healthy(), "validation-at-chance")


# --- validation-above-training ------------------------------------------------------------------------------------


def taught_worse(train: float, *accuracy: float) -> Recording:
    """A run in whose every epoch the same rows come, that knows them that well, and validation so well."""
    recording = passes(*accuracy)
    recording.rows = [TrainingRows(0, 3200, 800, 100, fresh=0.0, even=True)]
    change(recording.samples, accuracy=train)
    return recording


def test_validation_that_is_better_than_training() -> None:
    """By nothing that makes training harder: wrong labels do. A late pass and a look before it are no pair."""
    r = taught_worse(0.5, 0.6, 0.7, 0.8, 0.8, 0.8, 0.8)
    dropout, augmented, late, broken = (taught_worse(0.5, 0.6, 0.7, 0.8, 0.8, 0.8, 0.8) for _ in range(4))
    dropout.modules.append(replace(r.modules[0], type="Dropout", settings={"p": 0.5}))
    change(augmented.rows, fresh=0.9)
    for i, look in enumerate(late.samples):
        look.accuracy = 0.1 if 5 * i < len(late.samples) * 3 else 0.8
    change(broken.evaluations[-2:], accuracy=0.1)

    s = symptom_of(r, "validation-above-training")

    assert pytest.approx(0.3 / 0.9, abs=0.01) == s.value
    assert "Validation scores 0.78 and training 0.44" in s.text
    assert lacks(r, "validation-above-training", limit=0.4)
    for other in (dropout, augmented, late, broken, healthy()):
        assert lacks(other, "validation-above-training")


def test_a_test_set_beside_the_validation_set_is_left_out() -> None:
    """Of two sets that are scored in turn the one that comes most often, or the smaller, is validation; a set in pieces is one."""
    r = passes(0.6, 0.9, 0.6, 0.9)
    change(r.evaluations[1::2], samples=900)
    pieces = passes(0.6, 0.9, 0.6, 0.9)
    for i, e in enumerate(pieces.evaluations):
        e.samples = 300 + i

    assert [0.6, 0.6] == [e.accuracy for e in View(r).evaluations]
    assert 4 == len(View(pieces).evaluations)


def test_rows_are_those_of_the_model_that_is_called_once_a_batch() -> None:
    """A decoder is called for each word; where no model is called once, the one that is called most counts."""
    r = healthy()
    r.rows = [TrainingRows(0, 3200, 800, 100, 0.0), TrainingRows(1, 3200, 12, 350, 0.0)]
    twice = replace(r, rows=[TrainingRows(0, 6400, 800, 200, 0.0)])

    assert 800 == getattr(View(r).trained_rows, "distinct", None)
    assert 200 == getattr(View(twice).trained_rows, "forwards", None)
