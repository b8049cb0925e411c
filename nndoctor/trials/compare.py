"""Whether a changed run does better than the run as it is, at equal steps, by what cannot be argued with.

The measure is the task score where there is one: accuracy or R2, from outputs against targets, on training batches,
and on the script's own validation where both runs have one. Only without any score is it the loss, and only where the
change left the loss what it was. All are put on one scale, `skill`: 0 for a constant prediction, 1 for a perfect one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nndoctor.diagnosis.model import Trial
from nndoctor.probe.changes.names import Change
from nndoctor.record.cut import cut
from nndoctor.record.model import Recording
from nndoctor.symptoms.view import View

# A cure must bring at least a quarter of all that there is to learn ...
GAIN = 0.25
# ... or half of what was still missing, if that is a tenth of it all: control runs with other seeds differ by less.
SHARE, LEAST = 0.5, 0.1
_ENOUGH_STEPS = 10
# Changes of the mode in which a batch is predicted: dropout blurs the training score of a better network.
_MODES = ("mode", "evaluation", "dropout", "norm")


@dataclass(frozen=True)
class Score:
    """How well a run does at some step."""

    measure: str
    value: float
    skill: float


def compare(change: Change, cause: str, before: Recording, after: Recording, other: Recording | None = None) -> Trial:
    """The outcome of a change. `other` is the run as it is under another seed, where that was tried."""
    made = next((c for c in after.changes if c.change == change.spelling), None)
    steps = min(len(before.steps), len(after.steps))

    def impossible(reason: str) -> Trial:
        return Trial(change.words, steps, None, None, "", "not possible", change.spelling, cause, change.kind.size, reason=reason, losses=thinned(after))

    end = after.end
    if end is not None and end.reason in ("error", "signal", "timeout", "lost") and (end.reason != "error" or steps < len(before.steps)):
        return impossible(f"the changed run ended early: {end.error.splitlines()[0] if end.error else end.reason}")
    if made is None or not made.applied:
        return impossible("there was nothing in this run that it could change")
    if steps < _ENOUGH_STEPS:
        return impossible(f"only {steps} steps of the changed run were seen")
    # A run that broke down by its own error stays where it was, however far the other one comes.
    broken = before.end is not None and before.end.reason == "error"
    pair = scores(change, cut(before, steps), after if broken else cut(after, steps))
    if pair is None:
        return impossible("the two runs have no score that can be compared")
    one, two = pair
    gain = two.skill - one.skill
    third = scores(change, before, cut(other, steps)) if other is not None else None
    again = third[1].skill if third is not None else None
    return Trial(
        change.words, steps, one.value, two.value, two.measure, judge(change, one.skill, gain, again), change.spelling, cause,
        change.kind.size, gain=gain, reached=two.skill, losses=thinned(after),
    )  # fmt: skip


def judge(change: Change, before: float, gain: float, other: float | None = None) -> str:
    """The outcome that a gain of skill stands for.

    With a second control, the gain over the mean of both must be twice their deviation from it.
    """
    if not change.is_cure:
        return "control"
    within_noise = other is not None and gain - (other - before) / 2 <= abs(other - before)
    if (gain >= GAIN or (gain >= LEAST and gain >= SHARE * (1.0 - before))) and not within_noise:
        return "confirmed"
    return "refuted" if gain < LEAST else "unclear"


def doubtful(trial: Trial) -> bool:
    """Whether a confirmation rests on a difference that another seed might make."""
    return trial.confirmed and trial.gain < 1.5 * GAIN


def scores(change: Change, before: Recording, after: Recording) -> tuple[Score, Score] | None:
    """The two runs by the same measure; None where they have none in common."""
    one, two = View(before), View(after)
    if change.kind.name in _MODES and one.validation_skill is not None and two.validation_skill is not None:
        return _validated(one), _validated(two)
    if change.kind.name == "evaluation":
        return None  # it leaves training as it is
    for measure in (_balanced if change.kind.name == "classes" else _accuracy, _r2):
        found = measure(one), measure(two)
        if found[0] is not None and found[1] is not None:
            return found[0], found[1]
    if len(one.losses) and not np.isfinite(one.losses[-one.tenth :]).any():
        return _survival(two)
    if change.kind.own_loss:
        return None
    return _losses(one, two)


def _survival(two: View) -> tuple[Score, Score] | None:
    """Of a run that ended in NaN nothing is left; the other has what it brought its own loss down by."""
    if two.early is None or not math.isfinite(two.early) or two.early <= 0:
        return None
    tail = two.losses[-two.tenth :]
    last = float(np.mean(tail)) if len(tail) and np.isfinite(tail).all() else math.nan
    return Score("loss", math.nan, 0.0), Score("loss", last, max(1.0 - last / two.early, -1.0) if math.isfinite(last) else 0.0)


def _accuracy(view: View) -> Score | None:
    """Accuracy on training batches, averaged with that of the validation where there is one."""
    chance = _chance(view)
    if view.accuracy is None or chance is None or chance > 0.995:
        return None
    skill = (view.accuracy - chance) / (1.0 - chance)
    return Score("accuracy", view.accuracy, _with_validation(view, skill))


def _balanced(view: View) -> Score | None:
    """Accuracy in which every class counts the same: a constant has one over their number."""
    values = [s.balanced for s in view.samples if s.balanced is not None]
    classes = len(view.labels.counts) if view.labels is not None else 0
    if not values or classes < 2:
        return None
    late = float(np.mean(values[-max(3, len(values) // 3) :]))
    return Score("balanced accuracy", late, (late - 1 / classes) / (1 - 1 / classes))


def _r2(view: View) -> Score | None:
    if view.r2 is None or not math.isfinite(view.r2):
        return None
    return Score("R2", view.r2, _with_validation(view, max(view.r2, -1.0)))


def _validated(view: View) -> Score:
    """By validation alone."""
    last = view.evaluations[-1]
    value = last.accuracy if view.is_classification else last.r2
    return Score("validation " + ("accuracy" if view.is_classification else "R2"), math.nan if value is None else value, _bounded(view.validation_skill))


def _with_validation(view: View, skill: float) -> float:
    return skill if view.validation_skill is None else (skill + _bounded(view.validation_skill)) / 2


def _bounded(skill: float | None) -> float:
    """A score that is no number, or far below a constant's, is as bad as can be."""
    return max(skill, -1.0) if skill is not None and math.isfinite(skill) else -1.0


