"""How weights begin and how far they move: each symptom where it holds, and the healthy look-alike."""

from __future__ import annotations

import math

import pytest

from nndoctor.record.model import Recording
from tests.symptoms.build import (
    BUILT,
    LOSS,
    STEPPED,
    change,
    geometric,
    healthy,
    lacks,
    looks,
    parameter,
    symptom_of,
    tensor,
)


def begun(index: int, **fields: object) -> Recording:
    """The healthy run with one parameter that begins otherwise."""
    recording = healthy()
    change(recording.parameters[index : index + 1], **fields)
    return recording


def moving(update: float | None, losses: list[float] | None = None, **fields: object) -> Recording:
    """The healthy run where each step moves every weight, of norm 4, by that much."""
    recording = healthy(losses)
    recording.samples = looks(range(6), update=update, **fields)  # type: ignore[arg-type]
    return recording


# --- weights-constant ---------------------------------------------------------------------------------------------


def test_a_hidden_layer_of_equal_weights() -> None:
    """The tensor and its value."""
    s = symptom_of(begun(0, mean=0.5, std=0.0, max_abs=0.5), "weights-constant")

    assert (1, "net.0", BUILT) == (s.value, s.where, s.place)
    assert "net.0.weight start at 0.5" in s.text


def test_an_embedding_of_equal_rows() -> None:
    """Every word is the same word, and every unit behind it the same unit."""
    r = healthy()
    r.parameters.append(parameter(6, "net.words.weight", 1000, 64, module_type="Embedding", mean=0.0, std=0.0))
    r.graphs[0].reached.append(6)

    assert "net.words.weight start at 0" in symptom_of(r, "weights-constant").text


def test_constant_tensors_that_learn_all_the_same() -> None:
    """A last layer at zero, biases at zero, scales of a norm at one, and a layer that is frozen."""
    normed = healthy()
    normed.parameters.append(parameter(6, "net.norm.weight", 32, 1, module_type="LayerNorm", mean=1.0, std=0.0))

    assert lacks(begun(4, mean=0.0, std=0.0, max_abs=0.0), "weights-constant")
    assert lacks(begun(1, mean=0.0, std=0.0, max_abs=0.0), "weights-constant")
    assert lacks(normed, "weights-constant")
    assert lacks(begun(0, mean=0.5, std=0.0, requires_grad=False), "weights-constant")


# --- weights-too-large --------------------------------------------------------------------------------------------


def test_weights_of_deviation_one() -> None:
    """Deviation, fan-in, and how many times He's that is."""
    r = begun(0, std=1.0, max_abs=4.0, fourth=3.0)

    s = symptom_of(r, "weights-too-large")

    assert (8.0, 3.0, "net.0") == (s.value, s.threshold, s.where)
    assert "deviation 1 at 64 inputs, 5.7 times He's; so do 1 of 3" in s.text
    assert lacks(r, "weights-too-large", limit=9)


def test_standard_initialisations_are_not_too_large() -> None:
    """He's for ReLU, and the deviation of one that embeddings start with."""
    he = begun(0, std=math.sqrt(2 / 64))
    embedded = healthy()
    embedded.parameters.append(parameter(6, "net.words.weight", 1000, 64, module_type="Embedding", std=1.0))
    embedded.graphs[0].reached.append(6)

    assert lacks(he, "weights-too-large")
    assert lacks(embedded, "weights-too-large")


# --- weights-too-small --------------------------------------------------------------------------------------------


def test_weights_of_a_ten_thousandth() -> None:
    """Deviation, fan-in, and how many times smaller than He's that is."""
    r = begun(0, std=1e-4, max_abs=4e-4)

    s = symptom_of(r, "weights-too-small")

    assert (pytest.approx(8e-4), 0.06, "net.0") == (s.value, s.threshold, s.where)
    assert "deviation 0.0001 at 64 inputs, 1768 times smaller than He's; so do 1 of 3" in s.text
    assert lacks(r, "weights-too-small", limit=1e-4)


