"""What the calls of the loss say: each misuse where it is one, and the sound code that resembles it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from nndoctor.record.model import Link, Place, Recording, Stretch
from tests.symptoms.build import (
    LOSS,
    change,
    healthy,
    lacks,
    links,
    reals,
    regression,
    symptom_of,
    tensor,
)

HEAD = Place("train.py", 14)


def losing(function: str, *ops: str, **fields: object) -> Recording:
    """A run whose output passes these operations before that loss."""
    recording = healthy()
    change(recording.losses, function=function, chain=links(*ops), **fields)
    return recording


def regressing(*ops: str, **fields: object) -> Recording:
    """The same for squared error on real targets."""
    recording = regression()
    change(recording.losses, chain=links(*ops), **fields)
    return recording


# --- double-softmax -----------------------------------------------------------------------------------------------


def test_cross_entropy_of_a_softmax_is_a_double_softmax() -> None:
    """The line is that of the softmax, and the floor that the loss cannot pass is told."""
    r = losing("cross_entropy")
    r.losses[0].chain = [Link("Softmax", HEAD, "net.5", 1), Link("Addmm", LOSS, "net.4")]

    s = symptom_of(r, "double-softmax")

    assert (2, HEAD, "net.5") == (s.value, s.place, s.where)
    assert f"{math.log(math.e + 9) - 1:.2f} for 10 classes" in s.text


@pytest.mark.parametrize("function", ["cross_entropy", "nll_loss"])
def test_log_softmax_of_a_softmax_is_a_double_softmax(function: str) -> None:
    """Whichever loss takes it, and whatever only moves values between."""
    assert 2 == symptom_of(losing(function, "View", "LogSoftmax", "Softmax", "Addmm"), "double-softmax").value


@pytest.mark.parametrize(
    ("why", "function", "ops"),
    [
        ("log-softmax is its own softmax", "cross_entropy", ("LogSoftmax", "Addmm")),
        ("the pair that belongs together", "nll_loss", ("LogSoftmax", "Addmm")),
        ("attention within the network, with layers behind it", "cross_entropy", ("Addmm", "Bmm", "Softmax")),
        ("squared error on probabilities", "mse_loss", ("Softmax", "Addmm")),
    ],
)
def test_one_softmax_is_not_two(why: str, function: str, ops: tuple[str, ...]) -> None:
    """A softmax is a fault only where the loss brings another."""
    assert lacks(losing(function, *ops), "double-softmax"), why


def test_a_loss_that_is_only_printed_does_not_count() -> None:
    """Where backward is fed by another loss, cross_entropy on probabilities is a metric."""
    r = healthy()
    metric = losing("cross_entropy", "Softmax", "Addmm", index=1)
    r.losses += metric.losses

    assert lacks(r, "double-softmax")


# --- sigmoid-before-logits-loss -----------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["binary_cross_entropy_with_logits", "cross_entropy"])
def test_a_sigmoid_before_a_loss_on_logits(function: str) -> None:
    """The loss and the sigmoid are named."""
    s = symptom_of(losing(function, "Sigmoid", "Addmm"), "sigmoid-before-logits-loss")

    assert (2, "net.4", LOSS) == (s.value, s.where, s.place)
    assert f"{function} wants logits" in s.text and "between 0 and 1" in s.text


def test_a_softmax_before_a_loss_on_logits() -> None:
    """Binary cross-entropy on logits takes no softmax either."""
    s = symptom_of(losing("binary_cross_entropy_with_logits", "Softmax", "Addmm"), "sigmoid-before-logits-loss")

    assert "softmax" in s.text


def test_a_sigmoid_before_a_loss_on_probabilities_is_right() -> None:
    """And a gate further inside is none before the loss."""
    assert lacks(losing("binary_cross_entropy", "Sigmoid", "Addmm"), "sigmoid-before-logits-loss")
    assert lacks(losing("binary_cross_entropy_with_logits", "Mul", "Sigmoid", "Addmm"), "sigmoid-before-logits-loss")


# --- not-log-probabilities ----------------------------------------------------------------------------------------


def test_nll_loss_on_raw_outputs() -> None:
    """Range and kind of what it is given."""
    given = tensor(32, 10, min=-2.0, max=3.0, row_sum_spread=8.0, log_row_sum_spread=5.0)
    r = losing("nll_loss", "Addmm", prediction=given)

    s = symptom_of(r, "not-log-probabilities")

    assert (5.0, 0.05) == (s.value, s.threshold)
    assert "raw outputs between -2 and 3" in s.text
    assert lacks(r, "not-log-probabilities", limit=5.5)


def test_nll_loss_on_probabilities() -> None:
    """Rows that sum to one are probabilities: the logarithm is missing."""
    given = tensor(32, 10, min=0.0, max=1.0, row_sum_spread=1e-6, log_row_sum_spread=10.0)

    assert "given probabilities" in symptom_of(
        losing("nll_loss", "Softmax", prediction=given), "not-log-probabilities"
    ).text


def test_rounding_leaves_log_probabilities_what_they_are() -> None:
    """Half precision sums to one within hundredths."""
    given = tensor(32, 10, min=-9.0, max=0.0, log_row_sum_spread=0.01)

    assert lacks(losing("nll_loss", "Log", "Softmax", "Addmm", prediction=given), "not-log-probabilities")


def test_log_probabilities_over_another_axis() -> None:
    """Where axes were moved after the log-softmax, its own axis says nothing and the sums do; unmoved, another symptom tells."""
    given = tensor(32, 10, min=-9.0, max=0.0, log_row_sum_spread=0.8)
    r = losing("nll_loss", "View", "LogSoftmax", "Addmm", prediction=given)
    right = losing("nll_loss", "View", "LogSoftmax", "Addmm", prediction=replace(given, log_row_sum_spread=1e-6))
    unmoved = losing("nll_loss", "LogSoftmax", "Addmm", prediction=given)
    unmoved.losses[0].chain[0] = replace(unmoved.losses[0].chain[0], dim=0)

    s = symptom_of(r, "not-log-probabilities")

    assert (0.8, LOSS) == (s.value, s.place)
    assert "the log-softmax ran over another axis" in s.text
    assert lacks(right, "not-log-probabilities")
    assert lacks(unmoved, "not-log-probabilities")
    assert "runs over the batch" in symptom_of(unmoved, "softmax-wrong-axis").text


# --- logits-as-probabilities --------------------------------------------------------------------------------------


def test_binary_cross_entropy_on_logits() -> None:
    """The operation that made them and their range."""
    s = symptom_of(
        losing("binary_cross_entropy", "Addmm", prediction=tensor(32, 1, min=-3.0, max=4.0)), "logits-as-probabilities"
    )

    assert 4.0 == s.value
    assert "comes from Addmm without a sigmoid (-3 to 4)" in s.text


def test_kl_div_on_probabilities() -> None:
    """It wants log-probabilities first."""
    given = tensor(32, 10, min=0.0, max=1.0, log_row_sum_spread=10.0)

    s = symptom_of(losing("kl_div", "Softmax", "Addmm", prediction=given), "logits-as-probabilities")

    assert 10.0 == s.value
    assert "between 0 and 1" in s.text


def test_probabilities_may_be_made_in_many_ways() -> None:
    """By sigmoid, by clamping, as a product of probabilities; and kl_div takes a log-softmax."""
    for op in ("Sigmoid", "Clamp", "Mul", "Exp"):
        assert lacks(losing("binary_cross_entropy", op, "Addmm"), "logits-as-probabilities")

    given = tensor(32, 10, min=-9.0, max=0.0, log_row_sum_spread=1e-6)
    assert lacks(losing("kl_div", "LogSoftmax", "Addmm", prediction=given), "logits-as-probabilities")


# --- softmax-over-one ---------------------------------------------------------------------------------------------


def test_a_softmax_over_one_unit_is_always_one() -> None:
    """By hand, or within cross_entropy on a single output."""
    by_hand = losing("binary_cross_entropy", "Softmax", "Addmm", prediction=tensor(32, 1, min=1.0, max=1.0))
    within = losing("cross_entropy", "Addmm", prediction=tensor(32, 1))

    assert 1 == symptom_of(by_hand, "softmax-over-one").value
    assert "[32, 1]" in symptom_of(by_hand, "softmax-over-one").text
    assert "given one output only (shape [32, 1])" in symptom_of(within, "softmax-over-one").text


def test_one_unit_with_a_sigmoid_and_two_with_a_softmax_are_right() -> None:
    """The two sound ways to tell two classes apart."""
    sigmoid = losing("binary_cross_entropy", "Sigmoid", "Addmm", prediction=tensor(32, 1))
    softmax = losing("nll_loss", "LogSoftmax", "Addmm", prediction=tensor(32, 2))

    assert lacks(sigmoid, "softmax-over-one")
    assert lacks(softmax, "softmax-over-one")


# --- softmax-wrong-axis -------------------------------------------------------------------------------------------


def test_a_softmax_over_the_batch() -> None:
    """Axis and shape; the value is the axis, the threshold the right one."""
    r = losing("nll_loss")
    r.losses[0].chain = [Link("LogSoftmax", HEAD, "net.5", 0), Link("Addmm", LOSS, "net.4")]

    s = symptom_of(r, "softmax-wrong-axis")

    assert (0, 1, HEAD) == (s.value, s.threshold, s.place)
    assert "over the batch of an output of shape [32, 10]; the classes are on axis 1" in s.text


def test_a_softmax_over_the_classes_wherever_they_are() -> None:
    """On axis 1 for nll_loss; before a transpose the axis has another number."""
    moved = losing("nll_loss", prediction=tensor(32, 50, 7))
    moved.losses[0].chain = [Link("Transpose"), Link("LogSoftmax", HEAD, "net.5", 2), Link("Addmm")]

    assert lacks(losing("nll_loss", "LogSoftmax", "Addmm"), "softmax-wrong-axis")
    assert lacks(moved, "softmax-wrong-axis")


# --- squared-error-on-classes -------------------------------------------------------------------------------------


def counted(counts: dict[str, int], source: str = "int64") -> Recording:
    """Squared error on whole numbers that come up that often."""
    values = [float(k) for k in counts]
    target = tensor(32, 1, min=min(values), max=max(values), integers=True)
    recording = regressing("Addmm", target=target, target_source=source)
    recording.labels = [reals(counts=counts, rows=sum(counts.values()))]
    return recording


def test_squared_error_on_class_numbers() -> None:
    """Number and range of the labels, and what they were cast from."""
    s = symptom_of(counted({"0": 400, "1": 300, "2": 350}), "squared-error-on-classes")

    assert (3, 1.0, LOSS) == (s.value, s.strength, s.place)
    assert "mse_loss compares the output with 3 whole-numbered labels (0 to 2, cast from int64)" in s.text


def test_squared_error_on_one_hot_rows() -> None:
    """Not as wrong, so not as strong."""
    r = regressing(
        "Addmm", prediction=tensor(32, 10), target=tensor(32, 10, min=0.0, max=1.0, integers=True, one_hot=True)
    )

    s = symptom_of(r, "squared-error-on-classes")

    assert (10, 0.7) == (s.value, s.strength)
    assert "one-hot labels of 10 classes" in s.text


def test_counts_with_one_peak_look_counted_and_weigh_half() -> None:
    """Bicycles hired an hour are whole numbers, most often few and rarely many: a regression is what they want."""
    classes_, counted_ = {"0": 300, "1": 60, "2": 280, "3": 70}, {"0": 60, "1": 300, "2": 280, "3": 70}

    assert 1.0 == symptom_of(counted(classes_), "squared-error-on-classes").strength
    assert 0.5 == symptom_of(counted(counted_), "squared-error-on-classes").strength


@pytest.mark.parametrize(
    ("why", "counts"),
    [
        ("quality grades from 3 to 8", {str(k): 100 for k in range(3, 9)}),
        ("a quantity with thirty values", {str(k): 100 for k in range(30)}),
        ("steps of ten are a scale", {"0": 100, "10": 100, "20": 100}),
        ("a value that hardly occurs is no class", {"0": 500, "1": 500, "2": 1}),
    ],
)
def test_whole_numbers_are_not_always_classes(why: str, counts: dict[str, int]) -> None:
    """Class numbers start at 0 or 1 (or -1), lie close together, and each comes up."""
    assert lacks(counted(counts), "squared-error-on-classes"), why


def read_once(outputs: int, zero: float, source: str = "int64") -> Recording:
    """Squared error on thirty codes, of one column of a head whose gradient is zero to that share."""
    recording = counted({str(k): 10 for k in range(30)}, source)
    change(recording.losses, prediction=tensor(32))
    recording.parameters[4].shape = [outputs, 32]
    for sample in recording.samples:
        sample.parameters[4].zero = zero
    return recording


def test_codes_against_one_output_of_as_many_as_there_are_classes() -> None:
    """The other outputs, made for the other classes, never get a gradient; however many classes there are."""
    s = symptom_of(read_once(40, 39 / 40), "squared-error-on-classes")

    assert (30, 1.0) == (s.value, s.strength)
    assert "one of 40 outputs with whole-numbered labels (0 to 29, cast from int64)" in s.text


@pytest.mark.parametrize(
    ("why", "run"),
    [
        ("all outputs are read", read_once(40, 0.0)),
        ("there are fewer outputs than codes", read_once(8, 7 / 8)),
        ("real numbers that happen to be whole", read_once(40, 39 / 40, "float32")),
    ],
)
def test_whole_numbers_under_a_head_of_several_outputs(why: str, run: Recording) -> None:
    """The labels must be numbers of outputs, and the outputs idle."""
    assert lacks(run, "squared-error-on-classes"), why


# --- cross-entropy-on-reals ---------------------------------------------------------------------------------------


def test_cross_entropy_on_real_targets() -> None:
    """Their range, and the distance of their rows' sums from one."""
    r = losing("cross_entropy", "Addmm", target=tensor(32, 10, min=0.0, max=3.0, row_sum_spread=2.5))

    s = symptom_of(r, "cross-entropy-on-reals")

    assert (2.5, 0.02) == (s.value, s.threshold)
    assert "range from 0 to 3" in s.text
    assert lacks(r, "cross-entropy-on-reals", limit=3)


