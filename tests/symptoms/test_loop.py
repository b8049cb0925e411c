"""The loop: each mistake where it is one, and the deliberate practice that resembles it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from nndoctor.record.model import (
    Call,
    Link,
    ModuleInfo,
    ModuleMode,
    Place,
    Recording,
    TrainingRows,
)
from nndoctor.symptoms.loop import looks_fresh
from tests.symptoms.build import (
    BACKWARD,
    BUILT,
    CLEARED,
    NUMBERS,
    OPTIMIZER,
    STEPPED,
    adam,
    change,
    healthy,
    lacks,
    parameter,
    symptom_of,
)

# --- gradients-carried --------------------------------------------------------------------------------------------


def test_gradients_that_are_never_cleared_add_up() -> None:
    """Share of the steps; the line is that of backward."""
    r = healthy()
    change(r.steps[1:], carried=6)

    s = symptom_of(r, "gradients-carried")

    assert (1.0, 0.5, BACKWARD) == (s.value, s.threshold, s.place)
    assert "In 100% of the steps all gradients were left over" in s.text


def test_gradients_that_are_sometimes_cleared_add_up_in_between() -> None:
    """In three steps of four: clearing is done once an epoch, say."""
    r = healthy()
    change([s for s in r.steps if s.index % 4 != 1], carried=3)

    s = symptom_of(r, "gradients-carried")

    assert (75 / 99, 0.6) == (s.value, s.strength)
    assert "76% of the steps 50% of the" in s.text
    assert lacks(r, "gradients-carried", limit=0.8)


def test_deliberate_accumulation_clears_after_each_step() -> None:
    """Four backward calls a step, and nothing left over when the next four begin; nor does one relapse count."""
    accumulated, once = healthy(), healthy()
    change(accumulated.steps, backwards=4, carried=0)
    change(once.steps[50:55], carried=6)

    assert lacks(accumulated, "gradients-carried")
    assert lacks(once, "gradients-carried")


def test_two_steps_of_a_closure_that_never_clears_are_enough() -> None:
    """Each evaluation moves the weights; two steps of one evaluation each say too little."""
    closure, short = healthy([1.0] * 3), healthy([1.0] * 3)
    change([*closure.steps, *short.steps], carried=6)
    change(closure.steps, evaluations=[1.0] * 20)

    assert 1.0 == symptom_of(closure, "gradients-carried").value
    assert lacks(short, "gradients-carried")


def test_gradients_that_are_copied_to_an_optimisers_own_weights() -> None:
    """Master weights in float32 are no leaves of the loss: what is left over on them is overwritten."""
    r = healthy()
    change(r.steps, carried=6)
    r.graphs[0].reached = [90, 91]

    assert lacks(r, "gradients-carried")


# --- no-backward --------------------------------------------------------------------------------------------------


def unmoved(**fields: object) -> Recording:
    """The healthy run where no weight ever changed."""
    recording = healthy([2.3] * 100, accuracy=0.1)
    change([recording.end], weights_moved=False, **fields)
    return recording


def test_steps_without_backward() -> None:
    """Their number, and the line of the step; who writes gradients by hand needs none."""
    by_hand = unmoved(backwards=0)
    r = unmoved(backwards=0)
    change(r.steps, held=0)
    s = symptom_of(r, "no-backward")

    assert (0, STEPPED) == (s.value, s.place)
    assert "made 100 steps and backward was never called" in s.text
    assert lacks(by_hand, "no-backward")


def test_a_method_without_gradients_needs_no_backward() -> None:
    """Evolution strategies move weights by hand; and who calls backward even once has called it."""
    evolved = unmoved(backwards=0)
    change([evolved.end], weights_moved=True, moved_by_hand=True)

    assert lacks(evolved, "no-backward")
    assert lacks(unmoved(backwards=1), "no-backward")


# --- no-step ------------------------------------------------------------------------------------------------------


def idle(**fields: object) -> Recording:
    """Backward is called, the optimiser never steps."""
    recording = unmoved(**fields)
    change(recording.optimizers, stepped=False)
    change(recording.steps, optimizers=[])
    return recording


def test_backward_without_a_step() -> None:
    """How often backward was called, and its line."""
    s = symptom_of(idle(), "no-step")

    assert (0, BACKWARD) == (s.value, s.place)
    assert "Backward was called 100 times" in s.text and "optimizer.step() is never called" in s.text


def test_a_loop_without_any_optimiser_does_not_step() -> None:
    """Unless it moves the weights by hand."""
    none, by_hand = idle(), idle()
    none.optimizers, by_hand.optimizers = [], []
    change([by_hand.end], weights_moved=True, moved_by_hand=True)

    assert "nothing steps" in symptom_of(none, "no-step").text
    assert lacks(by_hand, "no-step")


def test_a_few_backward_calls_need_no_step() -> None:
    """A saliency map calls backward once or twice."""
    assert lacks(idle(backwards=3), "no-step")
    assert lacks(healthy(), "no-step")


# --- cleared-before-step ------------------------------------------------------------------------------------------


def cleared(share: float) -> Recording:
    """In that share of the steps the optimiser finds no gradient, though backward ran."""
    recording = unmoved()
    change([s for s in recording.steps if s.index % 10 < 10 * share], held=0)
    for sample in recording.samples:
        change(sample.parameters, gradient=None, update=0.0)
    return recording


def test_gradients_that_are_cleared_before_the_step() -> None:
    """Share of the steps; the line is that of zero_grad."""
    r = cleared(0.8)

    s = symptom_of(r, "cleared-before-step")

    assert (0.8, 0.5, CLEARED) == (s.value, s.threshold, s.place)
    assert "In 80% of the steps the optimiser found no gradient" in s.text
    assert lacks(r, "cleared-before-step", limit=0.9)


def test_backward_calls_whose_gradients_no_step_sees() -> None:
    """Cleared at every micro-batch, stepped at every fourth."""
    r = healthy()
    change(r.steps, backwards=4, wasted=3)

    s = symptom_of(r, "cleared-before-step")

    assert (0.75, STEPPED) == (s.value, s.place)
    assert "75% of 400 backward calls" in s.text and "(100 steps)" in s.text
    assert lacks(r, "cleared-before-step", limit=0.8)


def test_gradients_that_are_used_are_not_cleared() -> None:
    """Accumulation uses them all; now and then a batch is thrown away; a zero gradient is there, though it is zero."""
    accumulated, skipping, zero = healthy(), healthy(), unmoved()
    change(accumulated.steps, backwards=4, wasted=0)
    change(skipping.steps[::4], backwards=2, wasted=1)
    change(zero.steps, held=0)
    for sample in zero.samples:
        change(sample.parameters, gradient=0.0, update=0.0)

    assert lacks(accumulated, "cleared-before-step")
    assert lacks(skipping, "cleared-before-step")
    assert lacks(zero, "cleared-before-step")


# --- parameters-outside-optimizer ---------------------------------------------------------------------------------


def test_a_layer_that_no_optimiser_holds() -> None:
    """Its name, its share, and the line where the optimiser is built."""
    r = healthy()
    r.optimizers = [adam(0, 1, 2, 3)]

    s = symptom_of(r, "parameters-outside-optimizer")

    assert (330 / NUMBERS, 0.02, OPTIMIZER) == (s.value, s.threshold, s.place)
    assert "2 tensors (10% of the numbers)" in s.text and "net.4" in s.text


def test_biases_outside_count_by_their_share() -> None:
    """A weight matrix counts however small it is; biases have to be a part of the whole."""
    r = healthy()
    r.optimizers = [adam(0, 2, 4)]

    assert 74 / NUMBERS == symptom_of(r, "parameters-outside-optimizer").value
    assert lacks(r, "parameters-outside-optimizer", limit=0.03)


def test_parameters_that_are_frozen_or_unreached_need_no_optimiser() -> None:
    """Fine-tuning gives the optimiser the head alone; layers kept in a plain list are told elsewhere."""
    tuned, listed = healthy(), healthy()
    tuned.optimizers = [adam(4, 5)]
    change(tuned.parameters[:4], requires_grad=False, fourth=6.0)
    change([tuned.end], frozen=[0, 1, 2, 3])
    listed.parameters.append(parameter(6, "net.(blocks[0]).weight", 32, 32, model=-1))
    listed.graphs[0].reached.append(6)

    assert lacks(tuned, "parameters-outside-optimizer")
    assert lacks(listed, "parameters-outside-optimizer")


def with_target_network() -> Recording:
    """A second model that the loss reaches and no optimiser holds, with the very numbers of the first."""
    r = healthy()
    kept = [replace(p, index=6 + p.index, name=f"target.{p.name}", module=f"target.{p.module}", model=1) for p in r.parameters]
    r.parameters += kept
    r.graphs[0].reached += [p.index for p in kept]
    return r


def test_a_copy_that_lags_behind_needs_no_optimiser() -> None:
    """The target network of Q-learning is set to the trained one now and then; a second network of its own has to learn."""
    lagging, own = with_target_network(), with_target_network()
    change(own.parameters[6:], mean=0.001)

    assert lacks(lagging, "parameters-outside-optimizer")
    assert lacks(lagging, "frozen-from-scratch")
    assert 0.5 == symptom_of(own, "parameters-outside-optimizer").value
    assert 1.0 == symptom_of(own, "frozen-from-scratch").value


def test_a_copy_of_what_is_not_trained_lags_behind_nothing() -> None:
    """Where the optimiser was built for the original and the copy is run, nobody trains what is run."""
    r = with_target_network()
    r.graphs[0].reached = r.graphs[0].reached[6:]

    assert 1.0 == symptom_of(r, "parameters-outside-optimizer").value


# --- optimizer-holds-strangers ------------------------------------------------------------------------------------


def with_stranger(*held: int) -> Recording:
    """A second model of 1024 numbers that no loss reaches, and an optimiser that holds these parameters."""
    recording = healthy()
    recording.parameters.append(parameter(6, "old.weight", 32, 32, model=1, module="old"))
    recording.optimizers = [adam(*held)]
    return recording


def test_an_optimiser_of_another_model() -> None:
    """Share and name of what it holds in vain."""
    r = with_stranger(4, 5, 6)

    s = symptom_of(r, "optimizer-holds-strangers")

    assert (1024 / 1354, 0.5, OPTIMIZER) == (s.value, s.threshold, s.place)
    assert "76% of what Adam holds" in s.text and "(old)" in s.text
    assert lacks(r, "optimizer-holds-strangers", limit=0.8)


def test_a_few_strangers_and_idle_optimisers() -> None:
    """One parameter too many does no harm; an optimiser that does not step in this phase may hold what it likes."""
    waiting = with_stranger(0, 1, 2, 3, 4, 5)
    waiting.optimizers.append(adam(6, index=1))

    assert lacks(with_stranger(0, 1, 2, 3, 4, 5, 6), "optimizer-holds-strangers")
    assert lacks(waiting, "optimizer-holds-strangers")


# --- frozen-parameters --------------------------------------------------------------------------------------------


def frozen(*indices: int, **fields: object) -> Recording:
    """The healthy run with these parameters frozen."""
    recording = healthy()
    change([recording.parameters[i] for i in indices], requires_grad=False, **fields)
    change([recording.end], frozen=list(indices))
    change(recording.graphs, reached=[i for i in range(6) if i not in indices])
    recording.optimizers = [adam(*(i for i in range(6) if i not in indices))]
    for sample in recording.samples:
        change([p for p in sample.parameters if p.parameter in indices], update=0.0, gradient=None)
    return recording


def test_a_layer_with_requires_grad_off() -> None:
    """Its name and share."""
    r = frozen(0, 1)

    s = symptom_of(r, "frozen-parameters")

    assert (2080 / NUMBERS, 0.02, "net.0", BUILT) == (s.value, s.threshold, s.where, s.place)
    assert "2 of 6 parameters (60% of the numbers): net.0" in s.text
    assert lacks(r, "frozen-parameters", limit=0.65)


def test_a_teacher_is_frozen_as_a_whole() -> None:
    """It is another model, which no loss is meant to reach; and a norm may be held still on purpose."""
    taught = healthy()
    taught.parameters.append(parameter(6, "teacher.weight", 64, 64, model=1, requires_grad=False))
    change([taught.end], frozen=[6])

    assert lacks(taught, "frozen-parameters")
    assert lacks(frozen(0, 1, module_type="BatchNorm2d"), "frozen-parameters")


# --- frozen-from-scratch ------------------------------------------------------------------------------------------


def test_a_frozen_layer_at_its_initialisation() -> None:
    """Uniform within one over the root of the fan-in is torch's default, and nobody trained that."""
    s = symptom_of(frozen(0, 1), "frozen-from-scratch")

    assert (1.0, 0.3, "net.0") == (s.value, s.threshold, s.where)
    assert "net.0 never changes and still holds a fresh random initialisation" in s.text