def test_a_small_last_layer_is_deliberate() -> None:
    """Policies and residual branches start near zero; Xavier's bound is smaller than He's and not small."""
    assert lacks(begun(4, std=1e-4, max_abs=4e-4), "weights-too-small")
    assert lacks(begun(0, std=math.sqrt(2 / 96)), "weights-too-small")


# --- bias-off -----------------------------------------------------------------------------------------------------


def test_a_bias_of_five() -> None:
    """Its mean."""
    r = begun(1, mean=5.0, std=0.0)

    s = symptom_of(r, "bias-off")

    assert (5.0, 1.5, "net.0") == (s.value, s.threshold, s.where)
    assert "net.0.bias starts around 5." in s.text
    assert lacks(r, "bias-off", limit=6)


def test_a_bias_of_the_last_layer_weighs_less() -> None:
    """It may be set to the mean of the targets."""
    assert symptom_of(begun(5, mean=5.0), "bias-off").strength < symptom_of(begun(1, mean=5.0), "bias-off").strength


def test_biases_that_are_set_on_purpose() -> None:
    """Forget gates at one, the shift of a norm, and torch's default."""
    normed = healthy()
    normed.parameters.append(parameter(6, "net.norm.bias", 32, module_type="BatchNorm1d", mean=5.0))

    assert lacks(begun(1, mean=1.0, std=0.0), "bias-off")
    assert lacks(normed, "bias-off")
    assert lacks(healthy(), "bias-off")


# --- updates-tiny -------------------------------------------------------------------------------------------------


def test_steps_of_a_millionth() -> None:
    """The median of update over weight."""
    r = moving(4e-6)

    s = symptom_of(r, "updates-tiny")

    assert (pytest.approx(1e-6), 1e-4) == (s.value, s.threshold)
    assert "1.0e-06 of their size" in s.text
    assert lacks(r, "updates-tiny", limit=1e-7)


def test_warm_up_and_standstill_are_not_tiny_steps() -> None:
    """Steps that grow are a warm-up; weights that nothing moves have no rate that could be too low."""
    warm = moving(4e-6)
    warm.samples[-3:] = looks(range(6), at=(80, 90, 100))

    assert lacks(warm, "updates-tiny")
    assert lacks(moving(0.0), "updates-tiny")
    assert lacks(moving(None), "updates-tiny")


# --- steps-promise-little -----------------------------------------------------------------------------------------


def test_steps_that_promise_a_ten_thousandth_of_the_loss() -> None:
    """The share and the number of steps that it would take."""
    r = moving(4e-3, geometric(2.0, 1.9, ripple=0), expected=-2e-4)

    s = symptom_of(r, "steps-promise-little")

    assert (pytest.approx(1e-4, rel=0.01), 1e-3) == (s.value, s.threshold)
    assert "by 0.01% of itself" in s.text and "some 9,977 steps" in s.text
    assert lacks(r, "steps-promise-little", limit=5e-5)


def test_steps_that_promise_a_rise_or_a_hundredth() -> None:
    """A hundredth of the loss a step is plenty; momentum can point uphill for a while."""
    assert lacks(moving(4e-3, expected=-0.02), "steps-promise-little")
    assert lacks(moving(4e-3, expected=2e-4), "steps-promise-little")


# --- updates-huge -------------------------------------------------------------------------------------------------


def test_steps_of_half_the_weights() -> None:
    """The median over the first looks."""
    r = moving(2.0)

    s = symptom_of(r, "updates-huge")

    assert (0.5, 0.08) == (s.value, s.threshold)
    assert "move by 0.5 of their size" in s.text
    assert lacks(r, "updates-huge", limit=0.6)


def test_one_step_that_throws_the_weights_far_is_huge() -> None:
    """The others may be small after it."""
    r = moving(4e-3)
    r.samples[:1] = looks(range(6), at=(1,), update=40.0)

    s = symptom_of(r, "updates-huge")

    assert 2.0 == s.value
    assert "move by 10 of their size" in s.text