def test_binary_cross_entropy_on_real_targets() -> None:
    """Prices, say."""
    r = losing("binary_cross_entropy_with_logits", "Addmm", target=tensor(32, 1, min=0.5, max=7.0))

    s = symptom_of(r, "cross-entropy-on-reals")

    assert 7.0 == s.value
    assert "real numbers from 0.5 to 7" in s.text


def test_soft_labels_are_probabilities() -> None:
    """Mixup and distillation give rows that sum to one, or shares between 0 and 1."""
    soft = losing("cross_entropy", "Addmm", target=tensor(32, 10, min=0.0, max=0.9, row_sum_spread=1e-6))
    shares = losing("binary_cross_entropy_with_logits", "Addmm", target=tensor(32, 1, min=0.1, max=0.9))

    assert lacks(soft, "cross-entropy-on-reals")
    assert lacks(shares, "cross-entropy-on-reals")


# --- bce-on-single-label ------------------------------------------------------------------------------------------


def test_binary_cross_entropy_on_one_hot_rows() -> None:
    """The number of classes is told."""
    target = tensor(32, 10, min=0.0, max=1.0, integers=True, one_hot=True)

    s = symptom_of(losing("binary_cross_entropy_with_logits", "Addmm", target=target), "bce-on-single-label")

    assert (10, LOSS) == (s.value, s.place)
    assert "exactly one of 10 classes" in s.text


