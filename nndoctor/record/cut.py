"""A recording as if it had ended earlier: what makes two runs of unequal length comparable."""

from __future__ import annotations

import dataclasses

from nndoctor.record.model import Recording


def cut(recording: Recording, steps: int) -> Recording:
    """The recording as if it had ended after so many steps."""
    if len(recording.steps) <= steps:
        return recording
    last = recording.steps[steps - 1].index if steps > 0 else 0
    return dataclasses.replace(
        recording, steps=recording.steps[:steps], samples=[s for s in recording.samples if s.step <= last],
        evaluations=[e for e in recording.evaluations if e.step <= last],
    )  # fmt: skip