def test_the_value_is_the_fresh_share_of_what_is_frozen() -> None:
    """Two matrices of 2048 and 1024 numbers, of which the smaller was trained."""
    r = frozen(0, 2)
    change(r.parameters[2:3], std=0.3, max_abs=2.0, fourth=6.0)

    assert 2 / 3 == pytest.approx(symptom_of(r, "frozen-from-scratch").value)
    assert lacks(r, "frozen-from-scratch", limit=0.7)


def test_a_pretrained_backbone_may_be_frozen() -> None:
    """Training spoils deviation and kurtosis: the backbone is frozen, and rightly so."""
    r = frozen(0, 1, 2, 3, std=0.3, max_abs=2.0, fourth=6.0)

    assert "net.0, net.2" in symptom_of(r, "frozen-parameters").text
    assert lacks(r, "frozen-from-scratch")


def test_a_layer_that_moved_before_it_was_frozen_is_not_fresh() -> None:
    """A schedule that freezes what has been trained."""
    r = frozen(0, 1)
    change(r.samples[0].parameters, update=0.01)

    assert lacks(r, "frozen-from-scratch")


# --- optimizer-idle -----------------------------------------------------------------------------------------------


def one_of_two_idle() -> Recording:
    """Encoder and decoder have an optimiser each, and only the first one steps."""
    recording = healthy()
    recording.optimizers = [adam(0, 1), adam(2, 3, 4, 5, index=1, stepped=False)]
    return recording


