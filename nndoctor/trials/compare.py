"""Whether a changed run does better: by task score where there is one, else by the loss at equal steps."""

from __future__ import annotations

from nndoctor.diagnosis.model import Trial
from nndoctor.record.model import Recording
from nndoctor.symptoms.view import View
from nndoctor.trials.plan import in_words

# The cure must explain this much more of what there is to learn than the run as it is; control runs with another
# seed differ by less than a tenth.
_GAIN = 0.25


def compare(change: str, before: Recording, after: Recording) -> Trial | None:
    """The outcome of a change; None where the change did not take hold or too little was seen of the run."""
    one, two = View(before), View(after)
    steps = min(one.steps, two.steps)
    if steps < 10 or not _took_hold(change, one, two):
        return None
    gain = two.learns - one.learns
    for name, a, b in (("accuracy", one.accuracy, two.accuracy), ("R2", one.r2, two.r2)):
        if b is not None and (one.is_classification == (name == "accuracy")):
            return Trial(in_words(change), steps, a, b, name, gain >= _GAIN)
    return Trial(in_words(change), steps, one.last, two.last, "loss", gain >= _GAIN)


def _took_hold(change: str, one: View, two: View) -> bool:
    """Whether the rates of the two runs differ by the factor: a schedule may have set them anew."""
    factor = float(change.split("*")[1])
    pairs = [(a, b) for a, b in zip(one.rates(), two.rates(), strict=False) if a > 0]
    return bool(pairs) and all(abs(b / a / factor - 1) < 0.05 for a, b in pairs[:1])
