"""How the weights begin, and how far steps move them."""

from __future__ import annotations

import math

import numpy as np

from nndoctor.record.model import ParameterInfo, Place
from nndoctor.symptoms.measures import Array
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import View, is_norm

INFO = (
    SymptomInfo("weights-constant", "weights", "Weight matrices of hidden layers start with all values equal: their units can never differ.", fact=True),
    SymptomInfo("weights-too-large", "weights", "Weights start far larger than their layer's fan-in allows.", 3.0, "Deviation times the root of the fan-in; He et al. use 1.41, LeCun 1, torch's default 0.58."),
    SymptomInfo("weights-too-small", "weights", "Weights start far smaller than their layer's fan-in asks for.", 0.06, "The same measure; a tenth of torch's default."),
    SymptomInfo("bias-off", "weights", "Biases start far from zero.", 1.5, "Mean size; torch's default stays below 1, forget gates are set to 1."),
    SymptomInfo("updates-tiny", "weights", "Each step moves the weights by a negligible part of their size.", 1e-4, "Median of update over weight; about 1e-3 is healthy (Karpathy, CS231n), 1e-6 crawls."),
    SymptomInfo("steps-promise-little", "weights", "To first order, a step lowers the loss by a negligible part of itself.", 1e-3, "Gradient times update over the loss in the first looks; its inverse is the number of steps that learning would take."),
    SymptomInfo("updates-huge", "weights", "Each step moves the weights by a large part of their size.", 0.08, "Median of update over weight over the first looks; 1e-3 is healthy, 1e-1 thrashes (TheDeepChecker)."),
    SymptomInfo("updates-stay-large", "weights", "Weights keep moving by a large part of their size while the loss stands still.", 0.01, "Median of update over weight in the second half; ten times the usual 1e-3, and to no effect."),
    SymptomInfo("updates-round-away", "weights", "Steps are smaller than the spacing of the weights' numbers, and leave them where they were.", 0.3, "Share of the weights with a gradient that a step does not change, median over the looks; in float32 next to none."),
    SymptomInfo("gradients-underflow", "weights", "Gradients come through float16, and most of their numbers are exactly zero.", 0.5, "Share of zeros, median over parameters in the last looks, or half of that at the outputs, where no dead unit makes them; what is below 6e-8 is zero in float16, and loss scaling lifts it.", fact=True),
    SymptomInfo("half-weights", "weights", "The weights that are optimised are kept in half precision, or rounded to it between steps.", fact=True),
    SymptomInfo("updates-undone", "weights", "Between two steps, weights are put back where they were before the first.", 0.3, "Share of the numbers that a step moved, median over the looks; where nothing but the optimiser writes weights it is 0."),
    SymptomInfo("weights-grow", "weights", "Weights have grown many times over within the probe.", 5.0, "Norm at the end over norm at the start, median over weight matrices."),
    SymptomInfo("loss-shrinks-weights", "weights", "The gradient of the loss points along the weights themselves, in every layer: a term of the loss pulls them to zero.", 0.4, "Cosine of gradient and weight, median over weight matrices and the first looks; a loss on outputs alone stays below 0.2.", fact=True),
    SymptomInfo("weights-shrink", "weights", "Weights have shrunk many times over within the probe.", 5.0, "Norm at the start over norm at the end, median over weight matrices."),
    SymptomInfo(
        "step-climbs", "weights", "A step that is written by hand moves a tensor along its gradient.", 0.3,
        "Cosine of the change with the gradient, median over the looks, and none of them below zero: plain descent has -1, ascent 1, and what momentum or noise add goes up and down in turn.", fact=True,
    ),
)  # fmt: skip
_FEW_NUMBERS = 32  # whose direction chance may give
_FEWEST_ROUNDED = 5  # looks at updates that may round away
_FEW_OUTPUTS = 4  # of which one may have its reason to be zero
_BARE = 0.5  # of the limit: nothing that may be dead stands between the outputs and the loss
_FEWEST_STEPS = 5  # looks at steps that are made by hand


