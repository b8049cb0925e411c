"""The diagnosis: what reports read and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

from nndoctor.knowledge.model import Cause, is_as_severe
from nndoctor.record.model import Place, Recording
from nndoctor.symptoms.model import Symptom

# What came of a trial. "unclear": better, but not by enough to tell; "not possible": the change found nothing to take
# hold of, or the changed run could not be compared; "control": no cure, it separates families of causes.
OUTCOMES = ("confirmed", "refuted", "unclear", "not possible", "control")


@dataclass(frozen=True)
class Trial:
    """The same probe, run again with one change. Losses or scores at equal steps."""

    change: str  # in words: "softmax bypassed"
    steps: int
    before: float | None
    after: float | None
    measure: str  # "loss", "accuracy", "R2"
    outcome: str  # one of OUTCOMES
    spelling: str = ""  # as `nndoctor try --change` takes it
    cause: str = ""  # id of the cause that it was made for; "" for a control
    size: int = 0  # of the edit that it stands for; the smaller of two cures names the cause
    gain: float = 0.0  # of what there is to learn (0: a constant's score, 1: perfect), after minus before
    reached: float = 0.0  # ... after
    reason: str = ""  # why it was not possible
    seconds: float = 0.0
    way: str = ""  # "fork" or "fresh"
    losses: list[tuple[int, float]] = field(default_factory=list)  # step and loss of the changed run, thinned out

    @property
    def confirmed(self) -> bool:
        """Whether the change took the cause away and the run learns."""
        return self.outcome == "confirmed"

    @property
    def possible(self) -> bool:
        """Whether it says anything."""
        return self.outcome != "not possible"


@dataclass(frozen=True)
class Suspect:
    """A cause under suspicion, with what speaks for it and against it."""

    cause: Cause
    confidence: float  # 0..1
    severity: str  # one of the knowledge's
    evidence: list[Symptom]  # strongest first
    against: list[Symptom] = field(default_factory=list)
    location: Place | None = None
    module: str | None = None
    trial: Trial | None = None
    consequence_of: str | None = None  # id of the suspect above that explains it
    fingerprint: str = ""  # the same for the same cause at the same line of code, wherever that line has moved to
    known: bool | None = None  # whether the baseline holds it; None: there is no baseline


@dataclass(frozen=True)
class RuledOut:
    """A cause that was looked for and not found, with the reason in words."""

    cause: Cause
    reason: str


@dataclass(frozen=True)
class UnusedComment:
    """A comment that was to silence a finding, and silenced none."""

    place: Place
    words: str  # the comment as it stands
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
    hidden: list[Suspect] = field(default_factory=list)  # considered and not told, ranked
    failing: bool = False  # the run plainly learns nothing although there is something to learn
    doubtful: bool = False  # called healthy, though it learns little, and something is suspected too little to be told, or much was missed
    caution: str = ""  # what speaks against a run that is called healthy because no known fault was found
    trials: list[Trial] = field(default_factory=list)  # all that were made, in order
    silenced: list[Suspect] = field(default_factory=list)  # would be told, but for a comment on the user's line
    unused_comments: list[UnusedComment] = field(default_factory=list)
    fail_on: str = "warning"  # the least severity that makes a build fail, or "never"

    @property
    def all_reasons(self) -> list[str]:
        """The reasons, after what speaks against them."""
        return [self.caution, *self.reasons] if self.caution else list(self.reasons)

    @property
    def is_worth_trials(self) -> bool:
        """Whether it pays to run it again with something changed."""
        return self.verdict == "sick" or self.failing or self.doubtful

    def fails_by(self, suspect: Suspect) -> bool:
        """Whether this suspect makes a build fail: severe enough, and not known from a baseline."""
        return not suspect.known and is_as_severe(suspect.severity, self.fail_on)

    @property
    def fails(self) -> bool:
        """Whether any suspect makes a build fail."""
        return any(self.fails_by(s) for s in self.suspects)