def _chance(view: View) -> float | None:
    """Accuracy of naming the most frequent class always, or every label's more frequent value; from the means of 0 and 1."""
    if view.chance is not None:
        return view.chance
    labels = view.labels
    if labels is None or not labels.mean:
        return None
    if labels.task == "multilabel":
        return float(np.mean([max(p, 1 - p) for p in labels.mean]))
    return max(labels.mean) if len(labels.mean) > 1 else max(labels.mean[0], 1 - labels.mean[0])


def _losses(one: View, two: View) -> tuple[Score, Score] | None:
    """Of the control's early loss (or a constant's, where it is known), how much is gone at the end."""
    reference = one.constant or one.early
    if reference is None or not math.isfinite(reference) or reference <= 0 or not _falls_by_learning(one):
        return None
    found = []
    for view in (one, two):
        tail = view.losses[-view.tenth :]
        last = float(np.mean(tail)) if len(tail) and np.isfinite(tail).all() else math.inf
        found.append(Score("loss", last, max(1.0 - last / reference, -1.0)))
    return found[0], found[1]


def _falls_by_learning(view: View) -> bool:
    """Whether a lower loss is a better one: it compares with targets, or is a plain log likelihood (a policy's is weighted)."""
    if view.comparable or view.main_loss is None:
        return view.comparable
    ops = {link.op for link in view.main_loss.chain}
    return bool(ops & {"Log", "LogSoftmax", "Logsumexp", "Index", "Gather"}) and not ops & {"Mul", "Minimum", "Min", "Clamp"}


def thinned(recording: Recording, most: int = 60) -> list[tuple[int, float]]:
    """Step and loss, averaged over stretches: enough for a curve."""
    rows = [(s.index, s.loss) for s in recording.steps if s.loss is not None]
    size = max(1, -(-len(rows) // most))
    parts = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [(part[-1][0], sum(x for _, x in part) / len(part)) for part in parts]
