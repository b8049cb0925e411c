"""Runs the trials of a diagnosis and hands back what they changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from nndoctor.diagnosis.model import Diagnosis, Suspect
from nndoctor.diagnosis.rank import after_trials
from nndoctor.record.model import Recording
from nndoctor.trials.compare import compare
from nndoctor.trials.plan import CHANGES, to_try

Probe = Callable[[str], Recording]  # the same probe again, with one change


def try_suspects(diagnosis: Diagnosis, probe: Probe, most: int) -> Diagnosis:
    """Try the cures of at most `most` leading suspects, and rank them by what came of it."""
    tried = {s.cause.id: _try(s, diagnosis.recording, probe) for s in to_try(diagnosis, most)}
    suspects = after_trials([tried.get(s.cause.id, s) for s in diagnosis.suspects])
    serious = any(s.severity in ("error", "warning") for s in suspects)
    verdict = "sick" if serious else "healthy" if diagnosis.verdict == "sick" else diagnosis.verdict
    reasons = diagnosis.reasons
    if verdict == "healthy" and diagnosis.verdict == "sick":
        reasons = ["The suspects were tried: without them the run does no better."]
    return dataclasses.replace(diagnosis, suspects=suspects, verdict=verdict, reasons=reasons)


def _try(suspect: Suspect, before: Recording, probe: Probe) -> Suspect:
    """The suspect with its best trial; as it was where none could be made."""
    best = None
    for change in CHANGES[suspect.cause.id]:
        trial = compare(change, before, probe(change))
        if trial is None:
            continue
        best = trial
        if trial.confirmed:
            break
    return dataclasses.replace(suspect, trial=best)
