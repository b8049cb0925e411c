"""Which change of the run would mend a suspected cause. A change is spelt as the probe takes it (`probe/intervene.py`)."""

from __future__ import annotations

from nndoctor.diagnosis.model import Diagnosis, Suspect

# Smallest change first: where it suffices, the next is not tried.
CHANGES: dict[str, tuple[str, ...]] = {
    "lr-too-high": ("rate*0.1", "rate*0.01"),
    "lr-too-low": ("rate*10", "rate*100"),
}


def to_try(diagnosis: Diagnosis, most: int) -> list[Suspect]:
    """The leading suspects that a trial can speak for or against."""
    serious = [s for s in diagnosis.suspects if s.severity != "note" or s.confidence >= 0.3]
    return [s for s in serious if s.cause.id in CHANGES][:most]


def in_words(change: str) -> str:
    """"learning rate x 0.1" for "rate*0.1"."""
    what, factor = change.split("*")
    return f"{'learning rate' if what == 'rate' else what} x {factor}"