def _hidden_weights(view: View) -> list[ParameterInfo]:
    return [p for p in view.weights() if p.requires_grad and (p.index in view.reached or not view.reached)]


def weights_constant(view: View) -> Symptom | None:
    """The last layer may start at zero and still learn; one before another layer may not."""
    weights = _hidden_weights(view)
    tables = [p for p in view.recording.parameters if "Embedding" in p.module_type and len(p.shape) == 2 and p.shape[1] > 1 and p.requires_grad]
    weights = [*tables, *weights]
    flat = [p for p in weights if p.std == 0 and math.prod(p.shape) > 1 and p.shape[0] > 1]
    inner = [p for p in flat if p is not weights[-1]]
    if not inner:
        return None
    text = f"All values of {', '.join(p.name for p in inner[:4])} start at {inner[0].mean or 0:.4g}: every unit of a layer computes and learns the same."
    return Symptom("weights-constant", text, float(len(inner)), 0, min(1.0, 0.5 + len(inner) / max(len(weights), 1)), inner[0].module, inner[0].place)


def _gain(p: ParameterInfo) -> float | None:
    if p.std is None or not p.fan_in or math.prod(p.shape) < 8 or not math.isfinite(p.std):
        return None
    # A raw tensor may be used as x @ w or as linear(x, w): the kinder reading counts.
    fan = min(p.shape[0], p.fan_in) if p.model < 0 and len(p.shape) == 2 else p.fan_in
    return math.hypot(p.std, p.mean or 0.0) * math.sqrt(fan)


def weights_too_large(view: View) -> Symptom | None:
    """By layer, against its own fan-in."""
    limit = view.thresholds.get("weights-too-large", 3.0)
    gains = [(g, p) for p in _hidden_weights(view) if (g := _gain(p)) is not None]
    large = [(g, p) for g, p in gains if g > limit]
    if not large:
        return None
    worst, p = max(large, key=lambda gp: gp[0])
    share = len(large) / len(gains)
    text = f"{p.name} starts with deviation {p.std:.3g} at {p.fan_in} inputs, {worst / math.sqrt(2):.1f} times He's; so do {len(large)} of {len(gains)} weight tensors."
    return Symptom("weights-too-large", text, worst, limit, min(1.0, (0.3 + 0.7 * math.log10(worst / limit) / 0.5)) * (0.5 + 0.5 * share), p.module, p.place)


def weights_too_small(view: View) -> Symptom | None:
    """A deliberately small last layer is common and harmless: at least two tensors, or the first one."""
    limit = view.thresholds.get("weights-too-small", 0.06)
    weights = _hidden_weights(view)
    gains = [(g, p) for p in weights if (g := _gain(p)) is not None and p.std]
    small = [(g, p) for g, p in gains if g < limit]
    inner = [(g, p) for g, p in small if p is not weights[-1]]
    if not inner:
        return None
    worst, p = min(inner, key=lambda gp: gp[0])
    text = f"{p.name} starts with deviation {p.std:.3g} at {p.fan_in} inputs, {math.sqrt(2) / worst:.0f} times smaller than He's; so do {len(small)} of {len(gains)} weight tensors."
    return Symptom("weights-too-small", text, worst, limit, min(1.0, 0.4 + 0.5 * math.log10(limit / worst)) * (0.5 + 0.5 * len(small) / len(gains)), p.module, p.place)


