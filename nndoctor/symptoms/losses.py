"""What the calls of the loss say: is it given what it wants, and can the output say what the targets say?"""

from __future__ import annotations

import math

import numpy as np

from nndoctor.record.model import Labels, Link, LossInfo, Place
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import View

INFO = (
    SymptomInfo("double-softmax", "losses", "Softmax is applied before a loss that applies its own."),
    SymptomInfo("sigmoid-before-logits-loss", "losses", "Sigmoid is applied before a loss that applies a sigmoid or a softmax of its own."),
    SymptomInfo("not-log-probabilities", "losses", "nll_loss is given numbers that are no log-probabilities.", 0.05, "Largest distance of a row's summed exponentials from 1; rounding stays below a thousandth."),
    SymptomInfo("logits-as-probabilities", "losses", "A loss on probabilities is given numbers that were never made probabilities."),
    SymptomInfo("softmax-over-one", "losses", "Softmax over a single unit, which is always 1."),
    SymptomInfo("softmax-wrong-axis", "losses", "Softmax runs over another axis than the one that holds the classes."),
    SymptomInfo("squared-error-on-classes", "losses", "A regression loss is computed on class labels."),
    SymptomInfo("cross-entropy-on-reals", "losses", "Cross-entropy is computed on targets that are no classes and no probabilities.", 0.02, "Distance of a target row's sum from 1, or negative targets."),
    SymptomInfo("bce-on-single-label", "losses", "Binary cross-entropy by output on labels that name exactly one class of three or more."),
    SymptomInfo("output-range", "losses", "The output activation cannot reach the targets.", 0.05, "Share of the targets' range that lies outside the activation's."),
    SymptomInfo("bent-logits", "losses", "Logits pass through ReLU or tanh before a loss that wants them free."),
    SymptomInfo("labels-out-of-range", "losses", "Labels lie outside what the loss takes."),
    SymptomInfo("softmax-on-labels", "losses", "Softmax is applied before a binary loss whose rows hold several labels, or none."),
    SymptomInfo("shapes-broadcast", "losses", "Prediction and target have different shapes and are broadcast against one another."),
)  # fmt: skip
_MOVES = frozenset({
    "View", "Reshape", "ReshapeAlias", "UnsafeView", "Squeeze", "Unsqueeze", "Transpose", "Permute", "T", "Select", "Slice", "Index", "Clone",
    "Expand", "ToCopy", "Cat", "Stack", "Alias", "Contiguous", "Gather", "IndexSelect", "AsStrided",
})  # fmt: skip
_CLASS_LOSSES = ("cross_entropy",)
_RANGES = {
    "Relu": (0.0, math.inf), "Tanh": (-1.0, 1.0), "Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0), "Softplus": (0.0, math.inf),
    "Hardtanh": (-1.0, 1.0), "Hardsigmoid": (0.0, 1.0), "Gelu": (-0.17, math.inf), "Silu": (-0.28, math.inf), "Mish": (-0.31, math.inf), "Hardswish": (-0.375, math.inf),
    "Elu": (-1.76, math.inf),  # as a SELU, which is one
    "Clamp": (0.0, math.inf), "ClampMin": (0.0, math.inf), "Exp": (0.0, math.inf), "LogSoftmax": (-math.inf, 0.0),
}  # fmt: skip
_REGRESSIONS = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "by-hand:squared-error", "by-hand:absolute-error", "by-hand:difference"})
_SEVERAL = 3  # outputs: one for each class
_ROUNDING = 1e-6


def head(loss: LossInfo) -> list[Link]:
    """The output operations, from the prediction towards the last layer, without what only moves values."""
    return [link for link in loss.chain if link.op not in _MOVES]


def _place(loss: LossInfo, link: Link | None = None) -> Place | None:
    return (link.place if link is not None else None) or loss.place


def _trained(view: View) -> list[LossInfo]:
    """Losses that feed backward; all of them where that is unknown."""
    fed = {i for g in view.graphs for i in g.losses}
    return [x for x in view.recording.losses if x.index in fed or not fed]


