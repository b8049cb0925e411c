"""What the loss did over the probe: each symptom where it holds, and a run that only looks like it."""

from __future__ import annotations

import math

import pytest

from nndoctor.record.model import NonFinite
from tests.symptoms.build import (
    LOSS,
    change,
    classes,
    evaluation,
    geometric,
    healthy,
    lacks,
    reference,
    regression,
    run_of,
    stuck,
    symptom_of,
)

NAN = float("nan")


def validated(*losses: float) -> list:
    return [evaluation(20 * i, loss=loss) for i, loss in enumerate(losses, 1)]


# --- loss-nonfinite -----------------------------------------------------------------------------------------------


def test_a_loss_that_becomes_nan_is_told_with_its_first_step() -> None:
    """Step and share of the steps are in the sentence, and the line is that of the loss."""
    s = symptom_of(healthy(geometric(2.3, 1.0, 40) + [NAN] * 60), "loss-nonfinite")

    assert 41 == s.value
    assert LOSS == s.place
    assert "nan at step 41" in s.text and "60% of 100 steps" in s.text


def test_nan_that_the_script_skipped_counts_less() -> None:
    """A loss that never reached backward was still NaN, in so many batches of so many."""
    r = healthy()
    r.nonfinite = [NonFinite(12, "loss", "cross_entropy", 1.0, 3, 40, LOSS)]

    s = symptom_of(r, "loss-nonfinite")

    assert (12, 0.7, LOSS) == (s.value, s.strength, s.place)
    assert "cross_entropy gave NaN or Inf in 3 of 40 batches" in s.text


def test_a_huge_loss_is_no_nan() -> None:
    """Large is not infinite, and NaN in gradients alone (a skipped step of mixed precision) is none in the loss."""
    r = healthy([2.3, 1e30] * 50)
    r.nonfinite = [NonFinite(3, "gradient", "net.0.weight", 1.0)]

    assert lacks(r, "loss-nonfinite")


# --- loss-diverged ------------------------------------------------------------------------------------------------


def test_a_loss_that_ends_ten_times_higher_has_diverged() -> None:
    """The value is the ratio of the last losses to the first."""
    r = healthy([2.0] * 20 + [20.0] * 80)

    s = symptom_of(r, "loss-diverged")

    assert (10.0, 1.5, 1.0) == (s.value, s.threshold, pytest.approx(s.strength))
    assert "from 2 to 20" in s.text
    assert lacks(r, "loss-diverged", limit=11)


def test_a_loss_that_fluctuates_has_not_diverged() -> None:
    """It ends a third above its first value."""
    assert lacks(healthy([2.0] * 20 + [2.7] * 80), "loss-diverged")


def test_a_policy_loss_that_rises_says_little() -> None:
    """Without targets the level of a loss means nothing: the symptom holds at a third of its strength."""
    rises = [1.0] * 20 + [10.0] * 80
    r = healthy(rises)
    r.losses[0].target = None

    assert 0.3 == pytest.approx(symptom_of(r, "loss-diverged").strength)
    assert 1.0 == pytest.approx(symptom_of(healthy(rises), "loss-diverged").strength)


# --- loss-unbounded -----------------------------------------------------------------------------------------------


def test_a_loss_that_falls_below_zero_ever_faster_has_no_bound() -> None:
    """That is no learning: the sign is wrong, or the labels are none that the loss can take."""
    r = run_of([1.0 - i**2 for i in range(100)])

    s = symptom_of(r, "loss-unbounded")

    assert sum(i**2 - 1 for i in range(90, 100)) / 10 == pytest.approx(s.value)
    assert "from 1 to -8938" in s.text
    assert lacks(r, "loss-unbounded", limit=9000)


def test_a_log_likelihood_may_fall_below_zero() -> None:
    """Densities exceed one, so that a healthy negative log-likelihood ends below zero, and levels out there."""
    assert lacks(run_of([1.0 - 0.06 * i for i in range(100)]), "loss-unbounded")
    assert lacks(run_of([-1000.0 * (1 - 0.9**i) for i in range(100)]), "loss-unbounded")


# --- no-better-than-constant --------------------------------------------------------------------------------------


