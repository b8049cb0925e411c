"""The recording as detectors read it: measures that need no threshold."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from nndoctor.record.model import Recording, SettingChange
from nndoctor.symptoms.catalogue import notice_in
from nndoctor.symptoms.view import View, is_norm
from tests.symptoms.build import (
    BACKWARD,
    adam,
    change,
    classes,
    evaluation,
    geometric,
    healthy,
    links,
    looks,
    parameter,
    reals,
    reference,
    regression,
    run_of,
    steps,
)

NAN, INF = math.nan, math.inf


def one_after_another(count: int) -> Recording:
    """A teacher trained for 100 steps, then a student for so many, each by its own optimiser."""
    recording = healthy()
    recording.optimizers.append(adam(0, 1, index=1))
    later = steps(geometric(5.0, 4.0, count), optimizers=[1])
    for step in later:
        step.index += 100
    recording.steps += later
    recording.samples += looks(range(6), at=range(110, 100 + count, 10), accuracy=0.3)
    return recording


def contest() -> Recording:
    """A judge in optimiser 0, whose loss falls, and in turns with it a network that learns through it, whose loss rises."""
    recording = healthy()
    recording.optimizers = [adam(0, 1, 2, 3), adam(4, 5, index=1)]
    recording.graphs = [replace(recording.graphs[0], reached=[0, 1, 2, 3]), replace(recording.graphs[0], reached=[0, 1, 2, 3, 4, 5])]
    for step, loss in zip(recording.steps[::2], geometric(0.7, 0.02, 50), strict=True):
        step.loss, step.optimizers = loss, [0]
    for step, loss in zip(recording.steps[1::2], geometric(0.7, 5.0, 50), strict=True):
        step.loss, step.optimizers = loss, [1]
    return recording


# --- which steps --------------------------------------------------------------------------------------------------


def test_the_last_training_is_judged() -> None:
    """Steps, samples and optimised parameters are those of the student."""
    view = View(one_after_another(60))

    assert (60, 101) == (len(view.steps_seen), view.since)
    assert 5.0 == view.first
    assert {0, 1} == view.optimised
    assert 0.3 == pytest.approx(view.accuracy)


def test_a_few_steps_of_another_optimiser_are_no_training_of_their_own() -> None:
    """Fewer than thirty do not outweigh what came before, and are left out: the next fold has only begun."""
    view = View(one_after_another(20))

    assert (100, 1, 2.3) == (len(view.steps_seen), view.since, view.first)
    assert view.is_judged(100) and not view.is_judged(101)


def test_two_optimisers_that_take_turns_are_one_training() -> None:
    """A generator and a discriminator."""
    recording = healthy()
    change(recording.steps[::2], optimizers=[1])

    assert 100 == len(View(recording).steps_seen)


def test_an_empty_recording_has_no_steps() -> None:
    """And none of the measures."""
    view = View(run_of([]))

    assert ([], 0, 0) == (view.steps_seen, view.since, view.steps)
    assert (None, None, None) == (view.first, view.last, view.skill)
    assert (0.0, False, 0.0) == (view.fall, view.falls, view.learns)


def test_in_a_contest_the_judge_is_followed() -> None:
    """Its loss falls; how far the run came is not known, what the judge is asked is no task, and jumps from turn to turn are none."""
    view = View(contest())

    assert 0 == view.judge
    assert 50 == view.steps and view.falls
    assert (None, None, 0.0, False) == (view.labels, view.skill, view.learns, view.comparable)
    assert [] == [s.name for s in notice_in(view) if s.name.startswith("loss-")]


def test_a_contest_that_ended_falling_was_not_too_short() -> None:
    """Sixty steps of either are a hundred and twenty."""
    recording = contest()
    recording.steps += [replace(s, index=s.index + 100) for s in recording.steps[:20]]
    assert recording.end is not None
    recording.end.reason = "finished"

    assert [] == [s.name for s in notice_in(View(recording)) if s.name in ("ended-falling", "short-run")]


def test_optimisers_are_a_contest_only_where_one_learns_through_the_other() -> None:
    """Nor where each step is made by both, or one has stopped halfway, or holds the weights of the other."""
    apart, together, ended, shared = (contest() for _ in range(4))
    apart.graphs[1].reached = [4, 5]
    change(together.steps, optimizers=[0, 1])
    change(ended.steps[50:], optimizers=[0])
    shared.optimizers[1] = adam(3, 4, 5, index=1)

    assert [None] * 4 == [View(r).judge for r in (apart, together, ended, shared)]


def test_evaluations_of_a_closure_stand_for_few_steps() -> None:
    """Four steps of twenty evaluations are eighty losses; of many steps each has its mean."""
    few, many = healthy([0.5] * 4), healthy([0.5] * 40)
    change([*few.steps, *many.steps], evaluations=geometric(2.0, 0.5, 20))

    assert (80, "evaluation") == (View(few).steps, View(few).unit)
    assert (40, "step") == (View(many).steps, View(many).unit)


# --- the loss -----------------------------------------------------------------------------------------------------


def test_levels_are_means_of_a_tenth() -> None:
    """At least five; what is not finite is left out, and what is unknown is no step."""
    view = View(run_of([10.0] + [2.0] * 9 + [1.0] * 80 + [NAN] * 5 + [INF] * 5 + [None] * 7))

    assert (100, 90) == (view.steps, len(view.finite))
    assert (10.0, (10 + 8 * 2) / 9, 1.0) == (view.first, view.early, view.last)


def test_fall_is_a_share_of_the_start() -> None:
    """Negative where the loss rose, on the scale of the larger where signs differ, unknown in a few steps."""
    assert 0.5 == pytest.approx(View(run_of([2.0] * 50 + [1.0] * 50)).fall)
    assert -0.5 == pytest.approx(View(run_of([2.0] * 50 + [3.0] * 50)).fall)
    assert 2.0 == pytest.approx(View(run_of([1.0] * 50 + [-1.0] * 50)).fall)
    assert 0.0 == View(run_of([2.0] * 4 + [1.0] * 4)).fall


def test_falling_means_by_more_than_noise() -> None:
    """Three standard errors between the first and the last tenth."""
    drop = geometric(2.0, 1.9, ripple=0)

    assert View(run_of(drop)).falls
    assert not View(run_of([x + (0.5 if i % 2 else -0.5) for i, x in enumerate(drop)])).falls
    assert not View(run_of([2.0] * 100)).falls


def test_a_cliff_is_a_fall() -> None:
    """Within the first tenth the loss falls by eight orders of magnitude, and its spread is no noise."""
    assert View(run_of([3e7 / 10**i for i in range(8)] + [0.1] * 22)).falls
    assert not View(run_of([3e7 / 10**i for i in range(8)] + [0.1] * 21 + [3e7])).falls


def test_noise_leaves_the_trend_out() -> None:
    """A straight line has none, however steep."""
    assert 0.0 == pytest.approx(View(run_of([100.0 - i for i in range(100)])).noise)
    assert 1.41 == pytest.approx(View(run_of([1.0, 3.0] * 50)).noise, abs=0.02)


def test_the_main_loss_is_the_one_that_feeds_backward() -> None:
    """Of several, the one whose targets are known; a metric that is only printed is none."""
    recording = healthy()
    metric, penalty = healthy().losses[0], healthy().losses[0]
    change([metric], index=1, calls=1000)
    change([penalty], index=2, function="mse_loss", calls=1000)
    recording.losses += [metric, penalty]
    recording.graphs[0].losses = [0, 2]

    assert 0 == View(recording).main_loss.index  # type: ignore[union-attr]

    recording.graphs[0].losses = [1]

    assert 1 == View(recording).main_loss.index  # type: ignore[union-attr]


def test_a_sum_of_losses_has_no_level_to_compare() -> None:
    """Nor has a summed loss, or one with weights; the constant predictor then says nothing."""
    two, added, summed, weighted = (healthy() for _ in range(4))
    two.graphs[0].losses = [0, 1]
    added.graphs[0].chain = links("Add", "NllLoss")
    change(summed.losses, settings={"reduction": "sum"})
    change(weighted.losses, settings={"weighted": True})

    assert math.log(10) == pytest.approx(View(healthy()).constant)
    assert [None] * 4 == [View(r).constant for r in (two, added, summed, weighted)]


def test_a_sum_by_hand_has_no_level_to_compare() -> None:
    """Squared errors that are added up are no variance; their mean is, also where each of them comes from a sum."""
    summed, mean = regression(), regression()
    change([*summed.losses, *mean.losses], function="by-hand:squared-error", settings={})
    summed.graphs[0].chain = links("Sum", "Pow", "Sub", "Mm")
    mean.graphs[0].chain = links("Mean", "Pow", "Sub", "Sum", "Mm")

    assert (None, 1.0) == (View(summed).constant, View(mean).constant)


def test_the_best_constant_depends_on_the_task() -> None:
    """Entropy of the label frequencies, by output where there are several, or the variance."""
    binary, tags, smooth = healthy(), healthy(), healthy()
    binary.labels = [classes({"0": 900, "1": 100}, task="binary")]
    binary.losses[0].function = "binary_cross_entropy_with_logits"
    tags.labels = [classes({}, task="multilabel", mean=[0.5, 0.5])]
    tags.losses[0].function = "binary_cross_entropy_with_logits"
    smooth.labels = [classes({"0": 100, "1": 100})]
    smooth.losses[0].settings = {"label_smoothing": 0.1}
    real = regression()
    real.labels = [reals(std=3.0)]

    assert -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) == pytest.approx(View(binary).constant)
    assert math.log(2) == pytest.approx(View(tags).constant)
    assert math.log(2) == pytest.approx(View(smooth).constant)
    assert 9.0 == pytest.approx(View(real).constant)


# --- how far the run came -----------------------------------------------------------------------------------------


def test_skill_is_the_better_of_loss_and_accuracy() -> None:
    """Zero at the most frequent class or at the constant's loss, one where all is right."""
    assert 0.85 / 0.9 == pytest.approx(View(healthy([2.3] * 100)).skill)
    assert 1 - 0.5 / math.log(10) == pytest.approx(View(healthy([0.5] * 100, accuracy=0.1)).skill)
    assert 0.9 == pytest.approx(View(regression()).skill)