def test_one_large_step_is_not_huge() -> None:
    """Adam's first step is the largest: a tenth of small weights; a hundredth at each step is quick."""
    first = moving(4e-3)
    first.samples[:1] = looks(range(6), at=(1,), update=0.4)

    assert lacks(first, "updates-huge")
    assert lacks(moving(0.04), "updates-huge")


# --- updates-stay-large -------------------------------------------------------------------------------------------


def test_weights_that_keep_moving_while_the_loss_stands_still() -> None:
    """Size of a step in the second half, and where the loss stands."""
    r = moving(0.08, [2.0, 2.02] * 50)

    s = symptom_of(r, "updates-stay-large")

    assert (pytest.approx(0.02), 0.01) == (s.value, s.threshold)
    assert "by 0.02 of their size" in s.text and "stands at 2.01" in s.text
    assert lacks(r, "updates-stay-large", limit=0.03)


def test_large_steps_that_get_somewhere_are_bold() -> None:
    """The loss still falls; or the steps have become small, wherever the loss stands."""
    settled = moving(4e-3, [2.0, 2.02] * 50)
    settled.samples[:5] = looks(range(6), at=(1, 2, 3, 5, 7), update=0.4)

    assert lacks(moving(0.08), "updates-stay-large")
    assert lacks(settled, "updates-stay-large")


# --- weights-grow -------------------------------------------------------------------------------------------------


def grown(last: float) -> Recording:
    """The healthy run where the weights' norm goes from 4 to that."""
    recording = healthy()
    recording.samples[-1:] = looks(range(6), at=(100,), weight=last)
    return recording


def test_weights_that_grow_tenfold() -> None:
    """How many times over."""
    r = grown(40.0)

    s = symptom_of(r, "weights-grow")

    assert (10.0, 5.0) == (s.value, s.threshold)
    assert "grown to 10 times their size" in s.text
    assert lacks(r, "weights-grow", limit=11)


def test_weights_that_double_have_learnt() -> None:
    """Small initial weights do."""
    assert lacks(grown(8.0), "weights-grow")


# --- weights-shrink -----------------------------------------------------------------------------------------------


def test_weights_that_are_pulled_to_zero() -> None:
    """What is left of them; a half is what pruning and decay leave of a sound run."""
    r = grown(0.04)

    s = symptom_of(r, "weights-shrink")

    assert (pytest.approx(100.0), 5.0) == (s.value, s.threshold)
    assert "shrunk to 1.0% of their size" in s.text
    assert lacks(r, "weights-shrink", limit=101)
    assert lacks(grown(2.0), "weights-shrink")


# --- updates-round-away -------------------------------------------------------------------------------------------


def test_steps_that_round_to_nothing() -> None:
    """Most weights with a gradient stay where they were."""
    r = healthy()
    change((p for s in r.samples for p in s.parameters), rounded=0.8)

    assert "80% of the weights" in symptom_of(r, "updates-round-away").text
    assert lacks(r, "updates-round-away", limit=0.9)
    assert lacks(healthy(), "updates-round-away")


def test_one_half_tensor_that_never_moves() -> None:
    """However well the others do, it is lost; in float32 it is a matter of the rate."""
    r, single, moved = healthy(), healthy(), healthy()
    for made in (r, single, moved):
        change((p for s in made.samples for p in s.parameters if p.parameter == 2), rounded=1.0)
    change(r.parameters[2:3] + moved.parameters[2:3], dtype="float16")
    moved.samples[-1].parameters[2].rounded = 0.9

    assert "100% of the weights" in symptom_of(r, "updates-round-away").text
    assert "it has not moved" in symptom_of(r, "half-weights").text
    for made in (single, moved):
        assert lacks(made, "updates-round-away")
        assert lacks(made, "half-weights")


# --- gradients-underflow ------------------------------------------------------------------------------------------


