"""Judges the curves of a log that somebody else has kept: the five combinations of the first document, and what is noticed in losses.

A log says how a run went and not why. What is told is what the curves show; the causes that would fit are named as such,
and what cannot be known from a log is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nndoctor.diagnosis.curve import ENDED_IN_NAN, sentence
from nndoctor.knowledge.loader import load_causes
from nndoctor.knowledge.model import Cause
from nndoctor.logs.model import Log, Series
from nndoctor.logs.recording import as_recording
from nndoctor.symptoms.catalogue import NAMES
from nndoctor.symptoms.curves import OF_LOSSES
from nndoctor.symptoms.model import Symptom
from nndoctor.symptoms.view import View

# Points of a curve below which its direction cannot be told from chance: with three, every third order is a monotone one.
_ENOUGH = 4
_FEW = 10  # points of a curve below which a direction is told with a warning
# A curve moves if the last third of its late half differs from the first by three standard errors, and by a fiftieth.
_ERRORS, _SHARE = 3.0, 0.02
_LUCK = 3.5  # deviations by which the lowest of some hundred points lies below their mean, and a little more
_GAP = 0.3  # between the accuracies of training and validation, on whose scale a constant is at 0 or above
_MOST = 5  # causes named


@dataclass(frozen=True)
class Combination:
    """What a pair of directions stands for: how grave it is, the claims that say so, and what else it may be."""

    severity: str  # "error", "warning", "note"; "" for what a sound run shows
    claims: tuple[str, ...] = ()
    caution: str = ""


_COMBINATIONS = {
    ("falls", "falls"): Combination("", ("A-curve-1",)),
    ("falls", "flat"): Combination("note", ("A-curve-2",), "A validation loss that has reached its floor looks the same as one held up by overfitting; the gap between the two curves tells them apart only where both are measured alike."),
    ("falls", "rises"): Combination("warning", ("A-curve-2", "B-overfit", "C-overfit"), "A loss may rise by a few samples that are confidently wrong, while accuracy still improves."),
    ("flat", "falls"): Combination("warning", ("A-curve-3",), "Dropout, augmentation and a mean over the whole epoch raise the training loss and not that of validation."),
    ("flat", "flat"): Combination("note", ("A-curve-4",), "A log cannot tell a run that has converged from one that is stuck: that takes the loss of a constant prediction."),
    ("flat", "rises"): Combination("warning", ("A-curve-2", "B-overfit")),
    ("rises", "rises"): Combination("error", ("A-curve-5",)),
    ("rises", "falls"): Combination("warning", (), "A training loss that rises while validation falls is seldom one run's: are both of the same run and the same loss?"),
    ("rises", "flat"): Combination("warning"),
    ("rises", ""): Combination("warning"),
    ("", "rises"): Combination("warning"),
}  # fmt: skip
_SEVERITIES = {"loss-nonfinite": "error", "loss-diverged": "error", "loss-unbounded": "error", "loss-jumps": "note", "still-falling": "note", "learns": ""}


@dataclass(frozen=True)
class Finding:
    """One thing that the curves show, in a sentence. Severity "" speaks for the run."""

    name: str  # of the symptom, or "curves" for the combination
    text: str
    severity: str
    claims: tuple[str, ...] = ()


@dataclass(frozen=True)
class LogReading:
    """Everything that a report on a log shows."""

    log: Log
    verdict: str  # "sick", "unremarkable" (a log shows no health), "inconclusive"
    reading: str
    findings: list[Finding]  # gravest first
    fits: list[Cause]  # causes that would look like this, the likeliest first
    unknown: list[str]  # what cannot be known from this log
    extent: dict[str, tuple[float, float, float]] = field(default_factory=dict)  # first, best and last value by column


def judge(log: Log, thresholds: Mapping[str, float] | None = None) -> LogReading:
    """What the curves of a log show. Pure: the same log gives the same answer."""
    directions = _directions(log)
    symptoms = _symptoms(log, thresholds or {})
    combination = _COMBINATIONS.get(directions, Combination(""))
    fallen = _trend(log.training, whole=True)
    if directions == ("flat", "falls") and fallen is not None and fallen.direction == "falls":
        combination = replace(combination, severity="note")  # training came to rest first, as it does under dropout
    reading = sentence(*directions)
    if log.training is not None and log.training.points and not math.isfinite(log.training.values[-1]):
        combination, reading = Combination(""), ENDED_IN_NAN
    findings = [_finding(s) for s in symptoms] + _nonfinite(log.validation, "validation")
    if combination.severity:
        findings.append(Finding("curves", reading, combination.severity, combination.claims))
    order = ("error", "warning", "note", "")
    findings.sort(key=lambda f: order.index(f.severity))
    grave = any(f.severity in ("error", "warning") for f in findings)
    verdict = "sick" if grave else "unremarkable" if any(directions) else "inconclusive"
    return LogReading(log, verdict, reading, findings, _fits(combination, symptoms, findings), _unknown(log, combination), _extent(log))


@dataclass(frozen=True)
class Trend:
    """How far a curve moves over its late half, and how far noise might move it: both as shares of its level."""

    change: float
    noise: float

    @property
    def direction(self) -> str:
        """One of "falls", "rises" and "flat"."""
        if abs(self.change) <= max(self.noise, _SHARE):
            return "flat"
        return "falls" if self.change < 0 else "rises"


def _directions(log: Log) -> tuple[str, str]:
    """Direction of training and validation over their late halves; "" for one of which there is too little.

    A curve that seems to stand still, but whose noise would hide a movement like the other one's, is not told apart from it.
    """
    one, two = _trend(log.training), _trend(log.validation)
    if one is None or two is None:
        return one.direction if one else "", two.direction if two else ""
    first, second = one.direction, two.direction
    if "flat" in (first, second) and abs(one.change - two.change) <= math.hypot(one.noise, two.noise):
        moving = second if first == "flat" else first
        return moving, moving
    return first, second


def _trend(series: Series | None, whole: bool = False) -> Trend | None:
    """The last third of the late half (or of the whole) of a curve against the first; None where there is too little of it."""
    known = np.array([v for v in series.values if math.isfinite(v)] if series is not None else [])
    if len(known) < _ENOUGH:
        return None
    part = known if whole else known[-max(_ENOUGH, len(known) // 2) :]
    k = max(1, len(part) // 3)
    start, end = float(part[:k].mean()), float(part[-k:].mean())
    level = max(abs(start), 1e-12)
    return Trend((end - start) / level, _ERRORS * _noise(part) * math.sqrt(2 / k) / level)


def _noise(values: np.ndarray[Any, Any]) -> float:
    """Deviation from point to point, without the trend."""
    return float(np.std(np.diff(values))) / math.sqrt(2)


def _symptoms(log: Log, thresholds: Mapping[str, float]) -> list[Symptom]:
    view = View(as_recording(log), thresholds, log=True)
    found = [s for detector in OF_LOSSES if (s := detector(view)) is not None]
    found = [s for s in found if s.name != "validation-rises" or _rises_beyond_noise(log)]
    return found + [s for s in (_memorises(log),) if s is not None]


def _rises_beyond_noise(log: Log) -> bool:
    """Whether validation ends above its minimum by more than the minimum of so much noise lies below its mean.

    A watched run has a handful of passes, of which the lowest means something; the lowest of a log's hundreds is luck.
    """
    known = np.array([v for v in log.validation.values if math.isfinite(v)] if log.validation is not None else [])
    if len(known) < _FEW:
        return True
    end = float(known[-max(1, len(known) // 5) :].mean())
    return end - float(known.min()) > _LUCK * _noise(known[len(known) // 2 :])


def _memorises(log: Log) -> Symptom | None:
    """Accuracy in training far above that in validation.

    What a constant reaches is not known here; beside it, the gap would only be larger.
    """
    if log.training_accuracy is None or log.validation_accuracy is None:
        return None
    one, two = (_late(s.values) for s in (log.training_accuracy, log.validation_accuracy))
    scale = 100.0 if max(one, two) > 1.5 else 1.0  # written in per cent
    gap = (one - two) / scale
    if not gap > _GAP:
        return None
    text = f"Training accuracy ends at {one / scale:.0%} and validation accuracy at {two / scale:.0%}."
    return Symptom("memorises", text, gap, _GAP, min(1.0, gap / 0.6))


def _late(values: list[float]) -> float:
    known = [v for v in values if math.isfinite(v)]
    return float(np.mean(known[-max(1, len(known) // 10) :])) if known else math.nan


def _finding(symptom: Symptom) -> Finding:
    return Finding(symptom.name, symptom.text, _SEVERITIES.get(symptom.name, "warning"))


def _nonfinite(series: Series | None, name: str) -> list[Finding]:
    bad = [i for i, v in enumerate(series.values, 1) if not math.isfinite(v)] if series is not None else []
    return [Finding("loss-nonfinite", f"The {name} loss was NaN or infinite in {len(bad)} of {len(series.values)} points, first at point {bad[0]}.", "error")] if bad and series is not None else []


def _fits(combination: Combination, symptoms: list[Symptom], findings: list[Finding]) -> list[Cause]:
    """Causes that would look like this, by what speaks for them; none where nothing is wrong.

    A cause fits that needs a symptom which holds, or that cites what the combination shows.
    """
    grave = {f.name for f in findings if f.severity in ("error", "warning")}
    if not grave:
        return []
    strength = {s.name: s.strength for s in symptoms if s.name in grave}
    scored = []
    for cause in load_causes(symptoms=NAMES).values():
        said = sum(claim in cause.documents for claim in combination.claims) if "curves" in grave else 0
        needed = [n for n in cause.needs if n in strength]
        if said or needed:
            scored.append((said + sum(e.weight * strength.get(e.symptom, 0.0) for e in cause.evidence) + cause.prior / 10, cause))
    return [cause for _, cause in sorted(scored, key=lambda pair: -pair[0])[:_MOST]]


def _unknown(log: Log, combination: Combination) -> list[str]:
    """What cannot be known, the particular first."""
    found = [combination.caution] if combination.caution else []
    if log.training is None:
        found.append("There is no training loss: whether the run fits its own data is not known.")
    if log.validation is None:
        found.append("There is no validation loss: whether the run generalises is not known.")
    fewest = min(len(s.points) for s in (log.training, log.validation) if s is not None)
    if fewest < _FEW:
        found.append(f"With a curve of only {fewest} point{'' if fewest == 1 else 's'}, noise and trend are hard to tell apart.")
    found.append("Whether the loss is better than always predicting the same, which weights move, and what the data look like: that takes a run that is watched, `nndoctor check train.py`.")
    return found


def _extent(log: Log) -> dict[str, tuple[float, float, float]]:
    found = {}
    for series, best in ((log.training, min), (log.validation, min), (log.training_accuracy, max), (log.validation_accuracy, max)):
        known = [v for v in series.values if math.isfinite(v)] if series is not None else []
        if series is not None and known:
            found[series.name] = (known[0], best(known), known[-1])
    return found
