"""Reads the pair of curves as the first document does: five combinations of training and validation loss."""

from __future__ import annotations

import math

from nndoctor.diagnosis.model import Curve
from nndoctor.symptoms.measures import Array
from nndoctor.symptoms.view import View

_READINGS = {
    ("falls", "falls"): "Training and validation loss both fall: the network is still learning.",
    ("falls", "flat"): "Training loss falls and validation loss stands still: the network overfits, or has reached what it can generalise.",
    ("falls", "rises"): "Training loss falls and validation loss rises: the network overfits.",
    ("flat", "falls"): "Training loss stands still and validation loss falls: look at the data sets, something is off between them.",
    ("flat", "flat"): "Training and validation loss both stand still: learning has hit a bottleneck.",
    ("flat", "rises"): "Training loss stands still and validation loss rises.",
    ("rises", "rises"): "Training and validation loss both rise: structure, settings or data are at fault.",
    ("rises", "falls"): "Training loss rises and validation loss falls.",
    ("rises", "flat"): "Training loss rises and validation loss stands still.",
    ("falls", ""): "Training loss falls.",
    ("flat", ""): "Training loss stands still.",
    ("rises", ""): "Training loss rises.",
    ("", "falls"): "Validation loss falls.",
    ("", "flat"): "Validation loss stands still.",
    ("", "rises"): "Validation loss rises.",
}
ENDED_IN_NAN = "The training loss ended in NaN or infinity."


def sentence(training: str, validation: str) -> str:
    """What the two directions say together; each is "falls", "flat", "rises", or "" where it is not known."""
    return _READINGS.get((training, validation), "Too little was seen to read the curves.")


def read_curve(view: View) -> Curve:
    """What the loss did, in a sentence and in numbers."""
    name = "accuracy" if view.is_classification and view.accuracy is not None else "R2" if view.r2 is not None else ""
    score = view.accuracy if name == "accuracy" else view.r2
    reading = sentence(_train(view), _validation(view.validation))
    if view.steps < 10:
        reading = "Too few steps were seen to read the curves."
    elif not all(math.isfinite(x) for x in view.losses[-view.tenth :]):
        reading = ENDED_IN_NAN
    return Curve(reading, view.first, view.last, view.constant, view.skill, name, score, view.validation_skill)


def _train(view: View) -> str:
    if view.falls:
        return "falls"
    if view.early is not None and view.last is not None and view.last - view.early > 0.1 * abs(view.early) + 3 * view.noise:
        return "rises"
    return "flat"


def _validation(rows: Array) -> str:
    """Direction of the validation loss over its second half; two passes at least."""
    if len(rows) < 2:
        return ""
    losses = rows[:, 1]
    start, end = float(losses[len(losses) // 2 - 1]), float(losses[-1])
    best = float(losses.min())
    if end > 1.1 * best and end - best > 0.05 * abs(float(losses[0])) and len(losses) >= 3:
        return "rises"
    return "falls" if end < start - 0.02 * abs(start) else "flat"