def test_gradients_that_are_lost_in_float16() -> None:
    """Zeros in most of the numbers of most parameters; in float32 they are dead units."""
    r, single = healthy(), healthy()
    for made in (r, single):
        for sample in made.samples:
            change((p for p in sample.parameters if p.parameter < 5), zero=0.9)
    r.losses[0].prediction = tensor(32, 10, dtype="float16")

    s = symptom_of(r, "gradients-underflow")

    assert (0.9, 0.5) == (s.value, s.threshold)
    assert "90% of the gradient's numbers are exactly zero" in s.text
    assert lacks(r, "gradients-underflow", limit=0.95)
    assert lacks(single, "gradients-underflow")


def test_gradients_that_are_lost_before_they_reach_the_outputs() -> None:
    """A quarter of zeros is enough where no dead unit can make them; whatever the loss is computed in."""
    r, few, single = healthy(), healthy(), healthy()
    for made, share in ((r, 0.3), (few, 0.2), (single, 0.3)):
        for sample in made.samples:
            change((p for p in sample.parameters if p.parameter == 5), zero=share)
        change(made.graphs, float16=made is not single)

    s = symptom_of(r, "gradients-underflow")

    assert (0.6, 0.5) == (s.value, s.threshold)
    assert "30% of the gradients of net.4's biases are exactly zero" in s.text
    assert lacks(r, "gradients-underflow", limit=0.7)
    assert lacks(few, "gradients-underflow")
    assert lacks(single, "gradients-underflow")


def test_tables_that_are_hardly_read_lose_nothing() -> None:
    """Rows that a batch does not name have no gradient in any precision."""
    r = healthy()
    change(r.graphs, float16=True)
    for sample in r.samples:
        change((p for p in sample.parameters if p.parameter < 4), zero=0.9)

    assert "gradients-underflow" == symptom_of(r, "gradients-underflow").name

    change(r.parameters[:4], module_type="Embedding")

    assert lacks(r, "gradients-underflow")


# --- half-weights -------------------------------------------------------------------------------------------------


def test_weights_in_half_precision() -> None:
    """Those that are optimised; a frozen backbone may be what it likes."""
    r, frozen = healthy(), healthy()
    change(r.parameters, dtype="bfloat16")
    change(frozen.parameters[:2], dtype="float16")
    frozen.optimizers[0].groups[0].parameters[:] = [2, 3, 4, 5]

    assert "bfloat16, which keeps 8 bits" in symptom_of(r, "half-weights").text
    assert lacks(frozen, "half-weights")


def test_weights_that_are_rounded_between_steps() -> None:
    """Kept in float32, with nothing in them that half precision would not hold."""
    r, fine = healthy(), healthy()
    change((p for s in r.samples for p in s.parameters), coarse=1.0)
    change((p for s in fine.samples for p in s.parameters), coarse=0.1)

    assert "100% of their float32 numbers are rounded" in symptom_of(r, "half-weights").text
    assert lacks(fine, "half-weights")


# --- updates-undone -----------------------------------------------------------------------------------------------


def test_weights_that_are_put_back_between_steps() -> None:
    """Something else than the optimiser writes them."""
    r = healthy()
    change((p for s in r.samples for p in s.parameters), undone=0.6)

    assert "60% of the numbers that a step has moved are back" in symptom_of(r, "updates-undone").text
    assert lacks(r, "updates-undone", limit=0.7)
    change((p for s in r.samples for p in s.parameters), undone=0.0)
    assert lacks(r, "updates-undone")


# --- loss-shrinks-weights -----------------------------------------------------------------------------------------


def pulled(matrices: float, biases: float = 0.0, looks: slice = slice(None)) -> Recording:
    """Gradients with these cosines to the weights, and to the biases, in some of the looks."""
    recording = healthy()
    for sample in recording.samples[looks]:
        for i, p in enumerate(sample.parameters):
            p.inward = biases if i % 2 else matrices
    return recording


def test_a_gradient_that_points_along_the_weights() -> None:
    """Its cosine, the number of weight tensors, and the line of the loss."""
    r = pulled(0.7)

    s = symptom_of(r, "loss-shrinks-weights")

    assert (0.7, 0.4, LOSS) == (s.value, s.threshold, s.place)
    assert "cosine 0.70, median over 3 weight tensors" in s.text
    assert lacks(r, "loss-shrinks-weights", limit=0.8)