def test_a_loss_at_ln_10_is_no_better_than_a_constant() -> None:
    """Both losses are in the sentence; skill is zero and strength full."""
    r = stuck()

    s = symptom_of(r, "no-better-than-constant")

    assert 0.0 == pytest.approx(s.value, abs=1e-3)
    assert (0.1, 1.0) == (s.threshold, s.strength)
    assert "After 100 steps the loss is 2.303" in s.text and "gives 2.303" in s.text
    assert lacks(r, "no-better-than-constant", limit=-0.01)


def test_accuracy_speaks_where_the_loss_is_not_comparable() -> None:
    """A summed loss has no level to compare: accuracy against the most frequent class is told."""
    r = stuck()
    r.losses[0].settings = {"reduction": "sum"}

    s = symptom_of(r, "no-better-than-constant")

    assert 0.0 == s.value
    assert "accuracy is 10.0%" in s.text and "most frequent class gives 10.0%" in s.text


def test_r2_speaks_for_real_targets() -> None:
    """Without a comparable loss, predicting the mean is the yardstick."""
    r = regression(r2=-0.02)
    r.losses[0].function = "huber_loss"

    s = symptom_of(r, "no-better-than-constant")

    assert -0.02 == pytest.approx(s.value)
    assert "R2 on training batches is -0.020" in s.text


def test_a_high_loss_with_good_accuracy_is_better_than_a_constant() -> None:
    """Label smoothing or a softmax too many keeps the loss high while the network learns its classes."""
    assert lacks(healthy([2.2] * 100, accuracy=0.9), "no-better-than-constant")


# --- loss-flat ----------------------------------------------------------------------------------------------------


def test_a_loss_that_stands_still_is_flat() -> None:
    """First and last level are told."""
    s = symptom_of(stuck(), "loss-flat")

    assert 0.0 == pytest.approx(s.value, abs=1e-3)
    assert 1.0 == s.strength
    assert "2.303 over the first steps and 2.303 over the last" in s.text


def test_a_small_fall_beyond_the_noise_is_not_flat() -> None:
    """From 2.30 to 2.25, with hardly any noise."""
    assert lacks(healthy(geometric(2.30, 2.25, ripple=1e-4), accuracy=0.2), "loss-flat")


def test_a_fall_within_the_noise_is_flat() -> None:
    """The same fall under a hundred times the noise."""
    r = healthy([loss * (1.2 if i % 2 else 0.8) for i, loss in enumerate(geometric(2.30, 2.25, ripple=0))], accuracy=0.2)

    assert 0.02 == pytest.approx(symptom_of(r, "loss-flat").value, abs=0.01)


def test_the_standard_errors_of_a_flat_loss_can_be_chosen() -> None:
    """A fall by two of them is flat at three, and none at one."""
    r = healthy([2.30 + (0.1 if i % 2 else -0.1) - (0.09 if i >= 90 else 0) for i in range(100)], accuracy=0.2)

    assert 2.0 == pytest.approx(0.09 / (0.1 * math.sqrt(2 / 10)), abs=0.1)
    assert symptom_of(r, "loss-flat").threshold == 3.0
    assert lacks(r, "loss-flat", limit=1)


# --- loss-oscillates ----------------------------------------------------------------------------------------------


def test_a_loss_that_swings_between_one_and_three_oscillates() -> None:
    """The value is the size of a jump over the level, here a little more than one."""
    r = healthy([1.0, 3.0] * 50, accuracy=0.3)

    s = symptom_of(r, "loss-oscillates")

    assert 1.05 == pytest.approx(s.value)
    assert 1.0 == s.strength
    assert "by 105% of its level" in s.text
    assert lacks(r, "loss-oscillates", limit=1.1)


@pytest.mark.parametrize(
    ("why", "losses", "batch"),
    [
        ("the noise of small batches", [2.0, 2.4] * 50, 32),
        ("one sample at a time", [1.0, 3.0] * 50, 1),
        ("hardly any loss left", [0.01, 0.05] * 50, 32),
    ],
)
def test_noise_that_is_to_be_expected_is_no_oscillation(why: str, losses: list[float], batch: int) -> None:
    """Batches differ, single samples differ more, and near zero every change is large beside the level."""
    r = healthy(losses)
    change(r.steps, batch=batch)

    assert lacks(r, "loss-oscillates"), why


# --- loss-by-batch ------------------------------------------------------------------------------------------------

