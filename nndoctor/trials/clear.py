"""Follows a trial while it runs, and ends it once its outcome is clear."""

from __future__ import annotations

import math
import threading
from typing import Any

from nndoctor.probe.changes.names import Change
from nndoctor.record.cut import cut
from nndoctor.record.model import Recording, Sample, Step
from nndoctor.trials.compare import judge, scores

_GOOD = 0.95  # of what there is to learn: more cannot be asked for
_LEAST_STEPS = 60
_BROKEN = 10  # steps in a row whose loss is no number
_LATE = 2 / 3  # of the control's steps: who is no better by then will not be a cure of it
_SMALL = 0.02


class Clear:
    """Sees the records of one trial. Sets `enough`, from the thread that reads them."""

    def __init__(self, change: Change, control: Recording, enough: threading.Event) -> None:
        self._enough = enough
        self._change, self._recording = change, control
        self._steps_wanted = len(control.steps)
        self._curable = change.is_cure
        pair = scores(change, control, control)
        self.measure = pair[0].measure if pair is not None else ""
        # Skill is linear in the score: 0 at a constant's, 1 at a perfect one.
        self._constant = _constant(pair[0].value, pair[0].skill) if pair is not None and self.measure in ("accuracy", "R2") else None
        self._control = pair[0].skill if pair is not None else 0.0
        self.steps = 0
        self.value: float | None = None
        self._skills: list[float] = []
        self._broken = 0

    def see(self, record: Any) -> None:
        """One record of the trial."""
        if isinstance(record, Step):
            self.steps = record.index
            if record.loss is not None:
                self._broken = 0 if math.isfinite(record.loss) else self._broken + 1
                if self.measure == "loss":
                    self.value = record.loss
        elif isinstance(record, Sample):
            score = self._score(record)
            if score is not None:
                self.value = score
                if self._constant is not None:
                    self._skills.append(_skill(score, self._constant))
        if self._is_clear():
            self._enough.set()

    def _is_clear(self) -> bool:
        if not self._curable or self.steps < _LEAST_STEPS:
            return False
        if self._broken >= _BROKEN:
            return True
        recent = self._skills[-3:]
        if len(recent) < 3:
            return False
        if min(recent) >= _GOOD:
            return self._counts_now(min(recent)) or not self._would_count(min(recent), self._control)
        return self.steps >= _LATE * self._steps_wanted and max(recent) < self._control + _SMALL

    def _counts_now(self, skill: float) -> bool:
        """Whether this skill is a cure at equal steps, beyond what a few looks more may change: a run that falls apart later may have
        been as good until here, and swing to and fro before.
        """
        pair = scores(self._change, cut(self._recording, self.steps), self._recording)
        return pair is not None and self._would_count(skill, (pair[0].skill + max(pair[0].skill, self._best(self.steps))) / 2)

    def _best(self, step: int) -> float:
        """The best skill that the control had in the second half of its way to a step."""
        if self._constant is None:
            return self._control
        found = [self._score(s) for s in self._recording.samples if step / 2 <= s.step <= step]
        return max((_skill(v, self._constant) for v in found if v is not None), default=self._control)

    def _score(self, sample: Sample) -> float | None:
        """What a look says by the measure of this trial; None where that is no number."""
        score = sample.accuracy if self.measure == "accuracy" else sample.r2 if self.measure == "R2" else None
        return score if score is not None and math.isfinite(score) else None

    def _would_count(self, skill: float, control: float) -> bool:
        return judge(self._change, control, skill - control) == "confirmed"


def _skill(value: float, constant: float) -> float:
    return (value - constant) / (1.0 - constant)


def _constant(value: float, skill: float) -> float | None:
    """The score of a constant prediction, from one score and its skill; None where they say nothing of it."""
    return (value - skill) / (1.0 - skill) if skill < 0.999 else None