def test_gradients_that_come_from_the_outputs() -> None:
    """A tenth of each is chance; biases may follow the loss inwards; one look is none; and later on a penalty that weighs little balances the rest."""
    assert lacks(pulled(0.1), "loss-shrinks-weights")
    assert lacks(pulled(-0.7), "loss-shrinks-weights")
    assert lacks(pulled(0.0, biases=0.9), "loss-shrinks-weights")
    assert lacks(pulled(0.7, looks=slice(0, 1)), "loss-shrinks-weights")
    assert lacks(pulled(0.7, looks=slice(4, None)), "loss-shrinks-weights")


# --- step-climbs --------------------------------------------------------------------------------------------------


def by_hand(*cosines: float, losses: list[float] | None = None) -> Recording:
    """The classifier without an optimiser; each tensor is moved by hand, at this cosine with its gradient."""
    recording = healthy(losses)
    recording.optimizers = []
    change(recording.steps, optimizers=[])
    for sample in recording.samples:
        for p, cosine in zip(sample.parameters, cosines, strict=True):
            p.climb, p.written = cosine, STEPPED
    return recording


def test_one_tensor_that_is_added_to() -> None:
    """By name, with the line that writes it; one that goes down now and then has momentum."""
    r, swings = (by_hand(-1.0, -1.0, 0.9, -1.0, -1.0, -1.0) for _ in range(2))
    change([swings.samples[4].parameters[2]], climb=-0.2)

    s = symptom_of(r, "step-climbs")

    assert (0.9, 0.3, "net.2.weight", STEPPED) == (s.value, s.threshold, s.where, s.place)
    assert "moves net.2.weight along the gradient (cosine 0.90): it climbs the loss, while 5 other tensors descend." in s.text
    assert lacks(r, "step-climbs", limit=0.95)
    assert lacks(swings, "step-climbs")
    assert lacks(by_hand(*[-1.0] * 6), "step-climbs")
    assert lacks(healthy(), "step-climbs")


def test_a_plus_for_every_tensor() -> None:
    """Of a loss; a score is climbed by right, and a negated loss is below zero."""
    score, negated = by_hand(*[1.0] * 6), by_hand(*[1.0] * 6, losses=[-2.0 + 0.01 * i for i in range(100)])
    change(score.losses, target=None, function="by-hand:other")

    assert "moves net.0.weight, net.0.bias, net.2.weight, net.2.bias along the gradient (cosine 1.00): it climbs the loss." in symptom_of(by_hand(*[1.0] * 6), "step-climbs").text
    assert lacks(score, "step-climbs")
    assert lacks(negated, "step-climbs")


def test_a_cross_entropy_that_is_written_out() -> None:
    """It names no targets, and is a loss all the same."""
    r = by_hand(-1.0, -1.0, 1.0, -1.0, -1.0, -1.0)
    change(r.losses, target=None, function="by-hand:log-softmax")

    assert "moves net.2.weight along" in symptom_of(r, "step-climbs").text


def test_those_that_climb_by_right_while_others_descend() -> None:
    """A player of a game with all that it has, what is added to the input, and a vector that no layer multiplies with."""
    game = by_hand(-1.0, -1.0, -1.0, -1.0, 1.0, 1.0)
    change(game.parameters[4:], model=1)
    added = by_hand(1.0, -1.0, -1.0, -1.0, -1.0, -1.0)
    change(added.parameters[:1], shape=[32, 64], model=-1)
    price = by_hand(-1.0, -1.0, -1.0, -1.0, -1.0, 1.0)
    unseen = by_hand(1.0, -1.0, -1.0, -1.0, -1.0, -1.0)
    unseen.features = []

    assert lacks(game, "step-climbs")
    assert lacks(added, "step-climbs")
    assert lacks(price, "step-climbs")
    assert lacks(unseen, "step-climbs")
