"""All symptoms: what is measured, and the measuring itself."""

from __future__ import annotations

from collections.abc import Mapping

from nndoctor.record.model import Recording
from nndoctor.symptoms import (
    activations,
    breakdown,
    capacity,
    curves,
    gradients,
    inputs,
    labels,
    loop,
    losses,
    objective,
    ranks,
    settings,
    source,
    structure,
    validation,
    weights,
)
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import View

_SUBJECTS = (curves, breakdown, inputs, labels, validation, losses, structure, capacity, activations, gradients, weights, settings, ranks, loop, objective, source)
CATALOGUE: tuple[SymptomInfo, ...] = tuple(info for subject in _SUBJECTS for info in subject.INFO)
NAMES = frozenset(info.name for info in CATALOGUE)
# What the script's text shows: it points at the very line.
SOURCE = frozenset(info.name for info in CATALOGUE if info.subject == "source")
# What is read off the run directly, rather than inferred from how it went.
FACTS = frozenset(info.name for info in CATALOGUE if info.subject in ("losses", "structure", "loop", "objective") or info.fact)


def notice(recording: Recording, thresholds: Mapping[str, float] | None = None) -> list[Symptom]:
    """Every symptom that holds for a recording, in the catalogue's order."""
    return notice_in(View(recording, thresholds or {}))


def notice_in(view: View) -> list[Symptom]:
    """The same for a view that exists already."""
    found = []
    for subject in _SUBJECTS:
        for detector in subject.DETECTORS:
            symptom = detector(view)
            if symptom is not None:
                found.append(symptom)
    return found
