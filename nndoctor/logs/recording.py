"""A log as a recording that knows its losses and nothing else, so that what is noticed in recordings can be noticed in logs."""

from __future__ import annotations

from bisect import bisect_right

from nndoctor.logs.model import Log
from nndoctor.record.model import FORMAT, End, Evaluation, Header, Recording, Step
from nndoctor.version import __version__


def as_recording(log: Log) -> Recording:
    """One step a point of the training curve, one evaluation a point of the validation curve, behind the step it follows."""
    training = log.training.points if log.training is not None else []
    places = [place for place, _ in training]
    recording = Recording(Header(FORMAT, __version__, log.source))
    recording.steps = [Step(i, float(i), value) for i, (_, value) in enumerate(training, 1)]
    for place, value in log.validation.points if log.validation is not None else []:
        recording.evaluations.append(Evaluation(bisect_right(places, place), 0, 0, 0, False, False, 0.0, value))
    recording.end = End("finished", len(training), len(training), 0, 0.0, 0.0)
    return recording