def test_tags_and_pairs_are_binary_questions() -> None:
    """Rows with several ones are tags; two columns are a pair of binary outputs."""
    tags = tensor(32, 10, min=0.0, max=1.0, integers=True)
    pair = tensor(32, 2, min=0.0, max=1.0, integers=True, one_hot=True)

    assert lacks(losing("binary_cross_entropy_with_logits", "Addmm", target=tags), "bce-on-single-label")
    assert lacks(losing("binary_cross_entropy_with_logits", "Addmm", target=pair), "bce-on-single-label")


# --- output-range -------------------------------------------------------------------------------------------------


def test_relu_cannot_reach_targets_below_zero() -> None:
    """Both ranges; the value is the share out of reach."""
    r = regressing("Relu", "Addmm")

    s = symptom_of(r, "output-range")

    assert (0.5, 0.05) == (s.value, s.threshold)
    assert "relu, which reaches 0 to unbounded" in s.text and "from -2.5 to 2.5" in s.text
    assert lacks(r, "output-range", limit=0.6)


@pytest.mark.parametrize(("op", "floor"), [("Gelu", "-0.17"), ("Silu", "-0.28"), ("Elu", "-1.76")])
def test_a_smooth_bend_has_a_floor_as_well(op: str, floor: str) -> None:
    """Where a helper ends every layer alike, the last one too."""
    assert f"which reaches {floor} to unbounded" in symptom_of(regressing(op, "Addmm"), "output-range").text


