"""Scores causes by their evidence, and lets the better explanation explain others away.

The one place where the ranking rule stands:

1. A cause is considered if one of the symptoms that it needs holds.
2. Its log odds are its prior plus, for each symptom that holds, weight times strength.
3. Where a likely cause brings another about (`leads_to`), the other stands below it, and is left out unless it has
   evidence of its own, that is, log odds of at least even without the symptoms that the first one explains, and rests
   on a fact where the first is sure.
4. A cause that rests on facts (a shape, a missing call) explains in the same way those that rest on how the run went
   alone (rates, dead units, overfitting): a broken run shows all kinds of dynamics.
5. Where a trial was made, it outweighs all this: a confirmed suspect stands first, a refuted one is a note.
6. Where two causes rest on the same symptoms, the weaker keeps only what the stronger does not explain.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

from nndoctor.diagnosis.model import Suspect
from nndoctor.knowledge.model import Cause
from nndoctor.record.model import Place
from nndoctor.symptoms.catalogue import FACTS
from nndoctor.symptoms.model import Symptom

_LIKELY = 0.5
_SURE = 0.7
_CONFIRMED, _REFUTED = 0.97, 0.3  # a confirmed suspect's least confidence; what a refuted one keeps of its own
# Share of a symptom's weight that a weaker cause loses to a stronger one which explains the symptom as well.
_SHARED = 0.5


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
        """The odds as a probability."""
        return 1.0 / (1.0 + math.exp(-max(min(self.odds, 50.0), -50.0)))

    def suspect(self, severity: str, location: Place | None, module: str | None) -> Suspect:
        """As the diagnosis carries it."""
        return Suspect(
            self.cause, round(min(self.confidence, 0.99), 3), severity, self.evidence, self.against, location, module,
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


def after_trials(suspects: list[Suspect]) -> list[Suspect]:
    """Confirmed suspects first, refuted ones last."""

    def judged(s: Suspect) -> Suspect:
        if s.trial is None:
            return s
        if s.trial.confirmed:
            severity = "error" if s.severity == "note" else s.severity
            return dataclasses.replace(s, confidence=max(s.confidence, _CONFIRMED), severity=severity)
        return dataclasses.replace(s, confidence=s.confidence * _REFUTED, severity="note")

    known = [judged(s) for s in suspects]
    return sorted(known, key=lambda s: (not (s.trial and s.trial.confirmed), bool(s.trial and not s.trial.confirmed)))


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
