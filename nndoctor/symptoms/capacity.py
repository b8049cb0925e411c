"""What the network could express at best: its narrowest layer, its depth, and what a simple learner makes of the same rows."""

from __future__ import annotations

import math

import numpy as np

from nndoctor.record.model import Graph
from nndoctor.symptoms.labels import distinct_samples
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import View

INFO = (
    SymptomInfo("bottleneck", "capacity", "A hidden layer is narrower than the classes to be told apart need.", 0.5, "Its width over the smaller of the number of classes and 8; so few numbers must carry all that the output depends on."),
    SymptomInfo(
        "few-numbers-pass", "capacity", "Of each sample no more than one or two numbers come through the network, and its real targets are poorly predicted.", 2.0,
        "Numbers a sample; half as many where the target is as wide as the input or where two looked-up rows are multiplied, as codes of two are drawn as maps on purpose. It counts where less than half of what a constant leaves is explained.",
    ),
    SymptomInfo("single-layer", "capacity", "The network is one linear layer, and the task is not linear.", 0.15, "What neighbours or a kernel reach beyond a linear map, on the scale where a constant is 0 and a perfect score 1."),
    SymptomInfo("levels-off", "capacity", "The loss has levelled off far above what is possible.", 0.03, "Share of its level lost over the last third of the steps; the steps themselves are of ordinary size."),
    SymptomInfo("features-irrelevant", "capacity", "Most input features say nothing of the target, and the few that do are enough.", 0.2, "What simple learners gain by the best features alone, on the scale where a constant is 0 and a perfect score 1."),
    SymptomInfo("simpler-does-better", "capacity", "Simple learners do far better on rows they have not seen than the network does in validation.", 0.2, "Gap on the scale where a constant is 0 and a perfect score 1; only where the network fits its training data."),
    SymptomInfo("many-parameters", "capacity", "The network has far more parameters than there are samples.", 100.0, "Trained parameters for each distinct training sample. Large networks may generalise all the same: it only counts where this one does not."),
    SymptomInfo("place-ignored", "capacity", "A simple learner that is told of place or order does far better than the network, none of whose layers knows either.", 0.2, "Its score above the network's and above that of simple learners without it, on the scale where a constant is 0 and a perfect score 1."),
)  # fmt: skip
_ATTENTION = ("ScaledDotProduct", "Bmm", "Baddbmm")
_MOST_TAGS = 32  # labels of a row; more outputs than that are hardly each a question of its own
_FITS = 0.5  # share explained, from which on the numbers seem to be enough
_FAR_BELOW = 0.25  # what simple learners reach beyond it, as for below-reference
_ENOUGH = 8  # units that carry most of what a small classifier needs


def bottleneck(view: View) -> Symptom | None:
    """Hidden weight matrices that nothing leads around, as around the gate of a pooling; the code of an autoencoder is narrow by design."""
    limit = view.thresholds.get("bottleneck", 0.5)
    labels = view.labels
    if labels is None or labels.task not in ("classes", "probabilities", "multilabel"):
        return None
    if labels.task == "multilabel" and not _is_tagged(view, len(labels.mean)):
        return None
    answers = len(labels.mean) if labels.task == "multilabel" else min(len(labels.counts), labels.classes or len(labels.counts))
    # Classes exclude each other, and ten of them fit into three numbers; labels that do not need a direction each.
    wanted = min(answers, _ENOUGH) * (2 if labels.task == "multilabel" else 1)
    beside = {s.parameter for s in view.graph.straits if s.around} if view.graph is not None else set()
    matrices = [p for p in view.weights() if p.index in view.reached and p.index in view.optimised and p.index not in beside]
    # A parameter with an axis of one that is no layer's is added to a signal (positions, a class token), not multiplied with it.
    hidden = [(_width(p.shape, p.module_type), p) for p in matrices[:-1] if p.shape[0] > 1 or p.name.endswith("weight")]
    narrow = [(w, p) for w, p in hidden if w >= 1]
    if wanted < 3 or not narrow:
        return None
    width, p = min(narrow, key=lambda pair: pair[0])
    if width / wanted > limit:
        return None
    text = f"{p.module or p.name} has {width} unit{'s' if width > 1 else ''}, through which {answers} {'labels' if labels.task == 'multilabel' else 'classes'} have to be told apart."
    return Symptom("bottleneck", text, width / wanted, limit, float(np.clip(0.5 + 3 * (limit - width / wanted), 0.5, 1.0)), p.module, p.place)


