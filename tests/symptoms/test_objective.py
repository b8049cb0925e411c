"""What backward is called on: each symptom where it holds, and the loss that looks like it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nndoctor.record.model import (
    Link,
    ParameterInfo,
    Recording,
)
from tests.symptoms.build import (
    BACKWARD,
    LOSS,
    OPTIMIZER,
    STEPPED,
    change,
    geometric,
    healthy,
    lacks,
    links,
    regression,
    steps,
    symptom_of,
)


def by_hand(first: float, *ops: str) -> Recording:
    """A run whose loss goes through these operations, and doubles."""
    recording = healthy([first * (1 + i / 100) for i in range(100)])
    recording.graphs[0].chain = [Link(op, BACKWARD) for op in ops]
    return recording


def test_an_optimiser_that_climbs() -> None:
    """The line is that of the optimiser."""
    r = healthy()
    r.optimizers[0].groups[0].settings["maximize"] = True

    s = symptom_of(r, "maximises")

    assert (1, OPTIMIZER) == (s.value, s.place)
    assert "Adam was built with maximize=True" in s.text


def test_an_optimiser_that_descends() -> None:
    """It says so, or says nothing."""
    r = healthy()
    r.optimizers[0].groups[0].settings["maximize"] = False

    assert lacks(r, "maximises")
    assert lacks(healthy(), "maximises")


def test_what_no_loss_function_made_may_be_climbed_below_zero() -> None:
    """The likelihood of a flow is a sum of many things, and a cross-entropy below zero has had its sign changed. Above zero it is taken
    for a loss, as is what another loss function made anywhere; an overlap is there to be raised.
    """
    climbing = healthy([-3.0 + i / 100 for i in range(100)])
    climbing.optimizers[0].groups[0].settings["maximize"] = True
    for function, spared in (("kl_div", False), ("by-hand:squared-error", True), ("cross_entropy", True), ("by-hand:other", True)):
        climbing.losses[0].function = function
        assert spared is lacks(climbing, "maximises")

    climbing.steps = steps([3.0 + i / 100 for i in range(100)])
    assert "maximises" == symptom_of(climbing, "maximises").name
    shared = overlapping("Mean", *DICE, "Sigmoid")
    shared.optimizers[0].groups[0].settings["maximize"] = True
    assert lacks(shared, "maximises")


def test_log_probabilities_without_a_minus() -> None:
    """Picked, averaged, and below zero; the line is that of the logarithm."""
    r = by_hand(-1.0, "Mean", "Squeeze", "Gather", "LogSoftmax", "Addmm")

    s = symptom_of(r, "likelihood-minimised")

    assert "a sum of log-probabilities (LogSoftmax) without a minus: it was -1 at first" in s.text
    assert BACKWARD == s.place
    assert lacks(r, "likelihood-minimised", limit=-5.0)


@pytest.mark.parametrize(
    ("why", "recording"),
    [
        ("the minus is there", by_hand(1.0, "Neg", "Mean", "LogSoftmax")),
        ("somebody changes its sign unseen", by_hand(-1.0, "Neg", "Mean", "LogSoftmax")),
        ("weighted by an advantage", by_hand(-1.0, "Mean", "Mul", "LogSoftmax")),
        ("what a generator lowers", by_hand(-1.0, "Mean", "Log", "Rsub", "Sigmoid")),
        ("a density may be above one", by_hand(-1.0, "Mean", "Sub", "Pow")),
    ],
)
def test_negative_losses_that_are_right(why: str, recording: Recording) -> None:
    """A negative loss alone says nothing."""
    assert lacks(recording, "likelihood-minimised"), why


def test_a_tensor_that_is_made_anew_takes_the_gradient() -> None:
    """Five leaves of one name that the loss reaches, and nothing that the optimiser holds; such leaves beside it are no loss cut off."""
    r = healthy()
    first = len(r.parameters)
    r.parameters += [ParameterInfo(first + i, "scores", [32], "float32", True, place=STEPPED) for i in range(5)]
    beside = replace(r, graphs=[replace(g, reached=[*g.reached, first]) for g in r.graphs])
    for g in r.graphs:
        g.reached = list(range(first, first + 5))

    s = symptom_of(r, "loss-rebuilt")

    assert (5.0, STEPPED) == (s.value, s.place)
    assert lacks(r, "parameters-outside-optimizer")
    assert lacks(beside, "loss-rebuilt")


def test_leaves_without_a_name_that_come_once_each() -> None:
    """`output.argmax(1).float().requires_grad_()`: each graph ends at another one; those that are there in each are somebody's weights."""
    r, kept = healthy(), healthy()
    first = len(r.parameters)
    for made in (r, kept):
        made.parameters += [ParameterInfo(first + i, f"parameter {first + i} [32]", [32], "float32", True) for i in range(4)]
    r.graphs = [replace(r.graphs[0], step=i + 1, reached=[first + i]) for i in range(4)]
    kept.graphs = [replace(kept.graphs[0], step=i + 1, reached=list(range(first, first + 4))) for i in range(4)]

    assert "ends at a leaf of its own, a tensor of shape [32]" in symptom_of(r, "loss-rebuilt").text
    assert lacks(r, "optimizer-holds-strangers")
    assert lacks(r, "parameters-outside-optimizer")
    assert lacks(kept, "loss-rebuilt")