APART = [1.0, 40.0, 1.1, 0.9, 1.0, 1.0, 30.0, 50.0, 1.0, 1.2] * 10  # jumps that say nothing of the next step


def test_batches_that_jump_and_leave_no_trace() -> None:
    """Their share, and how far they stand above the others."""
    r = regression(APART, r2=0.1)

    s = symptom_of(r, "loss-by-batch")

    assert (40.0, 5.0, "loss") == (s.value, s.threshold, s.where)
    assert "In 30% of the last 50 steps the loss is about 40 times its lower quartile of 1," in s.text
    assert lacks(r, "loss-by-batch", limit=60)


def test_a_loss_that_stays_up_is_no_matter_of_the_batch() -> None:
    """Weights that were thrown off need some steps to come back."""
    assert lacks(regression([1.0, 1.0, 1.1, 0.9, 1.0, 1.0, 50.0, 40.0, 30.0, 20.0] * 10, r2=0.1), "loss-by-batch")


def test_jumps_that_batches_may_make_by_right() -> None:
    """Of a handful of rows, of batches that hold other targets each, of a loss over classes, and of a run that learns."""
    few, sorted_rows, small, learns = (regression(APART, r2=0.1) for _ in range(4))
    change(few.steps, batch=4)
    change(sorted_rows.labels, between=0.6)
    few_rise = regression([1.0] * 40 + [20.0] + [1.0] * 59, r2=0.1)
    change(small.losses, function="cross_entropy")
    change(learns.samples, r2=0.9)
    change(learns.labels, std=[30.0])

    assert lacks(few, "loss-by-batch")
    assert lacks(sorted_rows, "loss-by-batch")
    assert lacks(few_rise, "loss-by-batch")
    assert lacks(small, "loss-by-batch")
    assert lacks(learns, "loss-by-batch")


# --- loss-jumps ---------------------------------------------------------------------------------------------------


def test_an_early_explosion_is_told_though_it_came_down_again() -> None:
    """Height and step of the peak; the constant predictor is the base where it is higher than the first loss."""
    r = healthy([2.0] * 9 + [230.26] + geometric(2.0, 0.5, 90))

    s = symptom_of(r, "loss-jumps")

    assert 100.0 == pytest.approx(s.value, rel=1e-3)
    assert "from 2 to 230.3 by step 10" in s.text
    assert lacks(r, "loss-jumps", limit=101)


def test_a_start_that_rises_a_little_is_no_jump() -> None:
    """Momentum and warm-up bring a rise by half now and then."""
    assert lacks(healthy([2.3, 2.8, 3.4, 3.0, *geometric(2.5, 0.5, 96)]), "loss-jumps")


def test_a_high_first_loss_is_no_jump() -> None:
    """The peak is where the run begins: nothing rose."""
    assert lacks(healthy([230.0, *geometric(2.3, 0.5, 99)]), "loss-jumps")


# --- learning-undone ----------------------------------------------------------------------------------------------

DOWN = [2.3 - 0.04 * i for i in range(45)]  # to 0.54


def test_what_was_learnt_and_is_lost_again() -> None:
    """From stretch to stretch: down to some level at some step, and up again to the end."""
    r = healthy(DOWN + [0.54 + 0.03 * i for i in range(45)])

    s = symptom_of(r, "learning-undone")

    assert s.value is not None and 0.6 < s.value < 0.8
    assert "come down from 2.2 to 0.575 by step 48" in s.text
    assert lacks(r, "learning-undone", limit=0.9)


@pytest.mark.parametrize(
    ("why", "rest"),
    [
        ("it stays", [0.54] * 45),
        ("it is noise", [0.3, 1.0, 0.5] * 15),
        ("a jump in between, that is mended", [0.54] * 10 + [2.0] * 10 + [0.54] * 25),
        ("little of it", [0.54 + 0.005 * i for i in range(45)]),
        ("no number at the end", [0.54 + 0.03 * i for i in range(40)] + [NAN] * 5),
    ],
)
def test_what_is_not_undone(why: str, rest: list[float]) -> None:
    """What is learnt may fluctuate."""
    assert lacks(healthy(DOWN + rest), "learning-undone"), why


# --- loss-crawls --------------------------------------------------------------------------------------------------