@pytest.mark.parametrize(
    ("op", "low", "high"), [("Relu", 0.0, 90.0), ("Tanh", -1.0, 1.0), ("Sigmoid", 0.0, 1.02), ("Gelu", -0.2, 9.0), ("Addmm", -50.0, 50.0)]
)
def test_an_activation_that_reaches_all_targets_is_right(op: str, low: float, high: float) -> None:
    """A few hundredths beyond the end are noise."""
    r = regressing(op, "Addmm")
    change(r.labels, min=low, max=high)

    assert lacks(r, "output-range")


# --- softmax-on-labels ---------------------------------------------------------------------------------------------


def tagging(op: str, target_rows: float) -> Recording:
    """Five labels under binary_cross_entropy, the outputs of a batch of 32; the rows of the targets miss one by so much."""
    target = tensor(32, 5, min=0.0, max=1.0, integers=True, row_sum_spread=target_rows)
    spread = 0.0 if op == "Softmax" else 2.5
    return losing("binary_cross_entropy", op, "Addmm", prediction=tensor(32, 5, row_sum_spread=spread), target=target)


def test_a_softmax_cannot_name_several_labels() -> None:
    """Its rows add up to one; a sigmoid's need not, and one label a row is what a softmax is for."""
    s = symptom_of(tagging("Softmax", 3.0), "softmax-on-labels")

    assert (3.0, 0) == (s.value, s.threshold)
    assert "miss 1 by up to 3" in s.text
    assert lacks(tagging("Softmax", 0.0), "softmax-on-labels")
    assert lacks(tagging("Sigmoid", 3.0), "softmax-on-labels")


