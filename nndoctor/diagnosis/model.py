"""The diagnosis: what reports read and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

from nndoctor.knowledge.model import Cause
from nndoctor.record.model import Place, Recording
from nndoctor.symptoms.model import Symptom

SEVERITIES = ("error", "warning", "note")  # most severe first


@dataclass(frozen=True)
class Trial:
    """The same probe, run again with one change. Losses or scores at equal steps."""

    change: str  # "softmax bypassed"
    steps: int
    before: float | None
    after: float | None
    measure: str  # "loss", "accuracy", "r2"
    confirmed: bool


@dataclass(frozen=True)
class Suspect:
    """A cause under suspicion, with what speaks for it and against it."""

    cause: Cause
    confidence: float  # 0..1
    severity: str  # one of SEVERITIES
    evidence: list[Symptom]  # strongest first
    against: list[Symptom] = field(default_factory=list)
    location: Place | None = None
    module: str | None = None
    trial: Trial | None = None
    consequence_of: str | None = None  # id of the suspect above that explains it


@dataclass(frozen=True)
class RuledOut:
    """A cause that was looked for and not found, with the reason in words."""

    cause: Cause
    reason: str


@dataclass(frozen=True)
class Curve:
    """What the loss did. Losses are means over the first and last tenth of the steps."""

    reading: str  # one sentence: which of the five combinations of the first document, or still learning
    first: float | None
    last: float | None
    constant: float | None  # loss of the best constant prediction, where it is known
    score: float | None = None  # share of the constant predictor's loss that has been explained, 0..1
    score_name: str = ""  # "accuracy", "R2"
    task_score: float | None = None
    validation_score: float | None = None


@dataclass(frozen=True)
class Diagnosis:
    """Everything a report shows."""

    verdict: str  # "healthy", "sick", "inconclusive"
    suspects: list[Suspect]  # ranked
    symptoms: list[Symptom]
    ruled_out: list[RuledOut]
    curve: Curve
    reasons: list[str]  # why the verdict is what it is, for a healthy or an inconclusive run
    recording: Recording