def double_softmax(view: View) -> Symptom | None:
    """cross_entropy(softmax(x))."""
    for loss in _trained(view):
        ops = head(loss)
        if loss.function not in _CLASS_LOSSES or not ops:
            continue
        if ops[0].op == "Softmax":
            text = f"{loss.function} applies log-softmax itself and is given the result of a softmax: the loss cannot fall below {_floor(loss)} and its gradient is squashed."
            return Symptom("double-softmax", text, 2, 1, 1.0, ops[0].module, _place(loss, ops[0]))
        if ops[0].op == "LogSoftmax" and len(ops) > 1 and ops[1].op == "Softmax":
            return Symptom("double-softmax", "A log-softmax is taken of a softmax.", 2, 1, 1.0, ops[1].module, _place(loss, ops[1]))
    for loss in _trained(view):
        ops = head(loss)
        if loss.function == "nll_loss" and len(ops) > 1 and ops[0].op == "LogSoftmax" and ops[1].op == "Softmax":
            return Symptom("double-softmax", "log_softmax is applied to the result of a softmax.", 2, 1, 1.0, ops[1].module, _place(loss, ops[1]))
    return None


def _floor(loss: LossInfo) -> str:
    shape = loss.prediction.shape if loss.prediction else []
    if len(shape) < 2 or shape[1] < 2:
        return "its floor"
    return f"{math.log(math.e + shape[1] - 1) - 1:.2f} for {shape[1]} classes"


def sigmoid_before_logits_loss(view: View) -> Symptom | None:
    """bce_with_logits(sigmoid(x)) and cross_entropy(sigmoid(x))."""
    for loss in _trained(view):
        ops = head(loss)
        if ops and ops[0].op in ("Sigmoid", "Hardsigmoid") and loss.function in ("cross_entropy", "binary_cross_entropy_with_logits", "multilabel_soft_margin_loss"):
            text = f"{loss.function} wants logits and is given the result of a sigmoid, between 0 and 1."
            return Symptom("sigmoid-before-logits-loss", text, 2, 1, 1.0, ops[0].module, _place(loss, ops[0]))
        if ops and ops[0].op == "Softmax" and loss.function == "binary_cross_entropy_with_logits":
            text = "binary_cross_entropy_with_logits wants logits and is given the result of a softmax."
            return Symptom("sigmoid-before-logits-loss", text, 2, 1, 1.0, ops[0].module, _place(loss, ops[0]))
    return None


def not_log_probabilities(view: View) -> Symptom | None:
    """nll_loss on raw logits or on probabilities."""
    limit = view.thresholds.get("not-log-probabilities", 0.05)
    for loss in _trained(view):
        p = loss.prediction
        if loss.function != "nll_loss" or p is None or p.log_row_sum_spread is None or p.log_row_sum_spread <= limit:
            continue
        ops = head(loss)
        if ops and ops[0].op == "LogSoftmax":
            if _same_layout(loss):
                continue  # softmax-wrong-axis tells
            text = f"nll_loss is given log-probabilities whose exponentials add up to anything but 1 over the classes (off by {p.log_row_sum_spread:.2g}): the log-softmax ran over another axis."
            return Symptom("not-log-probabilities", text, p.log_row_sum_spread, limit, 1.0, ops[0].module, _place(loss, ops[0]))
        kind = "probabilities" if p.row_sum_spread is not None and p.row_sum_spread < 0.01 else "raw outputs"
        text = f"nll_loss wants log-probabilities and is given {kind} between {p.min or 0:.3g} and {p.max or 0:.3g}; nothing keeps it from falling without bound."
        return Symptom("not-log-probabilities", text, p.log_row_sum_spread, limit, 1.0, "", _place(loss, ops[0] if ops else None))
    return None


def logits_as_probabilities(view: View) -> Symptom | None:
    """binary_cross_entropy or a logarithm by hand on what no sigmoid or softmax made; kl_div on no log-probabilities."""
    for loss in _trained(view):
        p, ops = loss.prediction, head(loss)
        first = ops[0].op if ops else ""
        if loss.function == "binary_cross_entropy" and first not in ("Sigmoid", "Softmax", "Clamp", "Hardsigmoid", "Exp", "Mul", "Div", "Add", "Sum", "Mean", "Rsub", "Sub", "") and p is not None:
            text = f"binary_cross_entropy wants probabilities; the output comes from {first} without a sigmoid ({p.min or 0:.3g} to {p.max or 0:.3g})."
            return Symptom("logits-as-probabilities", text, p.max, 1.0, 1.0, "", _place(loss, ops[0]))
        if loss.function == "kl_div" and p is not None and not loss.settings.get("log_target") and p.log_row_sum_spread is not None and p.log_row_sum_spread > 0.05 and first != "LogSoftmax":
            text = f"kl_div wants log-probabilities and is given values between {p.min or 0:.3g} and {p.max or 0:.3g}."
            return Symptom("logits-as-probabilities", text, p.log_row_sum_spread, 0.05, 1.0, "", _place(loss))
    return None


