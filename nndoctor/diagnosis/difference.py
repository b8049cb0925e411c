"""What changed between two runs: what was chosen, what came out, where they part, and what is found wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nndoctor.diagnosis.model import Diagnosis, Suspect
from nndoctor.diagnosis.observed import measures_of, settings_of
from nndoctor.record.cut import cut
from nndoctor.record.model import Recording, Step

# A measure that moves by less than a tenth of its size may have done so by the seed alone.
_MOVED = 0.1
_ENOUGH_STEPS = 8


@dataclass(frozen=True)
class Changed:
    """One thing that was chosen otherwise; None on the side where it is not there."""

    subject: str  # "run", "loss", "optimiser", "loop", "data", "model"
    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Measured:
    """One number that came out, in both runs, after the same number of steps."""

    name: str
    before: float | None
    after: float | None
    moved: bool  # by more than a seed would move it


@dataclass(frozen=True)
class Parting:
    """The first step in which the two runs are not the same, and the first thing in it that is not.

    `what` is "inputs", "targets", "loss", "gradient", or "" where they never part. What comes before it in this order was
    the same, to the last bit: the cause lies between the two.
    """

    step: int
    what: str


@dataclass(frozen=True)
class Difference:
    """Everything that a report on two runs shows."""

    before: Diagnosis
    after: Diagnosis
    steps: int  # that were compared
    changed: list[Changed]
    measured: list[Measured]
    parting: Parting
    appeared: list[Suspect]  # found wrong in the second run only, most suspected first
    gone: list[Suspect]  # ... in the first run only
    stayed: list[Suspect]  # ... in both, as the second has them

    @property
    def comparable(self) -> bool:
        """Whether enough was seen of both runs to say anything."""
        return self.steps >= _ENOUGH_STEPS and "inconclusive" not in (self.before.verdict, self.after.verdict)


def compare(before: Diagnosis, after: Diagnosis) -> Difference:
    """The second run against the first, at equal steps. Pure: the same recordings give the same answer."""
    one, two = before.recording, after.recording
    steps = min(len(one.steps), len(two.steps))
    known = {s.cause.id for s in before.suspects}
    left = {s.cause.id for s in after.suspects}
    return Difference(
        before, after, steps, _changed(one, two), _measured(cut(one, steps), cut(two, steps)), part(one.steps, two.steps),
        [s for s in after.suspects if s.cause.id not in known], [s for s in before.suspects if s.cause.id not in left],
        [s for s in after.suspects if s.cause.id in known],
    )  # fmt: skip


def _changed(one: Recording, two: Recording) -> list[Changed]:
    first, second = settings_of(one), settings_of(two)
    return [
        Changed(subject, name, first[subject].get(name), second[subject].get(name))
        for subject in first
        for name in dict.fromkeys([*first[subject], *second[subject]])
        if first[subject].get(name) != second[subject].get(name)
    ]


def _measured(one: Recording, two: Recording) -> list[Measured]:
    first, second = measures_of(one), measures_of(two)
    return [Measured(name, first.get(name), second.get(name), _moves(first.get(name), second.get(name))) for name in dict.fromkeys([*first, *second])]


def _moves(before: float | None, after: float | None) -> bool:
    """Whether a measure moved by more than a tenth of the larger of the two; to or from NaN always."""
    if before is None or after is None:
        return before is not after
    if not (math.isfinite(before) and math.isfinite(after)):
        return not (before == after or (math.isnan(before) and math.isnan(after)))
    return abs(after - before) > _MOVED * max(abs(before), abs(after))


def part(one: list[Step], two: list[Step]) -> Parting:
    """Where two runs stop being the same. Fingerprints that one of them lacks are not compared."""
    for a, b in zip(one, two, strict=False):
        for what, before, after in (("inputs", a.input_sum, b.input_sum), ("targets", a.target_sum, b.target_sum), ("loss", a.loss, b.loss), ("gradient", a.gradient_norm, b.gradient_norm)):
            if before is not None and after is not None and before != after and not (math.isnan(before) and math.isnan(after)):
                return Parting(a.index, what)
    return Parting(min(len(one), len(two)), "")