def test_a_steady_but_negligible_fall_crawls() -> None:
    """Both ends are told, and that the gradients keep pointing the same way."""
    r = healthy([2.302 - 2e-4 * i for i in range(100)], accuracy=None)
    for sample in r.samples:
        change(sample.parameters, agreement=0.98)

    s = symptom_of(r, "loss-crawls")

    assert 0.0084 == pytest.approx(s.value, abs=5e-4)
    assert 1.0 == s.strength
    assert "In 100 steps the loss went from 2.301 to 2.283" in s.text and "cosine 0.98" in s.text
    assert lacks(r, "loss-crawls", limit=0.005)


def test_a_plateau_after_an_early_fall_does_not_crawl() -> None:
    """It learnt something at once and nothing since: there is no pace to go on at."""
    early = [2.35 - 0.003 * i for i in range(30)]

    assert lacks(healthy(early + [2.26] * 70, accuracy=None), "loss-crawls")


def test_a_run_that_learns_does_not_crawl() -> None:
    """Nor does one whose loss rises."""
    assert lacks(healthy(), "loss-crawls")
    assert lacks(healthy(geometric(2.3, 2.5), accuracy=None), "loss-crawls")


# --- still-falling ------------------------------------------------------------------------------------------------


def test_a_loss_that_falls_to_the_end_is_still_falling() -> None:
    """The share lost over the last fifth."""
    r = healthy(geometric(2.3, 0.2, ripple=0))

    s = symptom_of(r, "still-falling")

    assert 1 - (0.2 / 2.3) ** (20 / 99) == pytest.approx(s.value)
    assert "another 39%" in s.text
    assert lacks(r, "still-falling", limit=0.4)


def test_a_run_that_has_converged_is_not_still_falling() -> None:
    """It fell, and has stood still for its second half."""
    assert lacks(healthy(geometric(2.3, 0.2, 50) + [0.2, 0.202] * 25), "still-falling")


# --- learns -------------------------------------------------------------------------------------------------------


def test_learning_is_told_by_accuracy() -> None:
    """On the scale where the most frequent class is 0 and every sample right is 1."""
    r = healthy()

    s = symptom_of(r, "learns")

    assert 0.85 / 0.9 == pytest.approx(s.value)
    assert "accuracy reaches 95.0% (most frequent class: 10.0%)" in s.text
    assert lacks(r, "learns", limit=0.95)


def test_learning_is_told_by_r2_or_by_the_fall_of_the_loss() -> None:
    """Whichever is known: R2 for real targets, the loss alone where there are no targets."""
    assert "90% of what a constant" in symptom_of(regression(), "learns").text
    assert "fell from 2 to 1" in symptom_of(run_of([2.0] * 10 + [1.0] * 90), "learns").text


def test_naming_the_commonest_class_is_no_learning() -> None:
    """Nine tenths right where nine tenths are of one class, at a loss that knows the frequencies and no more."""
    r = healthy([0.33, 0.32] * 50, accuracy=0.9)
    r.labels = [classes({"0": 2880, "1": 320})]

    assert lacks(r, "learns")
    assert "always predicting the same gives 0.3251" in symptom_of(r, "no-better-than-constant").text


def test_a_run_that_ends_in_nan_does_not_learn() -> None:
    """Whatever it had learnt before is lost."""
    assert lacks(healthy(geometric(2.3, 0.2, 90) + [NAN] * 10), "learns")


# --- high-first-loss ----------------------------------------------------------------------------------------------


def test_a_first_loss_far_above_the_constant_is_high() -> None:
    """Thirty where ten classes make ln 10."""
    r = healthy(geometric(30.0, 1.0))

    s = symptom_of(r, "high-first-loss")

    assert 30 / math.log(10) == pytest.approx(s.value)
    assert "first loss is 30" in s.text and "gives 2.303" in s.text
    assert lacks(r, "high-first-loss", limit=14)


def test_a_first_loss_of_twice_the_constant_is_usual() -> None:
    """Default initialisation starts a little above ln 10; and a loss without comparable level has no measure."""
    summed = healthy(geometric(70.0, 7.0))
    summed.losses[0].settings = {"reduction": "sum"}

    assert lacks(healthy(geometric(4.6, 1.0)), "high-first-loss")
    assert lacks(summed, "high-first-loss")


# --- below-reference ----------------------------------------------------------------------------------------------