def test_one_of_two_optimisers_never_steps() -> None:
    """What it is and what it holds."""
    s = symptom_of(one_of_two_idle(), "optimizer-idle")

    assert OPTIMIZER == s.place
    assert "Adam" in s.text


def test_optimisers_that_all_step_and_those_that_are_not_needed() -> None:
    """One that holds what no loss reaches waits for a later phase."""
    both, later = one_of_two_idle(), one_of_two_idle()
    change(both.optimizers, stepped=True)
    change(both.steps, optimizers=[0, 1])
    change(later.graphs, reached=[0, 1])

    assert lacks(both, "optimizer-idle")
    assert lacks(later, "optimizer-idle")


# --- same-batch ---------------------------------------------------------------------------------------------------


def trained_on(distinct: int, **fields: Any) -> Recording:
    """The healthy run, whose hundred steps of 32 rows draw on so many."""
    recording = healthy()
    recording.rows = [replace(TrainingRows(0, 3200, distinct, 100, 0.0, True), **fields)]
    return recording


def test_a_loader_that_yields_the_same_batch() -> None:
    """Rows that were trained on, how many of them differ, and how many there are."""
    r = trained_on(32)

    s = symptom_of(r, "same-batch")

    assert (1500 / 32, 4.0, Place("train.py", 5)) == (s.value, s.threshold, s.place)
    assert "In 3,200 rows that were trained on only 32 differ" in s.text and "1,500 samples (RandomSampler)" in s.text
    assert lacks(r, "same-batch", limit=50)