# --- bent-logits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "ops", "strength", "words"),
    [
        ("cross_entropy", ("Relu", "Addmm"), 1.0, "relu before cross_entropy: they can never be negative"),
        ("nll_loss", ("LogSoftmax", "Tanh", "Addmm"), 0.8, "tanh before nll_loss: they cannot leave -1 to 1"),
        ("binary_cross_entropy", ("Sigmoid", "Relu"), 1.0, "relu before binary_cross_entropy"),
    ],
)
def test_logits_through_an_activation(function: str, ops: tuple[str, ...], strength: float, words: str) -> None:
    """What it shuts off is said."""
    s = symptom_of(losing(function, *ops), "bent-logits")

    assert (1, strength) == (s.value, s.strength)
    assert words in s.text


def test_a_hidden_relu_bends_no_logits() -> None:
    """Behind the last layer there is none; and the output of a regression may well be positive."""
    assert lacks(losing("cross_entropy", "Addmm", "Relu", "Addmm"), "bent-logits")
    assert lacks(losing("nll_loss", "LogSoftmax", "Addmm", "Relu"), "bent-logits")
    assert lacks(regressing("Relu", "Addmm"), "bent-logits")


# --- labels-out-of-range ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high", "value"), [(-1.0, 1.0, -1.0), (1.0, 2.0, 2.0)])
def test_labels_other_than_0_and_1(low: float, high: float, value: float) -> None:
    """Their range; the value is the end that lies outside."""
    target = tensor(32, 1, min=low, max=high, integers=True)

    s = symptom_of(losing("binary_cross_entropy_with_logits", "Addmm", target=target), "labels-out-of-range")

    assert value == s.value
    assert f"run from {low:.0f} to {high:.0f}" in s.text


