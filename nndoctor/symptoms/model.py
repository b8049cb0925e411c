"""What a symptom is, and how a catalogue entry describes it."""

from __future__ import annotations

from dataclasses import dataclass

from nndoctor.record.model import Place


@dataclass(frozen=True)
class Symptom:
    """A measured fact that holds for this recording.

    `strength` says how plainly it holds, from 0 (only just) to 1 (beyond doubt); it scales the weights of the
    knowledge base and is no probability.
    """

    name: str
    text: str  # one sentence with the numbers, for a person
    value: float | None = None
    threshold: float | None = None
    strength: float = 1.0
    where: str = ""  # module, parameter or phase
    place: Place | None = None


@dataclass(frozen=True)
class SymptomInfo:
    """One entry of the catalogue: `nndoctor symptoms` prints these, knowledge may name only these."""

    name: str
    subject: str  # the file that measures it
    what: str  # one sentence
    threshold: float | None = None
    why: str = ""  # reason and source of the threshold
    fact: bool = False  # read off the run directly, not inferred from how it went