def softmax_over_one(view: View) -> Symptom | None:
    """A softmax over an axis of length one."""
    for loss in _trained(view):
        shape = loss.prediction.shape if loss.prediction else []
        for link in head(loss)[:2]:
            if link.op in ("Softmax", "LogSoftmax") and link.dim is not None and link.dim < len(shape) and shape[link.dim] == 1:
                return Symptom("softmax-over-one", f"Softmax runs over an axis of length 1 of an output of shape {shape}: the result is always 1.", 1, 1, 1.0, link.module, _place(loss, link))
        if loss.function == "cross_entropy" and len(shape) >= 2 and shape[1] == 1:
            return Symptom("softmax-over-one", f"cross_entropy is given one output only (shape {shape}): its softmax is always 1 and the loss always 0.", 1, 1, 1.0, "", loss.place)
    return None


def softmax_wrong_axis(view: View) -> Symptom | None:
    """Softmax over the batch, or over time."""
    for loss in _trained(view):
        shape = loss.prediction.shape if loss.prediction else []
        class_axis = 1 if loss.function in ("nll_loss", "cross_entropy") else len(shape) - 1
        for link in head(loss)[:1]:
            if link.op in ("Softmax", "LogSoftmax") and link.dim is not None and len(shape) >= 2 and link.dim != class_axis and shape[class_axis] > 1 and loss.function in ("nll_loss", "binary_cross_entropy", "kl_div", "mse_loss", "cross_entropy"):
                if link.dim != 0 and loss.function not in ("nll_loss", "cross_entropy"):
                    continue  # only for these is it known where the classes are
                if not _same_layout(loss):
                    continue
                what = "the batch" if link.dim == 0 else f"axis {link.dim}"
                text = f"{'Log-softmax' if link.op == 'LogSoftmax' else 'Softmax'} runs over {what} of an output of shape {shape}; the classes are on axis {class_axis}."
                return Symptom("softmax-wrong-axis", text, link.dim, class_axis, 1.0, link.module, _place(loss, link))
    return None


def _same_layout(loss: LossInfo) -> bool:
    """Whether nothing moved axes between the softmax and the loss."""
    for link in loss.chain:
        if link.op in ("Softmax", "LogSoftmax"):
            return True
        if link.op in _MOVES:
            return False
    return True


def squared_error_on_classes(view: View) -> Symptom | None:
    """Regression on labels."""
    for loss in _trained(view):
        t, p = loss.target, loss.prediction
        labels = next((x for x in view.recording.labels if x.loss == loss.index), None)
        if loss.function not in _REGRESSIONS or t is None or p is None or labels is None or not t.integers:
            continue
        values = sorted(labels.counts, key=float)
        columns = p.shape[-1] if len(p.shape) >= 2 else 1
        if t.one_hot and columns >= 2:
            text = f"{loss.function} on one-hot labels of {columns} classes."
            return Symptom("squared-error-on-classes", text, float(columns), 2, 0.7, "", loss.place)
        cast = loss.target_source.startswith(("int", "uint", "bool")) or (t.dtype.startswith(("int", "bool")))
        outputs = _unread(view) if cast else 0
        if outputs and values and 0 <= float(values[0]) and float(values[-1]) < outputs:
            text = f"{loss.function} compares one of {outputs} outputs with whole-numbered labels ({values[0]} to {values[-1]}, cast from {loss.target_source or t.dtype}); the loss reads no other."
            return Symptom("squared-error-on-classes", text, float(len(values)), 2, 1.0, "", loss.place)
        if columns > 1 and p.shape == t.shape or not 2 <= len(values) <= 20 or labels.rows < 5 * len(values):
            continue
        ids = [float(v) for v in values]
        if min(ids) not in (0.0, 1.0, -1.0) or max(ids) - min(ids) > 1.5 * len(ids) or min(labels.counts.values()) < 3:
            continue
        if t.distinct is not None and t.distinct < 2:
            continue  # one value for the whole batch: a discriminator's real or fake
        # Ratings and counts are whole numbers too; a cast from integers, or two values, tell classes.
        strength = 1.0 if cast else 0.8 if len(ids) == 2 else 0.5
        if labels.rows and _bell(labels):
            strength *= 0.5
        text = f"{loss.function} compares the output with {len(ids)} whole-numbered labels ({values[0]} to {values[-1]}{', cast from ' + loss.target_source if loss.target_source else ''})."
        return Symptom("squared-error-on-classes", text, float(len(ids)), 2, strength, "", loss.place)
    return None


