"""Scores causes by their evidence, and lets the better explanation explain others away.

The one place where the ranking rule stands:

1. A cause is considered if one of the symptoms that it needs holds.
2. Its log odds are its prior plus, for each symptom that holds, weight times strength.
3. Where a likely cause brings another about (`leads_to`), the other stands below it, and is left out unless it has
   evidence of its own, that is, log odds of at least even without the symptoms that the first one explains, and rests
   on a fact where the first is sure.
4. A cause that rests on facts (a shape, a missing call) explains in the same way those that rest on how the run went
   alone (rates, dead units, overfitting): a broken run shows all kinds of dynamics.
5. Where two causes rest on the same symptoms, the weaker keeps only what the stronger does not explain.

After trials (`after_trials`), which outweigh all this:

6. A suspect whose cure makes the run learn stands first. Of several, those count that come within a tenth of what the
   best one reaches; among them the smallest edit wins (`probe/changes/names.py` has the sizes), and where the edits are
   alike, the stronger suspicion. What else was confirmed stands below, as its consequence.
7. A refuted suspect sinks below all that were not refuted, and is no more than a note once another one is confirmed or
   the run learns all the same. One that rests on a fact keeps its severity: the fact is still there, and counts,
   unless it is of a kind that counts by its effect alone, as a mode or the sign of a loss.
8. A trial that was not possible says nothing.
9. A cure that leaves more than half unlearnt has mended something, and not all: a suspect that rests on a fact, is sure,
   and could not be tried, stays before it.
10. Where nothing was confirmed, a run that memorises one batch speaks for data and optimisation, and one that cannot
   for model, loss and loop, by a factor of two in the odds.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from nndoctor.diagnosis.calibration import Calibration, shipped
from nndoctor.diagnosis.model import Diagnosis, Suspect, Trial
from nndoctor.knowledge.model import Cause
from nndoctor.record.model import Place
from nndoctor.symptoms.catalogue import FACTS
from nndoctor.symptoms.model import Symptom

_LIKELY = 0.5
_SURE = 0.7
_CONFIRMED, _REFUTED = 0.97, 0.3  # a confirmed suspect's least confidence; what a refuted one keeps of its own
_MEMORISED = 0.9  # of what there is to learn in one batch
_MATCHED = 0.1  # of what there is to learn: two cures that differ by less do equally well
_HALF = 0.5  # of what there is to learn
# Cures of what counts where it makes a difference: a mode, and the way that a loss is to go.
_BY_EFFECT = ("evaluation=", "mode=", "norm=", "loss=negated")
# Share of a symptom's weight that a weaker cause loses to a stronger one which explains the symptom as well.
_SHARED = 0.5
_PLAIN = Calibration()  # odds taken at their word


@dataclass
class Scored:
    """A cause with its odds."""

    cause: Cause
    odds: float  # log odds
    parts: dict[str, float]  # symptom -> what it adds
    evidence: list[Symptom]
    against: list[Symptom]
    consequence_of: str | None = None
    left_out: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def confidence(self) -> float:
        """The odds as a probability, as the rules of the ranking see it."""
        return _PLAIN.confidence(self.odds)

    def suspect(self, severity: str, location: Place | None, module: str | None) -> Suspect:
        """As the diagnosis carries it."""
        return Suspect(
            self.cause, round(min(shipped().confidence(self.odds), 0.99), 3), severity, self.evidence, self.against, location, module,
            consequence_of=self.consequence_of,
        )  # fmt: skip


def score(cause: Cause, symptoms: list[Symptom]) -> Scored | None:
    """Odds of one cause; None where none of the symptoms it needs holds."""
    held = {s.name: s for s in symptoms}
    if not any(n in held for n in cause.needs):
        return None
    parts = {e.symptom: e.weight * held[e.symptom].strength for e in cause.evidence if e.symptom in held}
    order = sorted(parts, key=lambda n: -abs(parts[n]))
    return Scored(
        cause, cause.prior + sum(parts.values()), parts, [held[n] for n in order if parts[n] > 0], [held[n] for n in order if parts[n] < 0]
    )


def rank(scored: list[Scored]) -> list[Scored]:
    """Most suspected first."""
    first = sorted(scored, key=lambda s: -s.odds)
    for s in first:
        parent = _parent(s, first)
        if parent is not None:
            s.consequence_of = parent.cause.id
            s.left_out = _own_odds(s, parent) < 0 or (parent.confidence >= _SURE and not _is_fact(s))
            s.odds = min(s.odds, parent.odds - 0.1)
    standing = sorted((s for s in first if s.consequence_of is None), key=lambda s: -s.odds)
    for i, s in enumerate(standing):
        stronger = [t for t in standing[:i] if t.confidence >= _LIKELY]
        if stronger:
            explained = set().union(*({n for n, v in t.parts.items() if v > 0} for t in stronger))
            s.odds -= sum(_SHARED * v for n, v in s.parts.items() if v > 0 and n in explained)
    return sorted(first, key=lambda s: -s.odds)


def after_trials(diagnosis: Diagnosis, trials: list[Trial], causes: Mapping[str, Cause]) -> Diagnosis:
    """The diagnosis with its suspects ranked by rules 6 to 10."""
    best = {cause: _best([t for t in trials if t.cause == cause]) for cause in {t.cause for t in trials if t.cause}}
    known = {s.cause.id: s for s in [*diagnosis.hidden, *diagnosis.suspects]}
    told = [s.cause.id for s in diagnosis.suspects]
    order = [*told, *(s.cause.id for s in diagnosis.hidden), *best]
    confirmed = sorted((t for t in best.values() if t.confirmed), key=lambda t: _preference(t, best, order))
    first = [_as_confirmed(t, known.get(t.cause), causes, confirmed[0]) for t in confirmed]
    # Untried rivals stand behind the confirmed ones, and before the refuted.
    rest = [_as_tried(known[c], best.get(c), bool(confirmed), diagnosis) for c in told if c not in {s.cause.id for s in first}]
    if not first:
        rest = _by_family(rest, trials)
    elif confirmed[0].reached < _HALF:
        first = _behind_facts(first, rest)
        rest = [s for s in rest if s not in first]
    rest.sort(key=lambda s: (s.severity == "note", s.trial is not None and s.trial.outcome == "refuted"))
    suspects = first + rest
    serious = any(s.severity != "note" for s in suspects)
    reasons = diagnosis.reasons if serious or diagnosis.doubtful else ["The suspects were tried: without them the run does no better."]
    verdict = "sick" if serious else "healthy" if diagnosis.verdict == "sick" else diagnosis.verdict
    if verdict == "inconclusive":
        suspects, reasons = [], [f"{diagnosis.reasons[0]} {len(trials)} changes of the run were tried, and none makes it learn."]
    return dataclasses.replace(diagnosis, suspects=suspects, verdict=verdict, reasons=reasons, trials=trials, caution=diagnosis.caution if verdict == "healthy" else "")


def _behind_facts(confirmed: list[Suspect], others: list[Suspect]) -> list[Suspect]:
    """Rule 9: the sure ones, and then those that were confirmed, as their consequences."""
    untried = [s for s in others if s.severity != "note" and (s.trial is None or not s.trial.possible)]
    sure = [s for s in untried if shipped().unfitted(s.confidence) >= _SURE and rests_on_fact(s)]
    if not sure:
        return confirmed
    return sure + [dataclasses.replace(s, confidence=min(s.confidence, sure[-1].confidence), consequence_of=sure[0].cause.id) for s in confirmed]


def rests_on_fact(suspect: Suspect) -> bool:
    """Whether a fact is among its evidence, that is there whatever a trial makes of the run."""
    return any(e.name in FACTS for e in suspect.evidence)


def _by_family(suspects: list[Suspect], trials: list[Trial]) -> list[Suspect]:
    """Rule 10."""
    control = next((t for t in trials if t.spelling == "one-batch=repeated" and t.possible), None)
    if control is None:
        return suspects
    favoured = ("data", "optimization") if control.reached >= _MEMORISED else ("model", "loss", "loop")

    def odds(s: Suspect) -> float:
        return shipped().odds(s.confidence) + (math.log(2) if s.cause.stage in favoured else 0.0)

    return sorted(suspects, key=odds, reverse=True)


def _best(trials: list[Trial]) -> Trial:
    """What a cause's trials come to: the smallest edit that does as well as any; one that was possible before one that was not."""
    confirmed = [t for t in trials if t.confirmed]
    if confirmed:
        most = max(t.reached for t in confirmed)
        return min((t for t in confirmed if t.reached >= most - _MATCHED), key=lambda t: (t.size, -t.gain))
    return max(trials, key=lambda t: (t.possible, t.gain))