def test_rows_taken_by_hand_that_never_change() -> None:
    """The same in every step, or fewer than a batch has, while validation has many more."""
    slice_, few = trained_on(32, same=1.0), trained_on(24)
    for made in (slice_, few):
        made.loaders = []

    assert "All 100 steps see the same 32 rows, taken anew each time, while validation has 128" in symptom_of(slice_, "same-batch").text
    assert "the same 24 rows" in symptom_of(few, "same-batch").text


def test_batches_that_come_in_blocks() -> None:
    """Each is the one of the step before, however many there are in the end."""
    r, shuffled = trained_on(96, same=0.97), trained_on(96, same=0.0)
    for made in (r, shuffled):
        made.loaders = []
        change(made.evaluations, samples=500)

    assert "97% of the 100 steps see the rows of the step before, 96 in all, taken anew each time, while validation has 500" in symptom_of(r, "same-batch").text
    assert lacks(shuffled, "same-batch")


def test_a_loader_that_has_few_rows() -> None:
    """Another one, which validates, may have as many as it likes."""
    r = trained_on(32)
    r.loaders.append(replace(r.loaders[0], index=1, length=32))

    assert lacks(r, "same-batch")


def test_a_small_data_set_is_seen_again_and_again() -> None:
    """All of its samples are, in another order or as one tensor; and equal rows with different targets are no repetition."""
    small, whole, mixed, twins, drawn = trained_on(32), trained_on(32, same=1.0, handed=1.0), trained_on(32), trained_on(24), trained_on(24)
    change(small.loaders, length=40)
    for made in (whole, mixed, twins):
        made.loaders = []
    for made in (twins, drawn):
        change(made.labels, twins=1.0, twins_agree=0.2)

    assert lacks(small, "same-batch")
    assert lacks(whole, "same-batch")
    assert lacks(mixed, "same-batch")
    assert lacks(twins, "same-batch")
    assert lacks(drawn, "same-batch")
    assert lacks(trained_on(1500), "same-batch")