def _unread(view: View) -> int:
    """How many outputs a last layer has of which one alone ever gets a gradient; 0 where there is no such layer."""
    for p in view.parameters.values():
        zeros = [x.zero for s in view.samples for x in s.parameters if x.parameter == p.index and x.zero is not None]
        outputs = p.shape[0] if len(p.shape) == 2 and "Embedding" not in p.module_type else 0
        if outputs >= _SEVERAL and zeros and min(zeros) >= 1 - 1 / outputs - _ROUNDING:
            return outputs
    return 0


def _bell(labels: Labels) -> bool:
    """Counts that rise to one peak and fall again look like a counted quantity rather than classes."""
    counts = [labels.counts[k] for k in sorted(labels.counts, key=float)]
    peak = int(np.argmax(counts))
    rising = all(a <= b * 1.2 for a, b in zip(counts[:peak], counts[1 : peak + 1], strict=True))
    falling = all(a * 1.2 >= b for a, b in zip(counts[peak:-1], counts[peak + 1 :], strict=True))
    return len(counts) >= 4 and rising and falling and max(counts) > 3 * min(counts)


def cross_entropy_on_reals(view: View) -> Symptom | None:
    """Float targets that are no distribution over the classes."""
    limit = view.thresholds.get("cross-entropy-on-reals", 0.02)
    for loss in _trained(view):
        t = loss.target
        if loss.function == "cross_entropy" and t is not None and t.dtype.startswith(("float", "bfloat", "double")) and t.min is not None:
            spread = t.row_sum_spread if t.row_sum_spread is not None else 1.0
            if t.min < -1e-6 or spread > limit:
                text = f"cross_entropy takes these targets for class probabilities; they range from {t.min or 0:.3g} to {t.max or 0:.3g} and their rows do not add up to 1."
                return Symptom("cross-entropy-on-reals", text, spread, limit, 1.0, "", loss.place)
        if loss.function in ("binary_cross_entropy_with_logits", "binary_cross_entropy") and t is not None and t.min is not None and t.max is not None:
            labels = next((x for x in view.recording.labels if x.loss == loss.index), None)
            if not t.integers and (t.min < -1e-6 or t.max > 1 + 1e-6) and labels is not None:
                text = f"{loss.function} takes targets between 0 and 1; these are real numbers from {t.min or 0:.3g} to {t.max or 0:.3g}."
                return Symptom("cross-entropy-on-reals", text, t.max, 1.0, 1.0, "", loss.place)
    return None


def labels_out_of_range(view: View) -> Symptom | None:
    """-1/+1 or 1/2 under a loss that wants 0/1."""
    for loss in _trained(view):
        t = loss.target
        if loss.function in ("binary_cross_entropy_with_logits", "binary_cross_entropy") and t is not None and t.integers and t.min is not None and t.max is not None and (t.min < 0 or t.max > 1):
            text = f"{loss.function} takes labels 0 and 1; these run from {t.min:.0f} to {t.max:.0f}, and the loss has no lower bound."
            return Symptom("labels-out-of-range", text, t.max if t.max > 1 else t.min, 1.0, 1.0, "", loss.place)
    return None


def bce_on_single_label(view: View) -> Symptom | None:
    """One-hot rows under binary cross-entropy."""
    for loss in _trained(view):
        t = loss.target
        if loss.function.startswith("binary_cross_entropy") and t is not None and t.one_hot and len(t.shape) == 2 and t.shape[1] >= 3:
            text = f"Every label row names exactly one of {t.shape[1]} classes; {loss.function} treats them as {t.shape[1]} independent yes-or-no questions."
            return Symptom("bce-on-single-label", text, float(t.shape[1]), 3, 1.0, "", loss.place)
    return None


def output_range(view: View) -> Symptom | None:
    """A regression head that cannot say what the targets say."""
    limit = view.thresholds.get("output-range", 0.05)
    for loss in _trained(view):
        ops = head(loss)
        labels = next((x for x in view.recording.labels if x.loss == loss.index), None)
        if loss.function not in _REGRESSIONS or not ops or labels is None or labels.min is None or labels.max is None:
            continue
        reach = _RANGES.get(ops[0].op)
        if reach is None or labels.max <= labels.min:
            continue
        width = labels.max - labels.min
        outside = (max(0.0, min(reach[0] - labels.min, width)) + max(0.0, min(labels.max - reach[1], width))) / width
        if outside <= limit:
            continue
        low, high = (f"{r:.3g}" if math.isfinite(r) else "unbounded" for r in reach)
        text = f"The output passes {ops[0].op.lower()}, which reaches {low} to {high}; the targets run from {labels.min:.4g} to {labels.max:.4g}."
        return Symptom("output-range", text, outside, limit, min(1.0, 0.6 + outside), ops[0].module, _place(loss, ops[0]))
    return None