def _preference(trial: Trial, best: Mapping[str, Trial], order: list[str]) -> tuple[bool, int, int]:
    """The sort key of rule 6."""
    most = max(t.reached for t in best.values() if t.confirmed)
    return trial.reached < most - _MATCHED, trial.size, order.index(trial.cause)


def _as_confirmed(trial: Trial, suspect: Suspect | None, causes: Mapping[str, Cause], first: Trial) -> Suspect:
    if suspect is None:
        suspect = Suspect(causes[trial.cause], 0.0, "note", [])
    if trial is not first:
        severity = "note" if suspect.severity == "note" else "warning"
        return dataclasses.replace(suspect, trial=trial, severity=severity, confidence=min(suspect.confidence, 0.5), consequence_of=first.cause)
    severity = suspect.cause.severity if suspect.severity == "note" else suspect.severity
    return dataclasses.replace(
        suspect, trial=trial, severity=severity, confidence=max(suspect.confidence, _CONFIRMED), consequence_of=None
    )


def _as_tried(suspect: Suspect, trial: Trial | None, other: bool, diagnosis: Diagnosis) -> Suspect:
    """A suspect that no trial has confirmed; `other`: another one was."""
    suspect = dataclasses.replace(suspect, trial=trial)
    if trial is None or trial.outcome != "refuted":
        return suspect
    fact = rests_on_fact(suspect) and not trial.spelling.startswith(_BY_EFFECT)
    harmless = not fact and (other or not diagnosis.failing)
    return dataclasses.replace(
        suspect, confidence=round(suspect.confidence * _REFUTED, 3), severity="note" if harmless else suspect.severity
    )


def _parent(s: Scored, all_scored: list[Scored]) -> Scored | None:
    """The likeliest cause that brings this one about and is likely itself."""
    parents = [
        t for t in all_scored
        if t is not s and not t.left_out and t.consequence_of != s.cause.id and t.confidence >= _LIKELY and (s.cause.id in t.cause.leads_to or (t.cause.id not in s.cause.leads_to and _is_fact(t) and t.confidence >= _SURE and not _is_fact(s) and t.cause.severity == "error"))
    ]  # fmt: skip
    return max(parents, key=lambda t: t.odds, default=None)


def _is_fact(s: Scored) -> bool:
    """Whether one of the symptoms that the cause needs, and that hold, is a fact."""
    return any(n in FACTS for n in s.cause.needs if s.parts.get(n, 0) > 1)


def _own_odds(s: Scored, parent: Scored) -> float:
    """Odds without the symptoms that the parent explains."""
    return s.cause.prior + sum(v for n, v in s.parts.items() if n not in parent.parts or parent.parts[n] <= 0)
