"""The user's line to blame for a cause: where its strongest evidence points, else where its stage is set up."""

from __future__ import annotations

from nndoctor.diagnosis.rank import Scored
from nndoctor.record.model import Place
from nndoctor.symptoms.catalogue import SOURCE
from nndoctor.symptoms.view import View


def location_of(scored: Scored, view: View) -> tuple[Place | None, str | None]:
    """Line and module."""
    written = next((s.place for s in scored.evidence if s.name in SOURCE), None)
    if written is not None:
        return written, None
    if scored.cause.stage == "optimization" and view.recording.optimizers:
        return view.recording.optimizers[0].place, None
    decisive = [s for s in scored.evidence if s.name in scored.cause.needs] or scored.evidence
    decisive.sort(key=lambda s: -scored.parts[s.name])
    pointed = next((s for s in decisive if s.place is not None), None)
    module = next((s.where for s in decisive if s.where and any(m.name == s.where for m in view.recording.modules)), None)
    return (pointed.place if pointed else _by_stage(scored.cause.stage, view)), module


def _by_stage(stage: str, view: View) -> Place | None:
    recording = view.recording
    loader = next((x.place for x in recording.loaders if x.place), None)
    if stage == "data":
        return loader or next((m.called for m in recording.models if m.called), None) or view.place_of("forward")
    if stage == "model":
        return next((m.place or m.called for m in recording.models), None)
    if stage == "loss":
        return view.main_loss.place if view.main_loss else view.place_of("backward")
    return view.place_of("backward")
