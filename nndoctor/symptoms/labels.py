"""What the targets hold, what the predictions make of them, and whether the inputs say anything about them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from nndoctor.record.model import Labels, ParameterInfo
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import HARDLY_NEW, View

INFO = (
    SymptomInfo("class-imbalance", "labels", "One class holds most of the labels.", 0.8, "Its share; below four in five the mean loss still sees the others well."),
    SymptomInfo("predicts-one-class", "labels", "The network names the same class for nearly every sample.", 0.99, "Share of the most frequent prediction over the last sampled batches."),
    SymptomInfo("minority-ignored", "labels", "A class that occurs is never predicted, while the commonest one nearly always is."),
    SymptomInfo("no-signal", "labels", "No reference learner finds any link between inputs and targets, though the inputs are no stand-in noise."),
    SymptomInfo("signal-present", "labels", "Reference learners predict the targets from the inputs."),
    SymptomInfo("signal-nonlinear", "labels", "Nearest neighbours or a kernel predict the targets much better than a linear map does.", 0.15, "Gap on the scale where a constant is 0 and a perfect score 1."),
    SymptomInfo("signal-after-shift", "labels", "Targets fit the inputs once they are moved by a row or two."),
    SymptomInfo("few-samples", "labels", "The run sees the same few samples again and again.", 200.0, "Distinct samples, as estimated from repeats."),
    SymptomInfo("sure-and-wrong", "labels", "A simple learner is wrong nearly as often where it is sure as elsewhere: labels contradict their surroundings everywhere.", 0.6, "Error of its surest quarter over that of all; classes that overlap stay below 0.45 and reach 0.7 once a fifth of the labels is wrong."),
    SymptomInfo("classes-without-order", "labels", "Targets of a regression are told apart as classes far better than they are put in order as amounts.", 0.15, "A linear map's score on them as classes above its R2, on the scale where a constant is 0 and a perfect score 1: ratings and counts are below zero."),
    SymptomInfo("codes-as-numbers", "labels", "Columns of few evenly spaced values say much more of the target as categories than as numbers.", 0.1, "What a linear map gains by indicators over the best simple learner on the numbers, on the scale where a constant is 0 and a perfect score 1."),
    SymptomInfo("batches-differ", "labels", "Each batch holds other targets than the next: they come in the order of something.", 0.3, "Share of the targets' variance that lies between batches (adjusted eta squared); 0 for batches drawn at random.", fact=True),
    SymptomInfo("one-label", "labels", "Every target names the same class.", 50.0, "Targets seen, of a network with an output for each of several classes or for yes and no.", fact=True),
    SymptomInfo("twins-disagree", "labels", "Inputs are alike where targets differ.", 0.9, "Share of the rows whose input is that of another row, bit by bit, times how far such pairs agree no better than any: from 0.9 on, less than a tenth of the targets can be told from the inputs; 0.63 where sequences come down to four rows of a table of twenty and more, which leaves their length. The same row in another epoch agrees with itself.", fact=True),
)  # fmt: skip

_FEW_OF_A_CLASS = 4  # predictions, before none of them is a sign
_MANY_READINGS = 1.6  # how much farther the best of a dozen comes by chance than the best of three
_NEAR = 40  # steps before a validation pass in which training was about as good as at it
_FEW_TIMES = 3  # that a row came: too few to know it by heart
_SEEN = 0.7  # of a learner's error: who makes fewer sees more than it does
_SEQUENCE = 4  # ids in a sample, from which it is a sequence rather than columns
_SEQUENCES = 8  # in a batch, of which one alone may be of a few ids
_FEW_READ = 4  # rows of a table: unknown, padding, begin and end
_UNREAD_ROWS = 5  # times as many rows has a table that was made for more
_UNREAD = 0.7  # of the limit: that much of a signal is in the lengths
_SOMETHING = 0.25  # of what there is to learn: more than that is left where six labels in ten are wrong
_SURE_ERROR = 0.12  # share of the surest rows that may be wrong by chance, or by a few bad labels
# Variance of the inputs in a tenth of their directions beyond its share: sampling noise reaches a tenth.
_PLAIN_STRUCTURE = 0.12


def class_imbalance(view: View) -> Symptom | None:
    """One class dominates."""
    limit = view.thresholds.get("class-imbalance", 0.8)
    labels = view.labels
    if labels is None or not view.is_classification or view.chance is None or len(labels.counts) < 2 or labels.rows < 50:
        return None
    if view.chance <= limit:
        return None
    total = sum(labels.counts.values())
    shares = ", ".join(f"{k}: {v / total:.1%}" for k, v in sorted(labels.counts.items(), key=lambda kv: -kv[1])[:6])
    return Symptom("class-imbalance", f"Labels seen: {shares}.", view.chance, limit, float(np.clip((view.chance - limit) / 0.15, 0.3, 1.0)), "labels")


def predicts_one_class(view: View) -> Symptom | None:
    """Collapsed predictions."""
    limit = view.thresholds.get("predicts-one-class", 0.99)
    labels = view.labels
    if labels is None or not labels.predicted or len(labels.counts) < 2:
        return None
    total = sum(labels.predicted.values())
    name, count = max(labels.predicted.items(), key=lambda kv: kv[1])
    if total < 32 or count / total < limit:
        return None
    text = f"{count / total:.1%} of the last {total} training predictions are class {name}."
    return Symptom("predicts-one-class", text, count / total, limit, 1.0, "predictions")


def minority_ignored(view: View) -> Symptom | None:
    """Rare classes get no prediction although they were seen often enough."""
    labels = view.labels
    if labels is None or not labels.predicted or view.chance is None or view.chance < 0.7:
        return None
    return _missed_in_training(view, labels) or _missed_in_validation(view, labels)


def _missed(view: View, labels: Labels, expected: Mapping[str, float], predicted: Mapping[str, int]) -> tuple[str, list[str]]:
    """The class that is commonest in training, and the others that should come up so often and hardly do, while that one nearly always does."""
    common = max(labels.counts, key=lambda k: labels.counts[k])
    missed = [k for k, e in expected.items() if k != common and e >= _FEW_OF_A_CLASS and predicted.get(k, 0) < 0.15 * e]
    return common, missed if predicted.get(common, 0) / sum(predicted.values()) >= (view.chance or 0.0) else []


def _missed_in_validation(view: View, labels: Labels) -> Symptom | None:
    """Where rare classes are no rarer than the others, that nobody names them shows best."""
    last = next((e for e in reversed(view.evaluations) if e.labels and e.predicted), None)
    if last is None:
        return None
    there = {k: n for k, n in last.labels.items() if k in labels.counts and n >= _FEW_OF_A_CLASS}
    common, missed = _missed(view, labels, there, last.predicted)
    there.pop(common, None)
    if not missed:
        return None
    text = f"In validation class {', '.join(missed[:4])} occurs {sum(there[k] for k in missed)} times and is predicted {sum(last.predicted.get(k, 0) for k in missed)} times."
    return Symptom("minority-ignored", text, float(len(missed)), 0.0, len(missed) / len(there), "predictions")


def _missed_in_training(view: View, labels: Labels) -> Symptom | None:
    total, seen = sum(labels.predicted.values()), sum(labels.counts.values())
    expected = {k: v / seen * total for k, v in labels.counts.items()}
    _, missed = _missed(view, labels, expected, labels.predicted)
    if not missed:
        return None
    text = f"Class {', '.join(missed[:4])} should come up {sum(expected[k] for k in missed):.0f} times in the last {total} predictions and comes up {sum(labels.predicted.get(k, 0) for k in missed)} times."
    return Symptom("minority-ignored", text, float(len(missed)), 0.0, len(missed) / max(len(expected) - 1, 1), "predictions")


def no_signal(view: View) -> Symptom | None:
    """Structured inputs and targets that no learner connects."""
    r, f = view.reference, view.features
    if r is None or r.chance is None or f is None or r.rows < 150 or view.steps < 100 or r.features < 2 or r.constant > 0.9:
        return None
    best = r.best
    # Of the learners that know of place the best of many readings counts: luck takes it farther.
    lucky = (best - r.constant) / (_MANY_READINGS if best > r.plain else 1.0)
    if not lucky <= r.chance or f.noise:
        return None
    structure = f.structure or 0.0
    # Of ids the learners see only which occur, and a pattern that may lie anywhere in a picture or a sequence can escape them.
    by_value = 1.0 if f.dtype.startswith(("float", "double")) and len(f.shape) <= 2 else 0.75
    name = "accuracy" if r.task in ("classes", "binary") else "R2"
    text = f"On {r.rows} training rows ridge, neighbours and kernel reach {name} {best:.2f} (a constant: {r.constant:.2f}), though the inputs are no mere noise{': ' + format(structure, '.0%') + ' of their variance lies in few directions' if structure >= _PLAIN_STRUCTURE else ''}."
    return Symptom("no-signal", text, structure, None, by_value * float(np.clip(3 * structure if structure == structure else 0.0, 0.7, 1.0)) * min(1.0, r.rows / 300), "labels")


def signal_present(view: View) -> Symptom | None:
    """The data can be learnt from."""
    r = view.reference
    if r is None or r.chance is None:
        return None
    best = r.best
    skill = r.skill(best)
    if not best - r.constant > 1.5 * r.chance or skill < 0.1:
        return None
    name = "accuracy" if r.task in ("classes", "binary") else "R2"
    return Symptom("signal-present", f"A closed-form learner reaches {name} {best:.2f} on held-out training rows (a constant: {r.constant:.2f}).", best, r.constant, min(1.0, skill), "labels")


def signal_nonlinear(view: View) -> Symptom | None:
    """The task bends."""
    limit = view.thresholds.get("signal-nonlinear", 0.15)
    r = view.reference
    if r is None or r.linear is None or r.chance is None:
        return None
    curved = max((s for s in (r.neighbours, r.kernel) if s is not None), default=r.linear)
    gap = r.gain(curved, r.linear)
    if gap <= limit or curved - r.constant <= r.chance:
        return None
    return Symptom("signal-nonlinear", f"Neighbours or a kernel score {curved:.2f} on held-out rows, a linear map {r.linear:.2f}.", gap, limit, min(1.0, gap / 0.4), "labels")


def signal_after_shift(view: View) -> Symptom | None:
    """Shifted labels."""
    r = view.reference
    if r is None or r.shifted is None or r.chance is None or r.linear is None:
        return None
    best = max(s for s in (r.linear, r.neighbours, r.kernel) if s is not None)
    if r.shifted - r.constant <= 3 * r.chance or r.shifted - best <= 2 * r.chance:
        return None
    text = f"Held-out score is {best:.2f} with the targets as they are and {r.shifted:.2f} with them moved by {abs(r.shift)} row{'s' if abs(r.shift) > 1 else ''}."
    return Symptom("signal-after-shift", text, r.shifted, best, 1.0, "labels")


def few_samples(view: View) -> Symptom | None:
    """How many different samples the run draws from."""
    limit = view.thresholds.get("few-samples", 200.0)
    f = view.features
    size = distinct_samples(view)
    if f is None or size is None or size > limit:
        return None
    return Symptom("few-samples", f"Training draws on about {size:.0f} different samples.", size, limit, float(np.clip(1.2 - size / limit, 0.2, 1.0)), "data")


def distinct_samples(view: View) -> float | None:
    """Number of different samples that the run draws from: counted where the training set was seen whole, else what the loader says."""
    known = float(max(view.lengths)) if view.lengths else None
    seen = view.trained_rows
    if seen is not None and seen.rows >= 20 and (seen.fresh <= HARDLY_NEW or seen.distinct < 0.5 * seen.rows):
        return float(seen.distinct)
    f = view.features
    if f is not None and len(f.shape) < 2 and any(g.model == f.model and g.position for g in view.recording.features):
        return known  # a sample is several numbers, each an argument of its own
    if seen is None and f is not None and f.rows >= 20 and f.distinct < 0.5 * f.rows:
        batch = next((s.batch for s in view.steps_seen if s.batch), None) or 1
        return float(f.distinct) * max(1.0, batch / 64)  # of a larger batch only the first 64 rows are looked at
    return known


def sure_and_wrong(view: View) -> Symptom | None:
    """Where there is a signal to be sure of, and the error is more than an eighth."""
    limit = view.thresholds.get("sure-and-wrong", 0.6)
    r = view.reference
    if r is None or r.wrong is None or r.sure_wrong is None or not view.is_classification or not r.wrong > 0 or view.blends:
        return None
    if view.learns < _SOMETHING:
        return None  # the network takes its labels as they are, and would learn those that are right: something else is wrong
    # A learner that is wrong because it cannot see the pattern is no witness: another one, or the network on new rows, sees it.
    seen = max(r.best, r.encoded if r.encoded is not None else 0.0, _right_on_both(view), _right_at_once(view))
    if 1 - seen < _SEEN * r.wrong:
        return None
    if not r.sure_wrong >= _SURE_ERROR or not (1 - r.wrong - r.constant) >= 0.15 * (1 - r.constant) or not r.sure_wrong / r.wrong >= limit:
        return None
    text = f"A simple learner is wrong in {r.sure_wrong:.0%} of the rows of which it is surest, against {r.wrong:.0%} of all: wrong labels, not overlapping classes, look like this."
    return Symptom("sure-and-wrong", text, r.sure_wrong / r.wrong, limit, float(np.clip(0.4 + 3 * (r.sure_wrong - _SURE_ERROR), 0.4, 1.0)), "labels")


def _right_on_both(view: View) -> float:
    """Accuracy on validation rows where it was best, or on training rows just then, whichever is less.

    Clean validation rows may well be told by a network whose training labels are wrong, and later on it has learnt those by heart.
    """
    scored = [e for e in view.evaluations if e.accuracy is not None]
    if not scored:
        return 0.0
    best = max(scored, key=lambda e: e.accuracy or 0.0)
    near = [s.accuracy for s in view.samples if s.accuracy is not None and best.step - _NEAR < s.step <= best.step]
    return min(best.accuracy or 0.0, sum(near) / len(near)) if near else 0.0


def _right_at_once(view: View) -> float:
    """Training accuracy, where each row came so few times that it cannot have been learnt by heart."""
    seen = view.trained_rows
    return view.accuracy or 0.0 if seen is not None and seen.rows <= _FEW_TIMES * seen.distinct else 0.0


def codes_as_numbers(view: View) -> Symptom | None:
    """Indicators against the best of line, neighbours and kernel on the numbers themselves, and of what is told of their order."""
    limit = view.thresholds.get("codes-as-numbers", 0.1)
    r = view.reference
    if r is None or r.encoded is None or not r.codes:
        return None
    plain = max(s for s in (r.constant, r.plain, r.local) if s is not None and not math.isnan(s))
    gap = r.gain(r.encoded, plain)
    if not gap >= limit or (r.chance is not None and r.encoded - plain < r.chance / 2):
        return None
    text = f"{r.codes} input column{'s hold' if r.codes > 1 else ' holds'} few, evenly spaced values; as categories they predict {r.encoded:.2f} of the target, as numbers {plain:.2f}."
    return Symptom("codes-as-numbers", text, gap, limit, float(np.clip(0.5 + 2 * gap, 0.5, 1.0)), "input")


def classes_without_order(view: View) -> Symptom | None:
    """Class numbers under a squared error: neighbours in number are no neighbours in kind."""
    limit = view.thresholds.get("classes-without-order", 0.15)
    r = view.reference
    if r is None or r.task != "real" or r.as_classes is None or r.linear is None:
        return None
    gap = r.as_classes - max(r.linear, 0.0)
    if not gap >= limit:
        return None
    text = f"Taken as classes, a linear map tells the targets apart with a score of {r.as_classes:.2f}; as amounts it reaches R2 {r.linear:.2f} (0: a constant, 1: perfect)."
    return Symptom("classes-without-order", text, gap, limit, float(np.clip(0.5 + gap, 0.5, 1.0)), "labels")


def is_sorted(view: View) -> bool:
    """Whether batches come in the order of their targets: a network that names the last one it saw scores well on them."""
    labels, limit = view.labels, view.thresholds.get("batches-differ", 0.3)
    return labels is not None and labels.between is not None and labels.between >= limit


def batches_differ(view: View) -> Symptom | None:
    """Sorted by class, by target or by source."""
    limit = view.thresholds.get("batches-differ", 0.3)
    labels = view.labels
    if labels is None or labels.between is None or not is_sorted(view) or view.acts:
        return None
    text = f"{labels.between:.0%} of what differs between targets differs between batches: they come sorted."
    return Symptom("batches-differ", text, labels.between, limit, float(np.clip(0.5 + (labels.between - limit), 0.5, 1.0)), "labels")


def one_label(view: View) -> Symptom | None:
    """Nothing is to be told apart, by a layer with an output for each class. Scores of one sample against others have the right one in
    the same place by design.
    """
    limit = view.thresholds.get("one-label", 50.0)
    labels = view.labels
    if labels is None or labels.task not in ("classes", "binary") or (labels.classes or 0) < 2 or len(labels.counts) != 1 or labels.rows < limit:
        return None
    if labels.task == "classes" and not any(labels.classes in p.shape for p in view.parameters.values()):
        return None
    (name,) = labels.counts
    return Symptom("one-label", f"All {labels.rows:,} targets are {name}.", float(labels.rows), limit, 1.0, "labels")


def twins_disagree(view: View) -> Symptom | None:
    """Of pairs of equal inputs, how many agree beyond what chance gives."""
    limit = view.thresholds.get("twins-disagree", 0.9)
    labels = view.labels
    if labels is None or labels.twins_agree is None or not labels.counts or view.blends:
        return None
    total = sum(labels.counts.values())
    luck = sum((n / total) ** 2 for n in labels.counts.values())
    disagree = labels.twins * min(1.0, (1 - labels.twins_agree) / max(1 - luck, 1e-9))
    unread = _unread_table(view)
    if not disagree >= (limit if unread is None else limit * _UNREAD):
        return None
    text = f"{labels.twins:.0%} of the input rows equal another row, and {1 - labels.twins_agree:.0%} of such pairs have different targets."
    if unread is not None:
        table, read = unread
        text += f" Of the {table.shape[0]} rows of {table.name} no batch has read more than {max(round(read), 1)}: nearly all that it looks up is the same."
    return Symptom("twins-disagree", text, disagree, limit, 1.0, "input")


def _unread_table(view: View) -> tuple[ParameterInfo, float] | None:
    """The table that looks the inputs up, and how many of its rows a batch reads, where whole sequences come down to a few of its many rows:
    words that it does not know, and the padding. A column of categories may well have a common one.
    """
    f = view.features
    if f is None or f.dtype.startswith(("float", "double", "bfloat")) or len(f.shape) < 2 or f.shape[-1] < _SEQUENCE or (view.batch or 0) < _SEQUENCES:
        return None
    tables = [p for p in view.parameters.values() if "Embedding" in p.module_type and len(p.shape) == 2 and p.index in view.reached]
    starved = [(p, read) for p in tables if 0 < (read := _rows_read(view, p)) <= _FEW_READ and p.shape[0] >= _UNREAD_ROWS * _FEW_READ]
    return starved[0] if starved and len(starved) == len(tables) else None


def _rows_read(view: View, table: ParameterInfo) -> float:
    """The most rows of a table that got a gradient in one look."""
    filled = [1 - x.zero for s in view.samples for x in s.parameters if x.parameter == table.index and x.zero is not None]
    return max(filled, default=0.0) * table.shape[0]


DETECTORS = (
    one_label, twins_disagree, class_imbalance, predicts_one_class, minority_ignored, no_signal, signal_present, signal_nonlinear, signal_after_shift, few_samples, sure_and_wrong, codes_as_numbers, classes_without_order, batches_differ,
)  # fmt: skip