def bias_off(view: View) -> Symptom | None:
    """Biases of layers, by mean size."""
    limit = view.thresholds.get("bias-off", 1.5)
    found = []
    for p in view.recording.parameters:
        named = p.name.rsplit(".", 1)[-1]
        if p.requires_grad and len(p.shape) == 1 and "bias" in named and not is_norm(p) and p.mean is not None and math.isfinite(p.mean):
            size = math.hypot(p.mean, p.std or 0.0)
            if size > limit:
                found.append((size, p))
    if not found:
        return None
    size, p = max(found, key=lambda sp: sp[0])
    inner = p is not [q for q in view.recording.parameters if "bias" in q.name][-1]
    text = f"{p.name} starts around {p.mean:.3g}{'; so do ' + str(len(found) - 1) + ' other biases' if len(found) > 1 else ''}."
    return Symptom("bias-off", text, size, limit, min(1.0, 0.4 + 0.5 * math.log10(size / limit)) * (1.0 if inner else 0.6), p.module, p.place)


def update_ratios(view: View) -> Array:
    """Update over weight [samples, weight matrices]; NaN where it is unknown."""
    indices = [p.index for p in view.weights() if p.index in view.optimised or not view.optimised]
    rows = []
    for s in view.samples:
        known = {x.parameter: x for x in s.parameters}
        row = [known[i].update / known[i].weight if i in known and known[i].update is not None and known[i].weight > 0 else np.nan for i in indices]  # type: ignore[operator]
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(indices))


def updates_tiny(view: View) -> Symptom | None:
    """Over the whole probe, where gradients do flow."""
    limit = view.thresholds.get("updates-tiny", 1e-4)
    ratios = update_ratios(view)
    if ratios.size == 0 or len(ratios) < 4:
        return None
    by_step = np.array([np.nanmedian(r) if np.isfinite(r).any() else np.nan for r in ratios])
    if not np.isfinite(by_step).any() or np.nanmax(by_step) == 0:
        return None
    middle = float(np.nanmedian(by_step))
    late = by_step[np.isfinite(by_step)][-3:]
    if middle >= limit or float(np.mean(late)) > limit:
        return None
    text = f"A step moves the weights by {middle:.1e} of their size in the median; about 1e-3 is usual."
    return Symptom("updates-tiny", text, middle, limit, min(1.0, 0.4 + 0.4 * math.log10(limit / max(middle, 1e-12))))


def steps_promise_little(view: View) -> Symptom | None:
    """What the gradient says that the steps will bring, whether or not it comes true."""
    limit = view.thresholds.get("steps-promise-little", 1e-3)
    known = [-s.expected for s in view.samples[1:10] if s.expected is not None and math.isfinite(s.expected)]
    if len(known) < 3 or not view.early or view.early <= 0:
        return None
    share = float(np.median(known)) / view.early
    if not 0 < share < limit:
        return None
    text = f"To first order a step lowers the loss by {share:.2%} of itself: learning would take some {1 / share:,.0f} steps."
    return Symptom("steps-promise-little", text, share, limit, min(1.0, 0.3 + 0.7 * math.log10(limit / share)))


def updates_huge(view: View) -> Symptom | None:
    """Over the first looks, before anything broke."""
    limit = view.thresholds.get("updates-huge", 0.08)
    ratios = update_ratios(view)
    if ratios.size == 0:
        return None
    head = ratios[:8]
    by_step = [float(np.nanmedian(r)) for r in head if np.isfinite(r).any()]
    if not by_step:
        return None
    value = float(np.median(by_step))
    peak = max(by_step)
    if value <= limit and peak <= 5 * limit:
        return None
    size = max(value, peak / 5)
    text = f"In the first steps the weights move by {max(value, peak if value <= limit else value):.2g} of their size a step (median over layers); about 1e-3 is usual."
    return Symptom("updates-huge", text, size, limit, min(1.0, 0.5 + 0.5 * math.log10(min(size, 1e6) / limit)))


