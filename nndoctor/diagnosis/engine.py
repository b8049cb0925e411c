"""Symptoms and knowledge to a diagnosis: the whole of it in the order in which it is reasoned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from nndoctor.diagnosis.calibration import shipped
from nndoctor.diagnosis.curve import read_curve
from nndoctor.diagnosis.locate import location_of
from nndoctor.diagnosis.model import Diagnosis, RuledOut, Suspect
from nndoctor.diagnosis.rank import Scored, rank, score
from nndoctor.diagnosis.unseen import instead_of_training
from nndoctor.knowledge.loader import load_causes
from nndoctor.knowledge.model import Cause
from nndoctor.record.model import Recording
from nndoctor.symptoms.catalogue import NAMES, notice_in
from nndoctor.symptoms.model import Symptom
from nndoctor.symptoms.view import View

# A suspect is told from this confidence on: fitted on runs whose fault is known, it is then more likely right than not.
_TOLD = 0.36
# Where the run plainly fails at learnable data, something is wrong for certain, and a lesser suspicion is worth telling.
_TOLD_WHEN_FAILING = 0.3
_NOTED = 0.25
_MOST_NOTES = 3
_ENOUGH_STEPS = 8
# A run that has learnt less than this in so many steps may be a slow one, or one with a fault that hardly shows: from the
# given confidence on a suspicion is worth a trial, though not worth telling.
_LITTLE, _LONG = 0.3, 100
_WORTH_A_DOUBT = 0.15
# A script that is over, and has missed so much of what a closed-form learner finds, is worth trials though nothing is suspected.
_MISSED = 0.4
_WELL = 0.5  # of what there is to learn, on validation rows: no run that fails


@dataclass(frozen=True)
class DiagnosisOptions:
    """What the user chose: causes to look at only, causes to leave out, thresholds by symptom name."""

    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    thresholds: Mapping[str, float] = field(default_factory=dict)


def diagnose(recording: Recording, options: DiagnosisOptions | None = None) -> Diagnosis:
    """The diagnosis of one recording. Pure: the same recording gives the same answer."""
    options = options or DiagnosisOptions()
    view = View(recording, options.thresholds)
    symptoms = notice_in(view)
    causes = list(chosen_causes(options).values())
    scored = [s for c in causes if (s := score(c, symptoms)) is not None]
    ranked = rank(scored)
    suspects = _tell(ranked, view, symptoms)
    # Who leaves causes out does not want to hear that something else is wrong.
    failing = _failing(view, symptoms) and not options.select and not options.ignore
    verdict = _verdict(view, suspects, failing)
    hidden = _hidden(ranked, suspects, view)
    doubted = any(s.cause.cures for s in [*suspects, *hidden] if is_worth_a_doubt(s)) or falls_short(view)
    doubtful = verdict == "healthy" and _is_slow(view) and doubted
    return Diagnosis(
        verdict=verdict,
        suspects=suspects if verdict != "inconclusive" else [],
        symptoms=symptoms,
        ruled_out=_ruled_out(causes, scored, suspects),
        curve=read_curve(view),
        reasons=_reasons(view, symptoms, verdict, failing),
        recording=recording,
        hidden=hidden if verdict == "sick" or failing or doubtful else [],
        failing=failing,
        doubtful=doubtful,
        caution=_caution(view, symptoms) if verdict == "healthy" else "",
    )


def chosen_causes(options: DiagnosisOptions) -> dict[str, Cause]:
    """The causes that the user wants looked for, by id."""
    causes = load_causes(symptoms=NAMES)
    return {k: c for k, c in causes.items() if (not options.select or k in options.select) and k not in options.ignore}


def set_aside(diagnosis: Diagnosis, silenced: Callable[[Suspect], bool], options: DiagnosisOptions) -> Diagnosis:
    """The diagnosis without the suspects that the user does not want to hear of; the verdict is that of the others.

    They are kept as `silenced`. Those that were considered and not told are dropped: no trial is made for them.
    """
    aside = [s for s in diagnosis.suspects if silenced(s)]
    kept = [s for s in diagnosis.suspects if s not in aside]
    found = replace(
        diagnosis, suspects=kept, hidden=[s for s in diagnosis.hidden if not silenced(s)], silenced=[*diagnosis.silenced, *aside]
    )
    if diagnosis.verdict != "sick" or any(s.severity != "note" for s in kept):
        return found
    view = View(diagnosis.recording, options.thresholds)
    verdict = _verdict(view, kept, failing=False)
    reasons = _reasons(view, diagnosis.symptoms, verdict, failing=False)
    return replace(found, verdict=verdict, reasons=reasons, suspects=kept if verdict != "inconclusive" else [], failing=False)


def _failing(view: View, symptoms: list[Symptom]) -> bool:
    """Whether the run plainly learns nothing although there is something to learn."""
    names = {s.name for s in symptoms}
    if view.steps >= _ENOUGH_STEPS and not np.isfinite(view.losses[-view.tenth :]).any():
        return True
    if (view.validation_skill or 0.0) >= _WELL:
        return False  # whatever training batches seem to say
    stuck = {"no-better-than-constant", "loss-diverged", "loss-nonfinite", "below-reference"} & names
    return bool(stuck) and bool({"signal-present", "below-reference"} & names) and view.steps >= 50 and view.learns < 0.2


def is_worth_a_doubt(suspect: Suspect) -> bool:
    """Whether a suspect that is not told is worth a trial, where little was learnt."""
    return shipped().unfitted(suspect.confidence) >= _WORTH_A_DOUBT


def falls_short(view: View) -> bool:
    """Whether the whole training left far more unlearnt than what it is suspected of, if of anything, explains."""
    end = view.recording.end
    return view.missed > _MISSED and end is not None and end.reason == "finished"


def _is_slow(view: View) -> bool:
    """Whether little was learnt, or far less than a closed-form learner finds, where that is known."""
    if view.skill is None or view.steps < _LONG:
        return False
    return view.learnt < _LITTLE or view.missed > _LITTLE


def _tell(ranked: list[Scored], view: View, symptoms: list[Symptom]) -> list[Suspect]:
    """Suspects worth telling, each with its severity."""
    bar = _TOLD_WHEN_FAILING if _failing(view, symptoms) else _TOLD
    told: list[Suspect] = []
    notes: list[Suspect] = []
    for s in ranked:
        if s.left_out:
            continue
        location, module = location_of(s, view)
        if s.confidence >= bar:
            told.append(s.suspect(_severity(s.cause, view, symptoms), location, module))
        elif s.confidence >= _NOTED:
            notes.append(s.suspect("note", location, module))
    return told + notes[: _MOST_NOTES - sum(t.severity == "note" for t in told)]


def _hidden(ranked: list[Scored], told: list[Suspect], view: View) -> list[Suspect]:
    """What was considered and is not told; trials may bring it up."""
    known = {s.cause.id for s in told}
    return [s.suspect("note", *location_of(s, view)) for s in ranked if s.cause.id not in known]


def _severity(cause: Cause, view: View, symptoms: list[Symptom]) -> str:
    """An error where the run fails by it, a warning where the run learns all the same."""
    if cause.severity != "error":
        return cause.severity
    below = any(s.name == "below-reference" for s in symptoms)
    return "warning" if view.learns >= 0.5 and not below else "error"


def _verdict(view: View, suspects: list[Suspect], failing: bool) -> str:
    if any(s.severity in ("error", "warning") for s in suspects):
        return "sick"
    end = view.recording.end
    steps = max(len(view.recording.steps), view.steps)
    if failing or steps < _ENOUGH_STEPS or end is None or end.reason in ("error", "signal", "timeout", "lost", "peer"):
        return "inconclusive"
    return "healthy"


def _reasons(view: View, symptoms: list[Symptom], verdict: str, failing: bool) -> list[str]:
    """Why a run is called healthy, or why nothing can be said."""
    if verdict == "inconclusive":
        return [_why_failing(symptoms) if failing else _why_inconclusive(view), *instead_of_training(view.recording)]
    if verdict == "sick":
        return []
    reasons = [s.text for s in symptoms if s.name == "learns"]
    if view.judge is not None:
        reasons = ["Networks take turns and learn through one another: what one of them wins the other loses, and no loss says how well it goes."]
    if not reasons and view.falls and view.early is not None and view.last is not None:
        reasons.append(f"The loss falls, slowly: from {view.early:.4g} to {view.last:.4g}.")
    if view.optimised and view.reached >= {i for i in view.optimised if i >= 0}:
        reasons.append("The loss reaches every parameter that is optimised.")
    steps = [s for s in view.recording.steps if s.held]
    if steps and not any(s.carried for s in steps):
        reasons.append("Gradients are cleared between steps.")
    if view.validation_skill is not None and view.skill is not None and view.validation_skill > max(view.skill - 0.2, 0.2):
        reasons.append(f"Validation keeps up with training ({view.validation_skill:.2f} against {max(view.skill, 0):.2f}; 0: a constant, 1: perfect).")
    if view.judge is None and any(s.name == "still-falling" for s in symptoms):
        reasons.append("It was still improving when watching ended: run it longer.")
    return reasons or ["Nothing speaks for any known fault, though learning is not plain to see in so few steps."]


def _caution(view: View, symptoms: list[Symptom]) -> str:
    """Of a run that had the time to learn something."""
    poor = next((s.text for s in symptoms if s.name == "no-better-than-constant"), "")
    return f"Nothing has been learnt so far, and no known fault explains it. {poor}" if poor and view.steps >= _LONG and view.judge is None else ""


def _why_failing(symptoms: list[Symptom]) -> str:
    """A run that plainly learns nothing is not healthy because no known fault shows."""
    seen = next((s.text for n in ("loss-nonfinite", "no-better-than-constant", "loss-diverged", "below-reference") for s in symptoms if s.name == n), "")
    return f"The run does not learn, and no known fault explains it. {seen}".strip()


def _why_inconclusive(view: View) -> str:
    end = view.recording.end
    steps = len(view.recording.steps)
    unseen = sum(not r.watched and not r.world for r in view.recording.ranks)
    if steps == 0 and unseen:
        return f"Training went on in {unseen} forked process{'' if unseen == 1 else 'es'} of the script, which cannot be watched; processes that are spawned can."
    gone = view.recording.gone
    if gone is not None and end is not None and end.reason not in ("steps", "seconds", "finished"):
        how = f"was killed by {gone.error or 'a signal'}" if gone.ended == "signal" else "went away without a word"
        return f"Rank {gone.rank} {how} after {gone.steps} recorded steps, and the others cannot go on without it."
    seen = f"after {steps} training step{'' if steps == 1 else 's'}"
    if end is None or end.reason == "lost":
        return f"The script ended without a word {seen}" + (f" (exit code {end.exit_code})." if end else ".")
    if end.reason == "error":
        return f"The script raised {end.error.splitlines()[0] if end.error else 'an exception'} {seen}."
    if end.reason == "signal":
        return f"The script was killed by {end.error or 'a signal'} {seen}."
    if end.reason == "timeout":
        return f"The time limit for the whole run passed {seen}."
    if end.reason == "exit":
        return f"The script exited with code {end.exit_code} {seen}."
    if end.reason == "peer":
        return f"Another process of the training ended before this one, {seen}."
    if end.reason == "interrupt":
        return f"The run was interrupted {seen}."
    left = end.reason == "left"
    if steps == 0 and view.recording.header.run > 1 + len(view.recording.trainings):
        made = 1 + len(view.recording.trainings)
        return f"The script made {made} training{'' if made == 1 else 's'}, and training {view.recording.header.run} was to be judged."
    if steps == 0:
        return "No training was seen: no backward was called and no optimiser stepped." if left else "No training was seen: the script called no backward and no optimiser stepped."
    if left:
        return f"The block was left {seen}, too few to say anything."
    return f"The script ended {seen}, too few to say anything."


def _ruled_out(causes: list[Cause], scored: list[Scored], suspects: list[Suspect]) -> list[RuledOut]:
    """Causes that were looked for and not told, each with its reason."""
    told = {s.cause.id for s in suspects}
    by_id = {s.cause.id: s for s in scored}
    out = []
    for cause in causes:
        if cause.id in told or not cause.needs:
            continue
        s = by_id.get(cause.id)
        if s is None:
            out.append(RuledOut(cause, "not seen: " + ", ".join(cause.needs)))
        elif s.consequence_of is not None:
            out.append(RuledOut(cause, f"explained by {s.consequence_of}"))
        elif s.against:
            out.append(RuledOut(cause, "against it: " + s.against[0].text))
        else:
            out.append(RuledOut(cause, "too little for it: " + ", ".join(e.name for e in s.evidence)))
    return out