def softmax_on_labels(view: View) -> Symptom | None:
    """binary_cross_entropy(softmax(x)) where a row holds several labels, or none: shares of one cannot say so."""
    for loss in _trained(view):
        ops, p, t = head(loss), loss.prediction, loss.target
        if loss.function != "binary_cross_entropy" or not ops or ops[0].op != "Softmax" or p is None or t is None or p.shape != t.shape:
            continue
        if p.row_sum_spread is None or p.row_sum_spread > 0.5 or not t.integers or not t.row_sum_spread:
            continue  # over another axis softmax-wrong-axis tells; whole numbers miss one by one or more
        text = f"The output passes softmax, whose rows add up to 1; those of the targets miss 1 by up to {t.row_sum_spread:.0f}: shares of one cannot name several labels, or none."
        return Symptom("softmax-on-labels", text, t.row_sum_spread, 0, 1.0, ops[0].module, _place(loss, ops[0]))
    return None


def bent_logits(view: View) -> Symptom | None:
    """ReLU or tanh on the way from the last layer to a classification loss."""
    for loss in _trained(view):
        ops = head(loss)
        at = 1 if loss.function == "nll_loss" and ops and ops[0].op == "LogSoftmax" else 0
        if loss.function == "binary_cross_entropy":
            at = 1 if ops and ops[0].op == "Sigmoid" else 99
        if loss.function in ("cross_entropy", "nll_loss", "binary_cross_entropy_with_logits", "binary_cross_entropy") and len(ops) > at and ops[at].op in ("Relu", "Tanh", "Hardtanh"):
            shut = "can never be negative" if ops[at].op == "Relu" else "cannot leave -1 to 1"
            strength = 1.0 if ops[at].op == "Relu" else 0.8
            return Symptom("bent-logits", f"The logits pass {ops[at].op.lower()} before {loss.function}: they {shut}.", 1, 0, strength, ops[at].module, _place(loss, ops[at]))
    return None


def shapes_broadcast(view: View) -> Symptom | None:
    """[N, 1] against [N] becomes [N, N]."""
    for loss in _trained(view):
        p, t = loss.prediction, loss.target
        if loss.function not in _REGRESSIONS or p is None or t is None or p.shape == t.shape or not p.shape or not t.shape:
            continue
        try:
            result = list(np.broadcast_shapes(tuple(p.shape), tuple(t.shape)))
        except ValueError:
            continue
        size = math.prod(result)
        if size > max(math.prod(p.shape), math.prod(t.shape)) or _already_stretched(p.shape, t.shape):
            text = f"The prediction has shape {p.shape}, the target {t.shape}: they are compared as {result}, every prediction with every target."
            return Symptom("shapes-broadcast", text, size / max(min(math.prod(p.shape), math.prod(t.shape)), 1), 1.0, 1.0, "", loss.place)
    return _stretched_beside(view)


def _stretched_beside(view: View) -> Symptom | None:
    """The same anywhere on the way to the loss: in the part of a second head, say."""
    met = next((s for g in view.graphs for s in g.stretched), None)
    if met is None:
        return None
    rows = met.prediction[0]
    text = f"On the way to the loss a prediction of shape {met.prediction} meets a target of shape {met.target}: together they are {[rows, rows]}, every sample with every other."
    return Symptom("shapes-broadcast", text, float(rows), 1.0, 1.0, "", met.place)


def _already_stretched(prediction: list[int], target: list[int]) -> bool:
    """One number a sample against a square of the batch's size: [N, 1] and [N] met before, where the target was worked out."""
    rows = prediction[0]
    return rows > 1 and target == [rows, rows] and prediction in ([rows], [rows, 1])


DETECTORS = (
    double_softmax, sigmoid_before_logits_loss, not_log_probabilities, logits_as_probabilities, softmax_over_one, softmax_wrong_axis,
    squared_error_on_classes, cross_entropy_on_reals, labels_out_of_range, bce_on_single_label, output_range, bent_logits, softmax_on_labels, shapes_broadcast,
)  # fmt: skip