def test_the_accuracy_of_a_few_rows_is_luck() -> None:
    """Ten looks at single rows say less than the loss of all; where the loss says nothing, they are what there is."""
    single = healthy([2.3] * 100)
    change(single.steps, batch=1)
    assert 0.0 == pytest.approx(View(single).skill, abs=0.01)

    single.losses[0].settings["reduction"] = "sum"
    assert 0.85 / 0.9 == pytest.approx(View(single).skill)


def test_targets_below_zero_are_no_probabilities() -> None:
    """Cross-entropy with them has no level that a constant would reach."""
    recording = healthy([0.0] * 100)
    recording.labels = [replace(recording.labels[0], task="probabilities", min=-1.6, max=1.5)]

    view = View(recording)

    assert (False, None, None) == (view.is_classification, view.constant, view.chance)
    assert View(replace(recording, labels=[replace(recording.labels[0], min=0.0)])).is_classification


def test_a_weighted_loss_is_judged_by_all_classes_alike() -> None:
    """It may well name the common class too seldom; without weights that is no skill."""
    weighted = healthy([2.3] * 100, accuracy=0.5)
    weighted.labels = [classes({"0": 900, "1": 100})]
    change(weighted.samples, balanced=0.8)
    plain = replace(weighted, losses=[replace(weighted.losses[0])])
    weighted.losses[0].settings = {"weighted": True}

    assert 0.6 == pytest.approx(View(weighted).skill)
    assert (View(plain).skill or 0) < 0


