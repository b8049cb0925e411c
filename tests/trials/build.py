"""Recordings of trials, and a laboratory that hands them out without running anything."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from nndoctor.probe.changes.names import Change
from nndoctor.record.model import ChangeMade, End, Recording, Sample
from tests.symptoms.build import geometric, healthy, steps

LOOKS = (1, 2, 3, 5, 7, *range(10, 101, 10))


def run(accuracy: float, change: str = "", applied: int = 100, count: int = 100, reason: str = "finished", loss: float | None = None) -> Recording:
    """A classification run of ten classes that ends at this accuracy, from chance."""
    loss = 2.4 * (1.01 - accuracy) if loss is None else loss
    recording = healthy()
    recording.steps = steps(geometric(2.3, loss, count))
    recording.samples = [Sample(s, [], accuracy=0.1 + (accuracy - 0.1) * min(1.0, s / 50)) for s in LOOKS if s <= count]
    recording.evaluations = []
    recording.changes = [ChangeMade(change, applied)] if change else []
    recording.end = End(reason, count, count, count, 1.0, 2.0, error="ValueError: no" if reason == "error" else "")
    return recording


class Outcomes:
    """Stands in for a laboratory: spelling -> recording. What is not listed ends as the control does."""

    def __init__(self, control: Recording, outcomes: Mapping[str, float | Recording], workers: int = 1) -> None:
        self.workers = workers
        self.asked: list[str] = []
        self._control, self._outcomes = control, outcomes

    def __enter__(self) -> Outcomes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def run(self, change: Change, on_record: Callable[[Any], None], enough: threading.Event) -> tuple[Recording, str]:
        """The recording of that change."""
        self.asked.append(change.spelling)
        found = self._outcomes.get(change.spelling, self._control.samples[-1].accuracy or 0.0)
        recording = run(found, change.spelling) if isinstance(found, float) else found
        for record in [*recording.steps, *recording.samples]:
            on_record(record)
        return recording, "fork"