def updates_stay_large(view: View) -> Symptom | None:
    """Thrashing: the first steps may be bold, later ones should settle."""
    limit = view.thresholds.get("updates-stay-large", 0.01)
    ratios = update_ratios(view)
    late = [float(np.nanmedian(r)) for r in ratios[len(ratios) // 2 :] if np.isfinite(r).any()]
    tail = view.finite[len(view.finite) // 2 :]
    if len(late) < 4 or len(tail) < 30:
        return None
    before, after = float(tail[: len(tail) // 2].mean()), float(tail[len(tail) // 2 :].mean())
    value = float(np.median(late))
    if value < limit or before - after > 0.05 * abs(before):
        return None
    text = f"In the second half the weights still move by {value:.2g} of their size a step, and the loss stands at {after:.4g}."
    return Symptom("updates-stay-large", text, value, limit, min(1.0, 0.5 + 0.5 * math.log10(min(value, 1e3) / limit)))


def _growth(view: View) -> float | None:
    """Norm at the last look over that at the first, median over weight matrices; None where it is not known."""
    samples = view.samples
    if len(samples) < 3:
        return None
    first = {x.parameter: x.weight for x in samples[0].parameters}
    last = {x.parameter: x.weight for x in samples[-1].parameters}
    growth = [last[p.index] / first[p.index] for p in view.weights() if first.get(p.index, 0) > 0 and p.index in last]
    known = [g if math.isfinite(g) else math.inf for g in growth]
    return float(np.median(known)) if known else None


def weights_grow(view: View) -> Symptom | None:
    """Runaway weights."""
    limit = view.thresholds.get("weights-grow", 5.0)
    value = _growth(view)
    if value is None or value < limit:
        return None
    return Symptom("weights-grow", f"The weights have grown to {value:.3g} times their size at the start.", value, limit, min(1.0, 0.4 + 0.4 * math.log10(min(value, 1e6) / limit)))


def weights_shrink(view: View) -> Symptom | None:
    """Weights on their way to zero, whatever the data say."""
    limit = view.thresholds.get("weights-shrink", 5.0)
    growth = _growth(view)
    if growth is None or growth * limit > 1:
        return None
    value = 1 / max(growth, 1e-12)
    return Symptom("weights-shrink", f"The weights have shrunk to {growth:.1%} of their size at the start.", value, limit, min(1.0, 0.4 + 0.4 * math.log10(value / limit)))


def _rounded_between(view: View) -> Symptom | None:
    """float32 in which nothing is kept that half precision would not hold."""
    found = [x.coarse for s in view.samples if s.step > 1 for x in s.parameters if x.coarse is not None and x.parameter in view.optimised and x.update]
    if len(found) < 4 or not float(np.median(found)) > 0.99:
        return None
    return Symptom("half-weights", f"Between steps the weights hold nothing that half precision would not: {float(np.median(found)):.0%} of their float32 numbers are rounded.", float(np.median(found)), None, 1.0, "weights")


def updates_undone(view: View) -> Symptom | None:
    """By tensor, for steps that follow one another."""
    limit = view.thresholds.get("updates-undone", 0.3)
    found = [x.undone for s in view.samples for x in s.parameters if x.undone is not None and math.isfinite(x.undone) and x.parameter in view.optimised]
    if len(found) < 4 or not float(np.median(found)) >= limit:
        return None
    share = float(np.median(found))
    return Symptom("updates-undone", f"{share:.0%} of the numbers that a step has moved are back where they were when the next one begins: something else writes the weights.", share, limit, float(np.clip(0.4 + share - limit, 0.4, 1.0)), "weights")


def _rounded(view: View) -> dict[int, list[float]]:
    """Shares of each optimised tensor with a gradient that a step left where they were, by look."""
    shares: dict[int, list[float]] = {}
    for sample in view.samples:
        for x in sample.parameters:
            if x.rounded is not None and math.isfinite(x.rounded) and x.gradient and x.parameter in view.optimised:
                shares.setdefault(x.parameter, []).append(x.rounded)
    return shares


def _half(view: View) -> list[ParameterInfo]:
    """Optimised tensors in half precision."""
    return [p for p in view.recording.parameters if p.index in view.optimised and p.dtype in ("bfloat16", "float16")]


def _stuck(view: View, rounded: dict[int, list[float]]) -> list[ParameterInfo]:
    """Those that have a gradient, and of which no step ever changed a number."""
    return [p for p in _half(view) if len(shares := rounded.get(p.index, [])) >= _FEWEST_ROUNDED and min(shares) == 1.0]


def updates_round_away(view: View) -> Symptom | None:
    """Rounded away, by tensor and look."""
    limit = view.thresholds.get("updates-round-away", 0.3)
    rounded = _rounded(view)
    stuck = [p.index for p in _stuck(view, rounded)]  # one tensor that never moves is lost, however well the others do
    shares = [x for p in stuck or rounded for x in rounded[p]]
    if len(shares) < _FEWEST_ROUNDED or float(np.median(shares)) < limit:
        return None
    share = float(np.median(shares))
    return Symptom("updates-round-away", f"{share:.0%} of the weights that have a gradient are left where they were by a step: it rounds to nothing.", share, limit, float(np.clip(0.4 + share - limit, 0.4, 1.0)))


def half_weights(view: View) -> Symptom | None:
    """bfloat16 keeps 8 bits of a number, float16 11."""
    half = _half(view)
    if stuck := _stuck(view, _rounded(view)):
        text = f"{stuck[0].name} is {stuck[0].dtype}, and no step is large enough beside its numbers to change them: it has not moved."
        return Symptom("half-weights", text, float(len(stuck)), None, 1.0, stuck[0].module, stuck[0].place)
    if not half or len(half) < len(view.optimised) / 2:
        return _rounded_between(view)
    bits = 8 if half[0].dtype == "bfloat16" else 11
    return Symptom("half-weights", f"{len(half)} of the {len(view.optimised)} tensors that are optimised are {half[0].dtype}, which keeps {bits} bits: a step below {2.0**-bits:.1g} of a weight is lost.", float(len(half)), None, 1.0, half[0].module, half[0].place)


def gradients_underflow(view: View) -> Symptom | None:
    """Of a gradient that passes float16: dead units give zeros as well, but not in every parameter, and none to the outputs' own biases."""
    limit = view.thresholds.get("gradients-underflow", 0.5)
    loss = view.main_loss
    given = loss is not None and loss.prediction is not None and loss.prediction.dtype == "float16"
    if loss is None or len(view.samples) < 3 or not (given or any(g.float16 for g in view.graphs)):
        return None
    output = loss.chain[-1].module if loss.chain else ""
    biases = {i for i, p in view.parameters.items() if output and p.module == output and len(p.shape) == 1 and math.prod(p.shape) >= _FEW_OUTPUTS}
    tables = {i for i, p in view.parameters.items() if "Embedding" in p.module_type}  # rows that a batch lacks have no gradient
    all_of_it, at_outputs = _zero_share(view, view.reached - tables), _zero_share(view, view.reached & biases)
    if not (all_of_it >= limit or at_outputs >= limit * _BARE):
        return None
    bare = all_of_it < limit
    what = f"the gradients of {output}'s biases" if bare else "the gradient's numbers"
    text = f"The gradient passes through float16, and {at_outputs if bare else all_of_it:.0%} of {what} are exactly zero: what is below 6e-8 is lost on the way."
    return Symptom("gradients-underflow", text, at_outputs / _BARE if bare else all_of_it, limit, 1.0, "", loss.place)


def _zero_share(view: View, which: set[int]) -> float:
    """Share of exact zeros in the gradients of some parameters, median over them and the last looks; 0 where it is not known."""
    looks = view.samples[-max(3, len(view.samples) // 3) :]
    zeros = [p.zero for s in looks for p in s.parameters if p.zero is not None and p.parameter in which]
    return float(np.median(zeros)) if zeros else 0.0


def loss_shrinks_weights(view: View) -> Symptom | None:
    """A penalty on the weights, written into the loss. The first looks count: later on it may stand in balance with the rest."""
    limit = view.thresholds.get("loss-shrinks-weights", 0.4)
    matrices = {p.index for p in _hidden_weights(view) if math.prod(p.shape) >= _FEW_NUMBERS}
    looks = [[x.inward for x in s.parameters if x.parameter in matrices and x.inward is not None] for s in view.samples[:4]]
    medians = [float(np.median(found)) for found in looks if len(found) >= 2]
    if len(medians) < 2 or not (value := float(np.median(medians))) >= limit:
        return None
    text = f"In the first looks the gradient points along the weights themselves (cosine {value:.2f}, median over {len(matrices)} weight tensors): whatever the data say, a step shrinks them."
    place = view.main_loss.place if view.main_loss is not None else None
    return Symptom("loss-shrinks-weights", text, value, limit, min(1.0, 0.5 + 2 * (value - limit)), "loss", place)


def step_climbs(view: View) -> Symptom | None:
    """`w += rate * w.grad`, of a loss that is above zero and says how wrong predictions are: what else there is may be climbed by right."""
    limit = view.thresholds.get("step-climbs", 0.3)
    if view.used or not _is_error(view) or view.first is None or view.last is None or min(view.first, view.last) <= 0:
        return None
    found = _climbs(view)
    up = [p for p in view.recording.parameters if p.index in found and min(found[p.index]) > 0 and float(np.median(found[p.index])) > limit]
    if len(up) < len(found):
        up = [p for p in up if _is_part(p, up, found, view)]
    if not up:
        return None
    names = ", ".join(p.name for p in up[:4])
    value = float(np.median(found[up[0].index]))
    text = f"Each step by hand that was looked at moves {names} along the gradient (cosine {value:.2f}): it climbs the loss"
    text += f", while {len(found) - len(up)} other tensors descend." if len(up) < len(found) else "."
    return Symptom("step-climbs", text, value, limit, 1.0, up[0].name, _written(view, up[0]) or up[0].place)


def _is_error(view: View) -> bool:
    """Whether the loss is one term, of predictions and targets or of logarithms that are written out."""
    loss = view.main_loss
    return loss is not None and view.single_term and (view.comparable or loss.function.startswith("by-hand:log"))


def _climbs(view: View) -> dict[int, list[float]]:
    """Cosines of the steps by hand with their gradients, of each tensor that was looked at often enough."""
    found: dict[int, list[float]] = {}
    for x in (x for s in view.samples for x in s.parameters):
        if x.climb is not None and math.isfinite(x.climb):
            found.setdefault(x.parameter, []).append(x.climb)
    return {i: seen for i, seen in found.items() if len(seen) >= _FEWEST_STEPS}


def _is_part(p: ParameterInfo, up: list[ParameterInfo], found: dict[int, list[float]], view: View) -> bool:
    """Whether a tensor that climbs is a weight of a network that descends: one player of a game climbs as a whole, as does what is
    added to the input to deceive the network. Where no input was seen, it may be such a sum.
    """
    shape = view.features.shape if view.features is not None else []
    if not shape or len(p.shape) < 2 or p not in view.weights() or p.shape in (shape, shape[1:], [1, *shape[1:]]):
        return False
    return p.model < 0 or any(view.parameters[i].model == p.model for i in found.keys() - {q.index for q in up})


def _written(view: View, p: ParameterInfo) -> Place | None:
    """The line that makes the steps of a tensor, where it was seen."""
    return next((x.written for s in view.samples for x in s.parameters if x.parameter == p.index and x.written is not None), None)


DETECTORS = (
    gradients_underflow, weights_constant, weights_too_large, weights_too_small, bias_off, updates_tiny, steps_promise_little, updates_huge, updates_stay_large, weights_grow, weights_shrink,
    updates_round_away, half_weights, updates_undone, loss_shrinks_weights, step_climbs,
)  # fmt: skip