def test_a_loss_without_a_floor_tells_no_learning() -> None:
    """Faster and faster below zero; a likelihood that settles there has been learnt."""
    falling = healthy([-1.0 * 1.1**i for i in range(100)], accuracy=None)
    settling = healthy([1.0 - 200 * (1 - 0.9**i) for i in range(100)], accuracy=None)
    for r in (falling, settling):
        r.labels, r.references = [], []

    assert (0.0, True) == (View(falling).learns, View(falling).plunge > 1000)
    assert (True, 0.0) == (View(settling).learns > 0.9, View(settling).plunge)


def test_one_bad_batch_is_no_verdict_on_r2() -> None:
    """The median of the last third counts."""
    recording = regression()
    change(recording.samples[-1:], r2=-1000.0)

    assert 0.9 == pytest.approx(View(recording).r2)


def test_learning_lies_between_none_and_all() -> None:
    """A skill below zero is none; without any skill the fall of the loss stands in, where it is beyond noise."""
    assert 0.0 == View(regression(r2=-3.0)).learns
    assert 0.5 == pytest.approx(View(run_of([2.0] * 50 + [1.0] * 50)).learns)
    assert 1.0 == View(run_of([1.0] * 50 + [-1.0] * 50)).learns
    assert 0.0 == View(run_of([2.0] * 100)).learns


def test_the_best_reference_is_on_the_scale_of_skill() -> None:
    """Of the three learners the best, whichever of them could be fitted."""
    recording = healthy()
    recording.references = [reference(0.1, None, 0.55, 0.3)]

    assert 0.5 == pytest.approx(View(recording).best_reference)

    recording.references = [reference(0.1, None, None, None)]

    assert View(recording).best_reference is None


# --- validation ---------------------------------------------------------------------------------------------------


