"""One finding in plain lines, for formats that have room for a message and no layout."""

from __future__ import annotations

from nndoctor.diagnosis.model import Suspect
from nndoctor.report.suspects import fixes
from nndoctor.report.trials import sentence
from nndoctor.report.words import clean, percent

_EVIDENCE = 3


def message(suspect: Suspect) -> list[str]:
    """What was seen, what was tried, and what to change: a line each, without a line end."""
    lines = [*(s.text for s in suspect.evidence[:_EVIDENCE]), *(f"Against it: {s.text}" for s in suspect.against[:1])]
    if suspect.trial is not None:
        lines.append(f"Tried: {sentence(suspect.trial)}.")
    lines += [f"Change: {fix.text}" for fix in fixes(suspect)[:1]]
    lines.append(f"{surety(suspect)}; `nndoctor explain {suspect.cause.id}` has the whole page.")
    return [" ".join(clean(line).split()) for line in lines]


def surety(suspect: Suspect) -> str:
    """How sure the finding is, and whether it is new."""
    proved = suspect.trial is not None and suspect.trial.confirmed
    words = "Proved by trial" if proved else f"{percent(suspect.confidence)} sure"
    words += f", follows from {suspect.consequence_of}" if suspect.consequence_of else ""
    return words + (", known from the baseline" if suspect.known else "")


def heading(suspect: Suspect) -> str:
    """Title and id."""
    return f"{clean(suspect.cause.title)} ({suspect.cause.id})"
