"""What backward is called on: a loss that is cut off from the model, or that goes the wrong way."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from nndoctor.record.model import Link, OptimizerInfo, ParameterInfo, Place
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import View

INFO = (
    SymptomInfo("loss-rebuilt", "objective", "The loss is computed from a tensor that is made anew in each step, and its gradient ends there."),
    SymptomInfo("flat-operation", "objective", "The loss goes through an operation that is flat wherever it does not jump, as rounding, and every gradient behind it is exactly zero.", 0.3, "Share of the optimised numbers that never get another gradient than zero."),
    SymptomInfo("maximises", "objective", "The optimiser is told to maximise."),
    SymptomInfo("likelihood-minimised", "objective", "A log-likelihood is lowered.", 0.0, "Level of the loss: the logarithm of a probability is below zero, its negative above."),
    SymptomInfo("overlap-minimised", "objective", "A share of overlap, as Dice or IoU, is lowered.", 1.0, "Level of the loss: an overlap lies between 0 and 1, and what is left of it is 1 minus it."),
    SymptomInfo("overlap-of-logits", "objective", "A share of overlap, as Dice or IoU, is taken of numbers that are no probabilities."),
    SymptomInfo("loss-below-floor", "objective", "A loss that is never negative by its definition is negative where backward begins.", 0.0, "Level of the loss: squared errors and cross-entropies are sums of what is above zero, so that somebody changed the sign.", fact=True),
)  # fmt: skip
_FLAT = frozenset({"Round", "Floor", "Ceil", "Trunc", "Sign", "Sgn"})
_FEWEST_STEPS = 5
_SUMS = 2  # above and below the line of a quotient
_MEANS = frozenset({"Mean", "Sum"})
_TURNING = frozenset({"Neg", "Sub", "Rsub"})
_ROOTS_AND_LOGARITHMS = frozenset({"Sqrt", "Rsqrt", "Norm", "LinalgVectorNorm", "Log", "Log1P", "LogSoftmax", "LogSigmoid"})
_SHARES = frozenset({"Sigmoid", "Softmax", "Clamp", "Hardsigmoid", "Round"})
_LAYERS = frozenset({"Convolution", "MkldnnConvolution", "CudnnConvolution", "ConvolutionOverrideable", "Addmm", "Mm", "Bmm", "Baddbmm", "Add", "NativeBatchNorm"})
_MOVES = frozenset({"Select", "Slice", "Index", "View", "Reshape", "ReshapeAlias", "UnsafeView", "Squeeze", "Unsqueeze", "Permute", "Transpose"})
_COME_AND_GO = 3  # tensors of one name
_ABOVE_ZERO = frozenset({
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "by-hand:squared-error", "by-hand:absolute-error", "cross_entropy", "binary_cross_entropy_with_logits",
})  # fmt: skip
_OF_SHARES = frozenset({"LogSoftmax", "LogSigmoid"})  # never above zero
_LOGARITHMS = frozenset({"LogSoftmax", "LogSigmoid", "Log", "Logsumexp"})
_UNKNOWN = "by-hand:other"  # of which nobody knows where it is meant to go
_WRITTEN_OUT = "x - log(sum(exp(x)))"
_FARTHER = 3  # times where it began, for weighted log-probabilities: what is paid by chance varies by less
# What leaves the sign of its input as it is.
_SUMMING = frozenset({"Mean", "Sum", "Add", "Div", "Gather", "Index", "Select", "Squeeze", "Unsqueeze", "View", "Reshape", "ReshapeAlias", "UnsafeView", "Diagonal", "Stack", "Cat"})


def made_anew(view: View) -> list[ParameterInfo]:
    """Leaves that the loss reaches and that come and go: tensors of one name and shape, of which each step has another."""
    loose = [view.parameters[i] for i in view.reached - view.optimised if i in view.parameters and not view.parameters[i].module]
    # Of those that have no name of their own, each is seen once.
    often = Counter(i for g in view.graphs for i in set(g.reached))
    loose = [p for p in loose if p.name and (not _is_nameless(p) or often[p.index] == 1)]
    kinds = Counter(_kind(p) for p in loose)
    return [p for p in loose if kinds[_kind(p)] >= _COME_AND_GO]


def _is_nameless(p: ParameterInfo) -> bool:
    return p.name.startswith(f"parameter {p.index} ")


def _kind(p: ParameterInfo) -> tuple[str, tuple[int, ...]]:
    return "" if _is_nameless(p) else p.name, tuple(p.shape)


def is_leaf(view: View) -> bool:
    """Whether every loss that backward was called on is its own beginning."""
    return bool(view.recording.graphs) and not any(g.ops for g in view.recording.graphs)


def is_rebuilt(view: View) -> bool:
    """Whether all that the loss reaches comes and goes, and nothing of what is optimised is among it."""
    return bool(made_anew(view)) and bool(view.optimised) and not view.reached & view.optimised


def loss_rebuilt(view: View) -> Symptom | None:
    """`torch.tensor([x.item() for x in ...], requires_grad=True)`."""
    if is_leaf(view):
        place = view.place_of("backward")
        return Symptom("loss-rebuilt", "backward is called on a tensor that no differentiable operation has made: nothing leads from it to the model.", 1.0, None, 1.0, "", place)
    anew = made_anew(view)
    if not is_rebuilt(view):
        return None
    name, place = "a leaf of its own" if _is_nameless(anew[0]) else anew[0].name, anew[0].place
    text = f"The loss ends at {name}, a tensor of shape {anew[0].shape} that is made anew in each step and takes its own gradient: none goes on to what the optimiser holds."
    return Symptom("loss-rebuilt", text, float(len(anew)), None, 1.0, "", place)


def flat_operation(view: View) -> Symptom | None:
    """round(), sign() and their like, of which torch takes the gradient to be zero. A straight-through estimator goes round them."""
    limit = view.thresholds.get("flat-operation", 0.3)
    graph = next((g for g in view.graphs if _FLAT & set(g.ops)), None)
    if graph is None or len(view.steps_seen) < _FEWEST_STEPS:
        return None
    sizes = {i: math.prod(view.parameters[i].shape) for i in view.optimised & view.reached if i in view.parameters}
    seen = {i: [s.norms[i] for s in view.steps_seen if i < len(s.norms)] for i in sizes}
    share = sum(sizes[i] for i, norms in seen.items() if norms and not any(norms)) / max(sum(sizes.values()), 1)
    if not share > limit:
        return None
    op = next(op for op in graph.ops if op in _FLAT)
    link = next((x for x in graph.chain if x.op in _FLAT), None)
    text = f"{op.lower()} is flat wherever it does not jump, so that its gradient is zero: {share:.0%} of the optimised numbers never get any other."
    return Symptom("flat-operation", text, share, limit, 1.0, "", link.place if link else graph.place)


def maximises(view: View) -> Symptom | None:
    """maximize=True in a group that steps, of what is no likelihood, nothing that a policy earns, and no overlap: these are meant to rise.
    So may be what lies below zero, where no loss function made it, or where somebody must have changed the sign of what is never negative.
    """
    o = _climber(view)
    if o is None or (_likelihood(view) or _likelihood(view, weighted=True)) is not None:
        return None
    free = view.main_loss is None or view.main_loss.function in (_UNKNOWN, *_ABOVE_ZERO)
    overlap = _overlap(view)
    if (free and len(view.finite) and view.finite.min() < 0) or (overlap is not None and not overlap.turned):
        return None
    return Symptom("maximises", f"{o.type} was built with maximize=True: it climbs the loss.", 1, 0, 1.0, "", o.place)


def likelihood_minimised(view: View) -> Symptom | None:
    """Log-probabilities are summed up or averaged, nothing changes their sign, and the loss is negative. Where they are weighted, the
    weights may be costs: what a policy pays falls towards zero then, and does not run away from it.
    """
    limit = view.thresholds.get("likelihood-minimised", 0.0)
    if view.first is None or view.last is None or max(view.first, view.last) >= limit or _climber(view) is not None:
        return None
    link = _likelihood(view) or (_likelihood(view, weighted=True) if _runs_away(view) else None)
    if link is None:
        return None
    text = f"The loss is a sum of log-probabilities ({_WRITTEN_OUT if link.normalised else link.op}) without a minus: it was {view.first:.4g} at first, and lowering it makes them less likely."
    return Symptom("likelihood-minimised", text, view.last, limit, 1.0, "", link.place)


def overlap_minimised(view: View) -> Symptom | None:
    """Dice or IoU of probabilities, nothing changing its sign, on its way to zero."""
    limit = view.thresholds.get("overlap-minimised", 1.0)
    found = _overlap(view)
    if found is None or found.turned or not found.shares or view.first is None or view.last is None or view.judge is not None or not view.falls:
        return None
    if view.finite.min() < 0 or view.finite.max() > limit:
        return None
    text = f"The loss is a share of overlap and not what is missing of it: it falls from {view.first:.3g} to {view.last:.3g}, so that prediction and target have less and less in common."
    return Symptom("overlap-minimised", text, view.last, limit, 1.0, "", found.place)


def overlap_of_logits(view: View) -> Symptom | None:
    """Dice or IoU of the output of a layer, which no sigmoid or softmax keeps between 0 and 1."""
    found = _overlap(view)
    if found is None or found.op not in _LAYERS or not found.turned:
        return None
    text = f"The loss is a share of overlap, of sums of products with the target, and takes them of {found.op.lower()}'s outputs as they are: no sigmoid or softmax keeps them between 0 and 1."
    return Symptom("overlap-of-logits", text, 1.0, None, 1.0, "", found.place)


@dataclass(frozen=True)
class _Overlap:
    """A quotient of sums of products, as Dice and IoU are."""

    op: str  # that made what is multiplied with the target
    turned: bool  # its sign, as in 1 - overlap
    place: Place | None

    @property
    def shares(self) -> bool:
        """Whether what overlaps lies between 0 and 1."""
        return self.op in _SHARES


def _overlap(view: View) -> _Overlap | None:
    """The overlap that the loss is the mean of; None where it is something else. A cosine or a correlation divides by roots."""
    graph = view.graph
    links = [link for link in graph.chain if link.op not in _MOVES] if graph is not None else []
    ops = [link.op for link in links]
    if graph is None or "Div" not in ops or graph.ops.get("Sum", 0) < _SUMS or set(graph.ops) & _ROOTS_AND_LOGARITHMS:
        return None
    at = ops.index("Div")
    total = ops.index("Sum", at) if "Sum" in ops[at:] else len(ops)
    above, between, product = set(ops[:at]), set(ops[at + 1 : total]), ops[total + 1 : total + 3]
    if not above <= _MEANS | _TURNING or not between <= {"Add", "Mul"} or len(product) < 2 or product[0] != "Mul":
        return None
    return _Overlap(product[1], bool(above & _TURNING), links[at].place)


def loss_below_floor(view: View) -> Symptom | None:
    """One term, of targets that the function is made for, by which layers are trained: who attacks an input climbs on purpose."""
    limit = view.thresholds.get("loss-below-floor", 0.0)
    loss, labels = view.main_loss, view.labels
    if loss is None or labels is None or loss.function not in _ABOVE_ZERO or not view.single_term or view.first is None or view.last is None:
        return None
    fitting = labels.task in ("classes", "real") or ((labels.min or 0.0) >= 0 and (labels.max or 0.0) <= 1)
    if not fitting or max(view.first, view.last) >= limit or not any(p.index in view.optimised for p in view.weights()):
        return None
    text = f"{loss.function} is never below zero, and the loss that backward is called on goes from {view.first:.4g} to {view.last:.4g}: its sign was changed."
    return Symptom("loss-below-floor", text, view.last, limit, 1.0, "", loss.place)


def _runs_away(view: View) -> bool:
    """Whether a loss is below zero from beginning to end, and ever further."""
    return view.early is not None and view.last is not None and view.falls and view.finite.max() < 0 and view.last < _FARTHER * view.early


def _likelihood(view: View, weighted: bool = False) -> Link | None:
    """The logarithm of which the objective is a sum or a mean, `weighted` or not, nothing changing its sign; None where it is something else."""
    chain = view.graph.chain if view.graph is not None else []
    for i, link in enumerate(chain):
        if link.normalised:
            return link
        if link.op in (_OF_SHARES if weighted else _LOGARITHMS):
            # log(1 - p) and logsigmoid(-x) are what a generator lowers.
            turned = link.op != "Logsumexp" and any(n.op in ("Rsub", "Sub", "Neg") for n in chain[i + 1 : i + 3])
            return None if turned else link
        if link.op not in _SUMMING and not (weighted and link.op == "Mul"):
            return None
    return None


def _climber(view: View) -> OptimizerInfo | None:
    """The first optimiser that was built with maximize=True."""
    return next((o for o in view.recording.optimizers if any(g.settings.get("maximize") is True for g in o.groups)), None)


DETECTORS = (loss_rebuilt, flat_operation, maximises, likelihood_minimised, overlap_minimised, overlap_of_logits, loss_below_floor)