def _is_tagged(view: View, answers: int) -> bool:
    """Whether targets are some yes-or-no answers on each row, and not the row itself, as for an autoencoder."""
    target, f = view.main_loss.target if view.main_loss is not None else None, view.features
    return target is not None and target.integers and answers <= _MOST_TAGS and (f is None or len(f.mean) != answers)


def _width(shape: list[int], kind: str) -> int:
    """Units of a layer: a recurrent one keeps three or four gates in one tensor."""
    return shape[0] // {"LSTM": 4, "GRU": 3, "LSTMCell": 4, "GRUCell": 3}.get(kind, 1)


def few_numbers_pass(view: View) -> Symptom | None:
    """A layer that nothing leads around, or tables whose rows are multiplied: amounts may need one number only, so that the score decides."""
    limit = view.thresholds.get("few-numbers-pass", 2.0)
    labels, g = view.labels, view.graph
    if labels is None or labels.task != "real" or g is None or view.steps < 100 or not 0.0 < view.learns < _FITS:
        return None
    if g.factors and max(g.factors) <= limit / 2:
        text = f"Rows of two tables are multiplied with one another, and each has {_numbers(max(g.factors))} only; {view.learns:.0%} of what a constant prediction leaves is explained."
        return Symptom("few-numbers-pass", text, float(max(g.factors)), limit, 1.0)
    if view.best_reference is None or view.best_reference - view.learns < _FAR_BELOW:
        return None
    return _strait(view, g, limit / 2 if _as_wide_as_input(view) else limit)


def _strait(view: View, g: Graph, most: float) -> Symptom | None:
    """The layer through which all of a sample comes in so few numbers."""
    batch = next((s.batch for s in view.steps_seen if s.index == g.step), None)
    narrow = [s for s in g.straits if not s.around and batch and s.values <= most * batch and view.parameters[s.parameter].module_type == "Linear"]
    if not narrow or not batch:
        return None
    p, numbers = view.parameters[narrow[0].parameter], narrow[0].values / batch
    text = f"All that the network knows of a sample comes through {p.module}, as {_numbers(round(numbers))}; {view.learns:.0%} of what a constant prediction leaves is explained."
    return Symptom("few-numbers-pass", text, numbers, most, 1.0, p.module, p.place)


def _as_wide_as_input(view: View) -> bool:
    target, f = view.main_loss.target if view.main_loss is not None else None, view.features
    return target is not None and f is not None and np.prod(target.shape[1:]) == np.prod(f.shape[1:])


def _numbers(count: int) -> str:
    return "one number" if count == 1 else f"{count} numbers"


def single_layer(view: View) -> Symptom | None:
    """Logistic regression where neighbours do much better."""
    limit = view.thresholds.get("single-layer", 0.15)
    g, r = view.graph, view.reference
    if g is None or g.truncated or g.layers != 1 or g.nonlinear > 0 or r is None or r.linear is None:
        return None
    best = max((s for s in (r.neighbours, r.kernel) if s is not None), default=r.constant)
    gap = r.gain(best, r.linear)
    if not gap >= limit:
        return None
    return Symptom("single-layer", f"The network is a single linear layer; a linear map reaches {r.linear:.2f} on these rows, neighbours or a kernel {best:.2f}.", gap, limit, float(np.clip(0.4 + 2 * (gap - limit), 0.4, 1.0)))


def levels_off(view: View) -> Symptom | None:
    """A standstill that is neither a start that never moved nor a fit."""
    limit = view.thresholds.get("levels-off", 0.03)
    if len(view.finite) < 60 or not np.isfinite(view.losses).all() or not view.falls or not 0.05 < view.learns < 0.85:
        return None
    third = len(view.finite) // 3
    before, after = float(view.finite[-2 * third : -third].mean()), float(view.finite[-third:].mean())
    if before <= 0 or (before - after) / before >= limit:
        return None
    return Symptom("levels-off", f"The loss fell to {before:.4g} and has stayed there: {after:.4g} over the last third of the steps.", (before - after) / before, limit, 1.0)