def test_a_network_behind_a_closed_form_learner_is_below_reference() -> None:
    """Both scores and the number of rows that the learner was fitted on."""
    r = stuck()

    s = symptom_of(r, "below-reference")

    assert 0.84 / 0.9 == pytest.approx(s.value, abs=2e-3)
    assert "fitted on 400 of the same rows" in s.text
    assert "accuracy 0.94" in s.text and "network is at 0.10" in s.text
    assert lacks(r, "below-reference", limit=0.95)


def test_where_no_learner_finds_anything_the_network_is_not_behind() -> None:
    """The reference is hardly better than the constant, so that there is nothing to be behind of."""
    r = stuck()
    r.references = [reference(0.1, 0.2, 0.22, 0.24)]

    assert lacks(r, "below-reference")


def test_a_network_as_good_as_the_reference_is_not_below_it() -> None:
    """The same holds for one that is a little worse."""
    assert lacks(healthy(accuracy=0.8), "below-reference")


# --- memorises ----------------------------------------------------------------------------------------------------


def test_good_training_and_poor_validation_is_memorising() -> None:
    """Scores of both, on the same scale."""
    r = healthy()
    change(r.evaluations, accuracy=0.3)

    s = symptom_of(r, "memorises")

    assert 0.65 / 0.9 == pytest.approx(s.value)
    assert "0.94 against 0.22" in s.text
    assert lacks(r, "memorises", limit=0.75)


def test_poor_scores_on_both_are_no_memorising() -> None:
    """An untrained network is bad everywhere, and a good one a little worse in validation."""
    poor = healthy([2.0] * 100, accuracy=0.3)
    change(poor.evaluations, accuracy=0.1)
    good = healthy()
    change(good.evaluations, accuracy=0.8)

    assert lacks(poor, "memorises")
    assert lacks(good, "memorises")


def test_a_validation_that_still_rises_is_judged_by_its_end() -> None:
    """As training is, of which the last third counts: of three passes the last, which has nearly caught up."""
    r = healthy()
    r.evaluations = [evaluation(step, accuracy=accuracy) for step, accuracy in ((30, 0.2), (60, 0.5), (90, 0.9))]

    assert lacks(r, "memorises")
    r.evaluations.reverse()
    assert "0.94 against 0.11" in symptom_of(r, "memorises").text


# --- validation-rises ---------------------------------------------------------------------------------------------


def test_validation_that_turns_upwards_is_told_with_its_minimum() -> None:
    """The rise is relative to the lowest validation loss."""
    r = healthy()
    r.evaluations = validated(1.5, 1.0, 0.8, 1.2, 1.6)

    s = symptom_of(r, "validation-rises")

    assert 1.0 == pytest.approx(s.value)
    assert "lowest, 0.8, at step 60 and is 1.6 at the end" in s.text
    assert lacks(r, "validation-rises", limit=1.1)


def test_one_worse_pass_at_the_end_is_no_rise() -> None:
    """Nor is a rise that training shares: that run diverges rather than overfits."""
    wobbly = healthy()
    wobbly.evaluations = validated(1.5, 1.0, 0.9, 0.8, 0.85)
    diverging = healthy(geometric(1.0, 3.0))
    diverging.evaluations = validated(0.8, 1.0, 1.4, 1.8, 2.6)
    annealed = healthy([2.0 - 0.03 * i for i in range(50)] + [0.5 + 0.02 * i for i in range(50)])  # a term gains weight
    annealed.evaluations = validated(1.5, 0.7, 0.9, 1.2, 1.6)

    assert lacks(wobbly, "validation-rises")
    assert lacks(diverging, "validation-rises")
    assert lacks(annealed, "validation-rises")


# --- mastered -----------------------------------------------------------------------------------------------------


def test_a_run_that_leaves_nothing_to_mend() -> None:
    """Both scores count, and validation must be known."""
    r, unknown, poor = (healthy(geometric(2.3, 0.01), accuracy=0.99) for _ in range(3))
    unknown.evaluations = []
    change(poor.evaluations, accuracy=0.9)

    s = symptom_of(r, "mastered")

    assert 0.95 == s.threshold
    assert "Training scores 0.99 and validation 0.99" in s.text
    assert lacks(r, "mastered", limit=0.995)
    assert lacks(unknown, "mastered")
    assert lacks(poor, "mastered")