# --- evaluates-in-training-mode -----------------------------------------------------------------------------------


def validated(training: int, mode: ModuleMode | None) -> Recording:
    """Four validation passes, so many of them with model.training on."""
    recording = healthy()
    change(recording.evaluations, accuracy=0.5, place=Place("train.py", 40))
    change(recording.evaluations[:training], training=True)
    recording.modes = [mode] if mode else []
    return recording


DROPOUT = ModuleMode("net.drop", "Dropout", 100, 0, None, 100)


def test_validation_in_training_mode() -> None:
    """Share of the passes and both scores; the line is that of the pass."""
    r = validated(3, DROPOUT)

    s = symptom_of(r, "evaluates-in-training-mode")

    assert (0.75, 0.5, Place("train.py", 40)) == (s.value, s.threshold, s.place)
    assert "on in 75% of the validation passes (Dropout)" in s.text
    assert "validation scores 0.44, training 0.94" in s.text
    assert lacks(r, "evaluates-in-training-mode", limit=0.8)


def test_validation_that_need_not_switch_or_does() -> None:
    """A model without dropout or batch norm is the same in both modes; one pass of four is a slip."""
    assert lacks(validated(4, None), "evaluates-in-training-mode")
    assert lacks(validated(1, DROPOUT), "evaluates-in-training-mode")


def test_dropout_thins_validation_whatever_it_scores() -> None:
    """A score that nobody saw, or that is no worse than training under the same dropout; batch norm may do no harm."""
    thinned, unseen, norm = (validated(4, DROPOUT) for _ in range(3))
    for made, p in ((thinned, 0.5), (unseen, 0.5), (norm, 0.0)):
        made.modules.append(ModuleInfo(0, "net.drop", "Dropout", True, 0, {"p": p}))
        change(made.evaluations, accuracy=0.95)
    change(unseen.evaluations, accuracy=None, loss=None)

    assert 0.9 == symptom_of(thinned, "evaluates-in-training-mode").strength
    assert "(Dropout)." in symptom_of(unseen, "evaluates-in-training-mode").text
    assert 0.1 == symptom_of(norm, "evaluates-in-training-mode").strength


@pytest.mark.parametrize(
    ("why", "fields"),
    [
        ("torch's default", {}),
        ("Xavier, uniform", {"std": math.sqrt(2 / 96), "max_abs": math.sqrt(6 / 96)}),
        ("He, uniform", {"std": math.sqrt(2 / 64), "max_abs": math.sqrt(6 / 64)}),
        ("He, normal", {"std": math.sqrt(2 / 64), "max_abs": 0.7, "fourth": 3.0}),
        ("LeCun, normal", {"std": math.sqrt(1 / 64), "max_abs": 0.5, "fourth": 3.0}),
        ("normal with a deviation of 0.02", {"std": 0.02, "max_abs": 0.08, "fourth": 3.0}),
    ],
)
def test_standard_initialisations_look_fresh(why: str, fields: dict[str, float]) -> None:
    """Uniform or normal, with the deviation that the recipe gives for 64 inputs and 32 outputs."""
    assert looks_fresh(parameter(0, "net.0.weight", 32, 64, **fields)), why


@pytest.mark.parametrize(
    ("why", "fresh", "fields"),
    [
        ("heavy tails", False, {"fourth": 6.0}),
        ("uniform, with no recipe's bound", False, {"std": 0.5 / math.sqrt(3), "max_abs": 0.5}),
        ("normal, with no recipe's deviation", False, {"std": 0.05, "max_abs": 0.2, "fourth": 3.0}),
        ("flat as uniform, with an outlier", False, {"max_abs": 0.9}),
        ("constant", None, {"std": 0.0}),
        ("too few numbers", None, {"shape": [3, 4]}),
        ("a bias", None, {"shape": [64]}),
    ],
)
def test_trained_weights_do_not_look_fresh(why: str, fresh: bool | None, fields: dict[str, Any]) -> None:
    """Kurtosis, bound or deviation is off; None where nothing can be said."""
    assert fresh is looks_fresh(parameter(0, "net.0.weight", 32, 64, **fields)), why


# --- eval-mode ----------------------------------------------------------------------------------------------------


