"""What the text of the user's files shows beside the run. It counts only where the run shows the harm as well."""

from __future__ import annotations

from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import View

INFO = (
    SymptomInfo("clearing-not-called", "source", "A line names zero_grad and does not call it."),
    SymptomInfo("step-not-called", "source", "A line names step or backward and does not call it."),
    SymptomInfo("training-mode-not-called", "source", "A line names train and does not call it."),
    SymptomInfo("evaluation-mode-not-called", "source", "A line names eval and does not call it."),
    SymptomInfo("rows-moved-apart", "source", "One of two arrays that are handed on side by side is put into another order, and the other is not."),
)  # fmt: skip


def _hint(view: View, symptom: str, *whats: str) -> Symptom | None:
    found = next((h for h in view.recording.hints if h.what in whats), None)
    if found is None:
        return None
    says = "names a method without calling it" if found.what.startswith("uncalled") else "moves the rows of one array alone"
    return Symptom(symptom, f"Line {found.place.line} {says}: {found.text}", place=found.place)


def clearing_not_called(view: View) -> Symptom | None:
    """`optimizer.zero_grad`, without its parentheses."""
    return _hint(view, "clearing-not-called", "uncalled:zero_grad")


def step_not_called(view: View) -> Symptom | None:
    """`optimizer.step` or `loss.backward`."""
    return _hint(view, "step-not-called", "uncalled:step", "uncalled:backward")


def training_mode_not_called(view: View) -> Symptom | None:
    """`model.train`."""
    return _hint(view, "training-mode-not-called", "uncalled:train")


def evaluation_mode_not_called(view: View) -> Symptom | None:
    """`model.eval`."""
    return _hint(view, "evaluation-mode-not-called", "uncalled:eval")


def rows_moved_apart(view: View) -> Symptom | None:
    """`rng.shuffle(y)`."""
    return _hint(view, "rows-moved-apart", "moved-apart")


DETECTORS = (clearing_not_called, step_not_called, training_mode_not_called, evaluation_mode_not_called, rows_moved_apart)