def test_a_squared_error_below_zero_has_another_sign() -> None:
    """Sums of several terms may be negative, and so may a policy's loss; who moves an input climbs on purpose."""
    r, terms, likelihood, attack = (regression([-0.5 - 0.01 * i for i in range(100)]) for _ in range(4))
    terms.graphs[0].losses = [0, 1]
    likelihood.losses[0].function = "nll_loss"
    attack.optimizers[0].groups[0].parameters = [99]

    s = symptom_of(r, "loss-below-floor")

    assert "mse_loss is never below zero, and the loss that backward is called on goes from -0.5 to -1.4" in s.text
    assert (LOSS, True) == (s.place, s.value is not None and s.value < -1)
    assert lacks(r, "loss-below-floor", limit=-10.0)
    assert lacks(terms, "loss-below-floor")
    assert lacks(likelihood, "loss-below-floor")
    assert lacks(attack, "loss-below-floor")
    assert lacks(regression(), "loss-below-floor")


def test_a_loss_that_no_operation_has_made() -> None:
    """`loss.requires_grad_()` on a number: the graph is empty, and that no gradient came is no fault of the order of the calls."""
    r = healthy()
    r.graphs = [replace(r.graphs[0], ops={}, reached=[], chain=[], losses=[])]
    change(r.steps, wasted=1)

    assert "no differentiable operation has made" in symptom_of(r, "loss-rebuilt").text
    assert lacks(r, "cleared-before-step")


def weighted(*losses: float, op: str = "Sub") -> Recording:
    """Log-probabilities that are multiplied with something fixed before they are summed up."""
    recording = healthy([losses[0] + (losses[1] - losses[0]) * i / 99 for i in range(100)])
    recording.graphs[0].chain = [Link(o, BACKWARD) for o in ("Div", "Sum", "Mul")] + [Link(op, LOSS, normalised=op == "Sub")]
    return recording


def test_weighted_log_probabilities_that_run_away() -> None:
    """Of a log-softmax that is written out, as in Cox's likelihood; the weights may be costs, and what is paid does not grow and grow."""
    r, minus, difference = (weighted(-2.0, -80.0) for _ in range(3))
    minus.graphs[0].chain.insert(0, Link("Neg", BACKWARD))
    difference.graphs[0].chain[-1] = Link("Sub", LOSS)

    s = symptom_of(r, "likelihood-minimised")

    assert "a sum of log-probabilities (x - log(sum(exp(x)))) without a minus: it was -2 at first" in s.text
    assert LOSS == s.place
    assert "(LogSoftmax) without a minus" in symptom_of(weighted(-2.0, -80.0, op="LogSoftmax"), "likelihood-minimised").text
    assert lacks(minus, "likelihood-minimised")
    assert lacks(difference, "likelihood-minimised")
    assert lacks(weighted(-2.0, -80.0, op="Log"), "likelihood-minimised")
    assert lacks(weighted(-2.0, -3.0), "likelihood-minimised")
    assert lacks(weighted(2.0, -80.0), "likelihood-minimised")


def test_what_a_policy_earns_may_be_climbed() -> None:
    """maximize=True, of weighted log-probabilities."""
    r = weighted(-2.0, -1.0)
    r.optimizers[0].groups[0].settings["maximize"] = True

    assert lacks(r, "maximises")


