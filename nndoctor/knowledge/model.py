"""A page of the knowledge base as typed data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

STAGES = ("data", "model", "loss", "optimization", "loop")  # in the order in which a person looks
SEVERITIES = ("error", "warning", "note")  # most severe first


def is_as_severe(severity: str, least: str) -> bool:
    """Whether a severity is this one or worse; nothing is as severe as "never"."""
    return least != "never" and SEVERITIES.index(severity) <= SEVERITIES.index(least)


@dataclass(frozen=True)
class Evidence:
    """How much one symptom speaks for (positive) or against (negative) a cause, as a log likelihood ratio."""

    symptom: str
    weight: float


@dataclass(frozen=True)
class Fix:
    """One thing to change, and code to type where there is any.

    A cause with several faces (softmax twice, a missing log-softmax) has a fix for each: `when` names the symptoms
    that this one answers. An empty `when` fits always.
    """

    text: str
    code: str = ""
    when: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Cause:
    """One thing that can be wrong with a training run."""

    id: str
    title: str  # a noun phrase: what is wrong, never the cure
    stage: str  # "data", "model", "loss", "optimization", "loop"
    what: str  # one sentence
    why: str  # the mechanism
    severity: str  # of the finding where the run fails by it: "error" or "warning"; "note" for advice
    prior: float  # log odds before any evidence
    needs: list[str]  # at least one of these symptoms must hold; a cause without any is never suspected
    evidence: list[Evidence]
    leads_to: list[str]  # causes that this one brings about; they stand below it
    known_problems: str
    fixes: list[Fix]
    documents: list[str]  # claim ids
    references: list[str] = field(default_factory=list)
    # Changes that take it away, as `nndoctor try` spells them, the smallest edit first; none where no change of the run does.
    cures: list[str] = field(default_factory=list)

    def fixes_for(self, symptoms: Collection[str]) -> list[Fix]:
        """The fixes that suit a run with these symptoms, best first: those made for one of them, then the general."""
        made_for = [fix for fix in self.fixes if any(name in symptoms for name in fix.when)]
        return made_for + [fix for fix in self.fixes if not fix.when]


@dataclass(frozen=True)
class Claim:
    """One thing that a document says about training runs that fail, in one short phrase of our own."""

    id: str  # "A-lr-high": the document's letter, then the subject
    phrase: str
    title: str  # of the document
    shown: str = ""  # where a report answers it by itself, beside the causes that cite it

    def __str__(self) -> str:
        return f"{self.id} ({self.title})"


@dataclass(frozen=True)
class Document:
    """A text on failing runs, known by its letter, with everything in it that a cause may cite."""

    letter: str
    title: str
    claims: list[Claim]