def in_eval(first: int, mode: ModuleMode) -> Recording:
    """From that step on, model.training is off."""
    recording = healthy()
    change(recording.steps[first - 1 :], training=False)
    recording.modes = [mode]
    recording.calls.append(Call("eval", 1, Place("train.py", 25)))
    return recording


def test_training_in_evaluation_mode() -> None:
    """Share, first step, and the layers that mind; the line is that of eval()."""
    r = in_eval(21, ModuleMode("net.drop", "Dropout", 20, 80, 21, 20))

    s = symptom_of(r, "eval-mode")

    assert (0.8, 0.3, "net.drop", Place("train.py", 25)) == (s.value, s.threshold, s.where, s.place)
    assert "off in 80% of the training forwards, from step 21 on; Dropout behaves" in s.text
    assert lacks(r, "eval-mode", limit=0.85)


def test_evaluation_mode_since_a_late_validation() -> None:
    """Looked at more often before the switch than after it: the layer trained as often as the model did, and minds."""
    late = in_eval(61, ModuleMode("net.drop", "Dropout", 60, 40, 61, 60))
    still = in_eval(61, ModuleMode("net.norm", "BatchNorm1d", 10, 50, 1, 60))

    assert "from step 61 on" in symptom_of(late, "eval-mode").text
    assert lacks(still, "eval-mode")


def test_batch_norm_with_fresh_statistics_normalises_nothing() -> None:
    """Statistics of 0 and 1 leave everything as it is."""
    fresh = in_eval(1, ModuleMode("net.norm", "BatchNorm1d", 0, 100, 1, 0, fresh=True))
    known = in_eval(1, ModuleMode("net.norm", "BatchNorm1d", 0, 100, 1, 0, fresh=False))

    assert "nothing is normalised" in symptom_of(fresh, "eval-mode").text
    assert "nothing is normalised" not in symptom_of(known, "eval-mode").text


def test_evaluation_mode_that_a_first_validation_left() -> None:
    """From the first step on, in a run that learns: an oversight after a score of the untrained model, else perhaps meant."""
    strengths = []
    for before in (["eval"], ["eval", "evaluate"], ["eval", "evaluate", "eval"]):
        r = in_eval(1, ModuleMode("net.drop", "Dropout", 0, 100, 1, 0))
        assert r.end is not None
        r.end.events = [*before, "forward", "backward", "step", "eval", "evaluate"]
        strengths.append(symptom_of(r, "eval-mode").strength)

    assert [0.5, 1.0, 0.5] == strengths


def test_one_layer_in_evaluation_mode_is_deliberate() -> None:
    """Fine-tuning holds batch norm still while the model trains; and a model without such layers does not mind."""
    tuned = healthy()
    tuned.modes = [ModuleMode("net.norm", "BatchNorm2d", 0, 100, 1, 100)]
    plain = in_eval(1, ModuleMode("net.drop", "Dropout", 0, 0, None, 0))

    assert lacks(tuned, "eval-mode")
    assert lacks(plain, "eval-mode")


# --- accumulates-unscaled -----------------------------------------------------------------------------------------


def test_gradients_of_eight_batches_that_are_not_divided() -> None:
    """The chain from backward begins with the loss itself; with a quotient it was divided, and two losses are two terms."""
    r, divided, terms = healthy(), healthy(), healthy()
    for made in (r, divided, terms):
        change(made.steps, backwards=8)
    divided.graphs[0].chain.insert(0, Link("Div"))
    terms.graphs.append(replace(terms.graphs[0], losses=[1]))

    assert "gradients of 8 backward calls" in symptom_of(r, "accumulates-unscaled").text
    assert lacks(r, "accumulates-unscaled", limit=9.0)
    assert lacks(divided, "accumulates-unscaled")
    assert lacks(terms, "accumulates-unscaled")
    assert lacks(healthy(), "accumulates-unscaled")


def test_several_terms_add_up_as_one_does() -> None:
    """The same three in each backward call; a term each in turn is one step's loss in pieces."""
    r, turns = healthy(), healthy()
    change(r.steps, backwards=8)
    change(turns.steps, backwards=3)
    r.graphs[0].losses = [0, 1, 2]
    r.graphs[0].chain.insert(0, Link("Add"))
    turns.graphs = [replace(turns.graphs[0], losses=[i]) for i in range(3)]

    assert "gradients of 8 backward calls" in symptom_of(r, "accumulates-unscaled").text
    assert lacks(turns, "accumulates-unscaled")