def test_validation_is_read_from_its_last_passes() -> None:
    """Losses in order; skill from the last third of the passes, and of three at most."""
    recording = healthy()
    recording.evaluations = [evaluation(10 * i, loss=2.0 - 0.1 * i, accuracy=0.1 * i) for i in range(1, 6)]
    recording.evaluations.append(evaluation(60))

    view = View(recording)

    assert [[10, 1.9], [20, 1.8], [30, 1.7], [40, 1.6], [50, 1.5]] == [pytest.approx(row) for row in view.validation.tolist()]
    assert (0.5 - 0.1) / 0.9 == pytest.approx(view.validation_skill)
    recording.evaluations = [evaluation(5 * i, accuracy=0.1 + 0.05 * i) for i in range(1, 13)]
    assert 0.55 / 0.9 == pytest.approx(View(recording).validation_skill)


@pytest.mark.parametrize(
    ("why", "weighted", "shares", "skill"),
    [
        ("alike: the accuracy, beyond the most frequent class", False, {"0": 13, "1": 13}, 0.0),
        ("drawn more often in training", False, {"0": 5, "1": 95}, 0.6),
        ("weighed by the loss", True, {"0": 13, "1": 13}, 0.6),
    ],
)
def test_all_classes_count_the_same_where_training_makes_them(why: str, weighted: bool, shares: dict[str, int], skill: float) -> None:
    """A network that was taught so answers the rare one more often than is good for its accuracy."""
    recording = healthy()
    recording.losses[0].settings["weighted"] = weighted
    recording.samples = [replace(s, balanced=0.9) for s in recording.samples]
    recording.labels = [replace(recording.labels[0], counts={"0": 500, "1": 500})]
    recording.evaluations = [evaluation(10 * i, accuracy=0.5, labels=shares, balanced=0.8) for i in range(1, 6)]

    assert skill == pytest.approx(View(recording).validation_skill), why


# --- parameters ---------------------------------------------------------------------------------------------------


def test_frozen_is_what_was_frozen_at_the_last_look() -> None:
    """A schedule may thaw what began frozen; where nothing was looked at, the beginning counts."""
    thawed, unseen = healthy(), healthy()
    change(thawed.parameters[:2], requires_grad=False)
    change(unseen.parameters[:2], requires_grad=False)
    unseen.samples = []

    assert set() == View(thawed).frozen
    assert {0, 1} == View(unseen).frozen


def test_what_is_not_there_at_the_last_look_is_gone() -> None:
    """A head that was replaced."""
    recording = healthy()
    recording.samples[-1].parameters = [p for p in recording.samples[-1].parameters if p.parameter not in (2, 3)]

    assert {2, 3} == View(recording).gone


def test_weights_are_the_matrices_of_layers() -> None:
    """Biases, norms and embeddings are none."""
    recording = healthy()
    recording.parameters.append(parameter(6, "net.norm.weight", 32, 1, module_type="LayerNorm"))
    recording.parameters.append(parameter(7, "net.words.weight", 100, 32, module_type="Embedding"))

    assert ["net.0.weight", "net.2.weight", "net.4.weight"] == [p.name for p in View(recording).weights()]
    assert is_norm(recording.parameters[6])
    assert not is_norm(recording.parameters[7])


def test_settings_are_those_of_their_step() -> None:
    """The first ones until they change; rates are those of first, middle and last step."""
    recording = healthy()
    recording.settings = [SettingChange(30, 0, 0, {"lr": 1e-4}), SettingChange(80, 0, 0, {"lr": 1e-5})]

    view = View(recording)

    assert [1e-3, 1e-4, 1e-5] == [view.settings_at(0, 0, step, "lr") for step in (29, 30, 100)]
    assert [1e-3, 1e-4, 1e-5] == view.rates()
    assert view.settings_at(3, 0, 1, "lr") is None


def test_a_call_has_the_place_where_it_was_first_made() -> None:
    """None where it never was."""
    assert BACKWARD == View(healthy()).place_of("backward")
    assert View(healthy()).place_of("schedule") is None


def test_a_validation_before_most_was_learnt_says_nothing_of_the_end() -> None:
    """The loss falls so fast after it that it counts as of its end."""
    late = [1.0] * 80 + [1.0 * 0.8**i for i in range(20)]
    r, level = regression(late, r2=0.1), regression([1.0] * 20 + [0.1] * 80)
    for made in (r, level):
        made.evaluations = [evaluation(50, r2=0.05)]

    assert View(r).validation_skill is None
    assert View(r).breaks_through and (View(r).skill or 0) > 0.9
    assert 0.05 == View(level).validation_skill and not View(level).breaks_through