def features_irrelevant(view: View) -> Symptom | None:
    """By univariate relevance on one part of the rows, scored on the other."""
    limit = view.thresholds.get("features-irrelevant", 0.2)
    r = view.reference
    if r is None or r.selected is None or r.relevant is None:
        return None
    every = r.constant if math.isnan(r.plain) else r.plain
    gap = r.gain(r.selected, max(every, r.constant))
    chosen = r.skill(r.selected)
    # A network that does as well on rows it has not seen has found the few by itself.
    if not gap >= limit or (view.validation_skill is not None and view.validation_skill > chosen - limit / 2):
        return None
    text = f"On the {r.relevant:.0%} of the {r.features} features that vary with the target, simple learners reach {r.selected:.2f}; on all of them {every:.2f}."
    return Symptom("features-irrelevant", text, gap, limit, float(np.clip(0.5 + gap, 0.5, 1.0)), "input")


def simpler_does_better(view: View) -> Symptom | None:
    """There is enough data for a smaller model: ridge, neighbours and kernel saw no more than the network did."""
    limit = view.thresholds.get("simpler-does-better", 0.2)
    best, reached = view.best_reference, view.validation_skill
    if best is None or reached is None or view.reference is None or not view.learns - reached > limit:
        return None
    luck = view.reference.gain(view.reference.chance or 0.0, 0.0) / 2
    gap = best - reached
    if not (gap >= limit + luck and math.isfinite(gap)):
        return None
    text = f"Closed-form learners score {best:.2f} on rows that they were not fitted on, the network {reached:.2f} in validation (0: a constant, 1: perfect)."
    return Symptom("simpler-does-better", text, gap, limit, float(np.clip(0.5 + gap, 0.5, 1.0)))


def many_parameters(view: View) -> Symptom | None:
    """By the number of distinct samples, as far as it is known."""
    limit = view.thresholds.get("many-parameters", 100.0)
    samples = distinct_samples(view)
    trained = sum(int(np.prod(p.shape)) for p in view.recording.parameters if p.index in view.optimised and p.index in view.reached)
    if not samples or trained / samples < limit:
        return None
    ratio = trained / samples
    return Symptom("many-parameters", f"{trained} parameters are trained on about {samples:.0f} samples.", ratio, limit, float(np.clip(np.log10(ratio / limit) + 0.4, 0.4, 1.0)))


def place_ignored(view: View) -> Symptom | None:
    """Validation says how well the network does where there is any: rows that are learnt by heart need no structure."""
    limit = view.thresholds.get("place-ignored", 0.2)
    r, best = view.reference, view.best_reference
    if r is None or r.local is None or not r.blind or best is None or view.steps < 100:
        return None
    reached = min((s for s in (view.skill, view.validation_skill) if s is not None), default=None)
    if reached is None:
        return None
    # A network that pools over single places is blind to what even dense learners see.
    pooled = _pools(view)
    seen = max(r.local, r.plain) if pooled else r.local
    local = r.skill(seen)
    gap = local - max(0.0 if pooled else best, reached, 0.0)
    if not (gap >= limit and math.isfinite(gap) and math.isfinite(best)):
        return None
    attends = view.graph is not None and any(op.startswith(_ATTENTION) for op in view.graph.ops)
    missing = "Nothing tells its attention which place is which." if attends else "None of its layers looks at several places together."
    text = f"A linear model that sees neighbouring values together, and their order, reaches {r.local:.2f} on held-out rows; simple learners without that {r.plain:.2f}, and the network no more than {max(reached, 0) * (1 - r.constant) + r.constant:.2f}. {missing}"
    return Symptom("place-ignored", text, gap, limit, float(np.clip(0.6 + gap, 0.6, 1.0)), "input")


def _pools(view: View) -> bool:
    """Whether inputs have places, and no layer is wide enough to be given all of a row's."""
    f = view.features
    if f is None or len(f.shape) < 3 or not f.dtype.startswith(("float", "bfloat")):
        return False
    return all(p.fan_in < np.prod(f.shape[1:]) for p in view.weights())


DETECTORS = (simpler_does_better, many_parameters, place_ignored, bottleneck, few_numbers_pass, single_layer, levels_off, features_irrelevant)