def test_the_likelihood_of_a_mixture_is_one() -> None:
    """The logarithm of a sum; what is subtracted below it belongs to the components. Of a logarithm alone, 1 - p may be meant."""
    r, generator = (healthy([-1.0 - 0.1 * i for i in range(100)]) for _ in range(2))
    r.graphs[0].chain = links("Mean", "Logsumexp", "Add", "Sub", "Addmm")
    generator.graphs[0].chain = links("Mean", "Log", "Rsub", "Sigmoid", "Addmm")

    assert "(Logsumexp) without a minus" in symptom_of(r, "likelihood-minimised").text
    assert lacks(generator, "likelihood-minimised")


# --- flat-operation -----------------------------------------------------------------------------------------------


def rounded(norm: float) -> Recording:
    """A loss of rounded outputs; every parameter has that gradient."""
    recording = healthy()
    recording.graphs[0].ops["Round"] = 1
    recording.graphs[0].chain = [Link("Mean", BACKWARD), Link("Round", LOSS), Link("Addmm", BACKWARD)]
    change(recording.steps, norms=[norm] * 6)
    return recording


def test_an_operation_without_a_slope() -> None:
    """The line is its own."""
    r = rounded(0.0)

    s = symptom_of(r, "flat-operation")

    assert (1.0, 0.3, LOSS) == (s.value, s.threshold, s.place)
    assert "round is flat wherever it does not jump" in s.text
    assert lacks(r, "flat-operation", limit=1.0)


def test_rounding_that_the_gradient_goes_round() -> None:
    """A straight-through estimator has a gradient; zeros without rounding are dead units."""
    dead = rounded(0.0)
    del dead.graphs[0].ops["Round"]

    assert lacks(rounded(0.1), "flat-operation")
    assert lacks(dead, "flat-operation")


# --- overlap-minimised, overlap-of-logits -------------------------------------------------------------------------


def overlapping(*ops: str, losses: list[float] | None = None, **others: int) -> Recording:
    """A loss whose numerator goes through these operations."""
    recording = healthy(geometric(0.5, 0.01) if losses is None else losses)
    recording.graphs[0].chain = [Link(op, LOSS if op == "Div" else BACKWARD) for op in (*ops, "Convolution")]
    recording.graphs[0].ops = {"Sum": 2, "Div": 1, **dict.fromkeys(ops, 2), **others}
    return recording


DICE = ("Div", "Add", "Mul", "Sum", "Mul")


def test_an_overlap_that_is_lowered() -> None:
    """Dice, with nothing that changes its sign."""
    r = overlapping("Mean", *DICE, "Sigmoid")

    s = symptom_of(r, "overlap-minimised")

    assert (1.0, LOSS) == (s.threshold, s.place)
    assert "it falls from 0.5 to" in s.text
    assert lacks(r, "overlap-minimised", limit=0.2)


@pytest.mark.parametrize(
    ("why", "ops", "others"),
    [
        ("what is missing of it", ("Mean", "Rsub", *DICE, "Sigmoid"), {}),
        ("its negative", ("Neg", "Mean", *DICE, "Sigmoid"), {}),
        ("a cosine", ("Mean", *DICE, "Sigmoid"), {"Sqrt": 2}),
        ("a mean of squares", ("Mean", "Div", "Sum", "Mul", "Pow"), {}),
    ],
)
def test_what_is_no_overlap_or_not_lowered(why: str, ops: tuple[str, ...], others: dict[str, int]) -> None:
    """Only the share itself is meant."""
    assert lacks(overlapping(*ops, **others), "overlap-minimised"), why


def test_an_overlap_of_logits() -> None:
    """1 - Dice of a layer's own output."""
    s = symptom_of(overlapping("Mean", "Rsub", *DICE), "overlap-of-logits")

    assert LOSS == s.place
    assert "of convolution's outputs as they are" in s.text


def test_an_overlap_of_probabilities() -> None:
    """Or of what else keeps between 0 and 1; where the sign was not changed, something else is meant."""
    assert lacks(overlapping("Mean", "Rsub", *DICE, "Sigmoid"), "overlap-of-logits")
    assert lacks(overlapping("Mean", "Rsub", *DICE, "Relu"), "overlap-of-logits")
    assert lacks(overlapping("Mean", *DICE), "overlap-of-logits")
    assert lacks(healthy(), "overlap-of-logits")