def test_0_and_1_and_what_lies_between_are_in_range() -> None:
    """Smoothed labels are no whole numbers; and the hinge loss takes -1 and 1."""
    whole, soft = tensor(32, 1, min=0.0, max=1.0, integers=True), tensor(32, 1, min=0.05, max=0.95)
    sign = tensor(32, 1, min=-1.0, max=1.0, integers=True)

    assert lacks(losing("binary_cross_entropy_with_logits", "Addmm", target=whole), "labels-out-of-range")
    assert lacks(losing("binary_cross_entropy_with_logits", "Addmm", target=soft), "labels-out-of-range")
    assert lacks(losing("soft_margin_loss", "Addmm", target=sign), "labels-out-of-range")


# --- shapes-broadcast ---------------------------------------------------------------------------------------------


def test_a_column_against_a_row_is_broadcast() -> None:
    """All three shapes; the value is how many times more numbers are compared."""
    s = symptom_of(regressing("Addmm", prediction=tensor(32, 1), target=tensor(32)), "shapes-broadcast")

    assert (32.0, LOSS) == (s.value, s.place)
    assert "shape [32, 1], the target [32]: they are compared as [32, 32]" in s.text


@pytest.mark.parametrize("shape", [[32], [32, 1]])
def test_a_target_that_was_stretched_already(shape: list[int]) -> None:
    """`reward + next_values` of [N, 1] and [N] is a square of the batch's size before the loss sees it."""
    s = symptom_of(regressing("Addmm", prediction=tensor(*shape), target=tensor(32, 32)), "shapes-broadcast")

    assert (32.0, LOSS) == (s.value, s.place)
    assert "they are compared as [32, 32]" in s.text


def test_a_square_beside_the_main_difference() -> None:
    """The part of a second head counts as much, and the line told is its own."""
    r = regressing("Addmm", prediction=tensor(32, 2), target=tensor(32, 2))
    r.graphs[-1].stretched = [Stretch([32, 1], [32], HEAD)]

    s = symptom_of(r, "shapes-broadcast")

    assert (32.0, HEAD) == (s.value, s.place)
    assert "shape [32, 1] meets a target of shape [32]: together they are [32, 32]" in s.text


def test_shapes_that_differ_harmlessly() -> None:
    """One target for all, a single scalar, an axis of one: nothing grows."""
    for prediction, target in (([32, 1], [1]), ([32], []), ([1, 32], [32]), ([32, 4], [4]), ([32, 1], [32, 4])):
        r = regressing("Addmm", prediction=tensor(*prediction), target=tensor(*target))

        assert lacks(r, "shapes-broadcast"), (prediction, target)
