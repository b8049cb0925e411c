"""Which change to try next: the cures of the leading suspects first, then those of their rivals, then of anything likely.

1. Every suspect that is told is tried, in the order of suspicion, each with its cures from the smallest edit on, until
   one of them works.
2. Once a cure works, the rivals are answered: causes that could have brought the confirmed one about, and the others
   under suspicion, if their cure is no larger an edit. Where one does as well, the smaller edit names the cause.
3. Where none works, no suspect rests on a fact that still stands, and the run does not learn, what was considered and no more than
   noted is tried, and then the few changes that mend most runs.
4. Where even that finds nothing and the run plainly fails, controls split the causes into families: one batch repeated
   (who cannot memorise it has a fault in structure, loss or step), labels shuffled and inputs zeroed (where that is no
   worse, the labels carry no signal, or the model ignores its input).
5. Of a run that is called healthy, though it hardly learns, or far less than a closed-form learner, what is suspected a
   little is tried; and the changes that mend most runs, where the script has come to its end like that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nndoctor.diagnosis.calibration import shipped
from nndoctor.diagnosis.engine import falls_short, is_worth_a_doubt
from nndoctor.diagnosis.model import Diagnosis, Suspect, Trial
from nndoctor.diagnosis.rank import rests_on_fact
from nndoctor.knowledge.model import Cause
from nndoctor.probe.changes.names import Change, parse
from nndoctor.record.model import Recording
from nndoctor.symptoms.inputs import few_rows_outweigh
from nndoctor.symptoms.model import Symptom
from nndoctor.symptoms.settings import bold_epsilon, momentum_of
from nndoctor.symptoms.structure import norm_few_values
from nndoctor.symptoms.view import View
from nndoctor.symptoms.weights import step_climbs

# Cures that pass by what their cause is suspected of where this holds: the loss is right, and one tensor is moved the wrong way; it is the
# targets that are wild, and the score is of them; statistics of a batch's few values are the fault.
_BESIDE: dict[str, Callable[[View], Symptom | None]] = {
    "loss=negated": step_climbs, "inputs=clipped": few_rows_outweigh, "norm=batch-statistics": norm_few_values,
}  # fmt: skip
_FEWEST_NORMS = 5
# A rival with less than this is not worth a run.
_WORTH = 0.02
# From here on a run learns well enough to look no further than its suspects.
_LEARNS = 0.5
# What mends most runs that fail, the smallest edit first, for a run whose symptoms name nothing that holds.
_GENERIC = (
    ("lr-too-high", "lr*0.1"), ("lr-too-low", "lr*10"), ("input-not-normalized", "inputs=standardized"), ("lr-schedule", "schedule=constant"),
    ("bad-initialization", "init=standard"), ("optimizer-mismatch", "optimizer=adam"), ("saturating-activation", "activation=relu"),
)  # fmt: skip


_CONTROLS = ("one-batch=repeated", "labels=shuffled", "inputs=zero")


@dataclass(frozen=True)
class Order:
    """A trial to be made."""

    cause: str
    change: Change


def orders(diagnosis: Diagnosis, causes: Mapping[str, Cause], made: Sequence[Trial]) -> list[Order]:
    """What to try next, most telling first; none where the case is closed. `made` are the trials so far, also those that still run."""
    told = [s for s in diagnosis.suspects if s.severity != "note"]
    confirmed = [t for t in made if t.confirmed]
    first = _cures(told, made, diagnosis.recording)
    if confirmed:
        return [o for o in first + _rivals(confirmed, diagnosis, causes, made) if _could_win(o, confirmed)]
    if diagnosis.doubtful:
        suspected = _cures([s for s in [*diagnosis.suspects, *diagnosis.hidden] if is_worth_a_doubt(s)], made, diagnosis.recording)
        return suspected or (_generic(causes, made, diagnosis.recording) if falls_short(View(diagnosis.recording)) else [])
    if first or (not told and not diagnosis.failing) or any(_stands(s, made) for s in told) or View(diagnosis.recording).learns >= _LEARNS:
        return first
    lesser = [s for s in diagnosis.suspects if s.severity == "note"] + diagnosis.hidden
    hidden = _cures([s for s in lesser if _is_worth_a_run(s)], made, diagnosis.recording)
    return hidden or _generic(causes, made, diagnosis.recording) or (_controls(made) if diagnosis.failing else [])


def _is_worth_a_run(suspect: Suspect) -> bool:
    return shipped().unfitted(suspect.confidence) >= _WORTH


def _stands(suspect: Suspect, made: Sequence[Trial]) -> bool:
    """Whether a suspect rests on a fact that no trial has spoken against: nothing else is looked for then."""
    return rests_on_fact(suspect) and not any(t.outcome == "refuted" for t in made if t.cause == suspect.cause.id)


def _cures(suspects: Sequence[Suspect], made: Sequence[Trial], recording: Recording) -> list[Order]:
    """The next cure of each suspect that none has worked for so far."""
    found = []
    for s in suspects:
        mine = {t.spelling: t for t in made if t.cause == s.cause.id}
        if any(t.confirmed for t in mine.values()):
            continue
        change = next((c for c in changes_for(s.cause, recording) if c.spelling not in mine), None)
        if change is not None:
            found.append(Order(s.cause.id, change))
    return found


def changes_for(cause: Cause, recording: Recording) -> list[Change]:
    """The cures of a cause that make sense on this run."""
    view = View(recording)
    spelt = [c.replace("clip=seen", f"clip={_usual_norm(view):.3g}") for c in cause.cures]
    return [c for c in map(parse, spelt) if _fits(c, view)]


def _usual_norm(view: View) -> float:
    """The gradient's norm in the calmer half of the steps; 1 where it broke before any norm could be called usual."""
    norms = [s.unclipped_norm or s.gradient_norm for s in view.recording.steps]
    known = [n for n in norms if n is not None and np.isfinite(n) and n > 0]
    return float(np.quantile(known, 0.25)) if len(known) >= _FEWEST_NORMS else 1.0


def _fits(change: Change, view: View) -> bool:
    """An output function is what one loss wants and another does not; a setting that is there already is no change."""
    settings = [g.settings for o in view.recording.optimizers for g in o.groups]
    if change.kind.name == "epsilon":
        return any(bold_epsilon(s) is not None for s in settings)
    if change.kind.name == "momentum":
        held = [momentum_of(s) for s in settings]
        return not held or any(m is not None and abs(m - float(change.value)) > 0.01 for m in held)
    beside = _BESIDE.get(change.spelling)
    if beside is not None and beside(view) is not None:
        return False
    if change.kind.name == "classes" and view.is_weighted:
        return False
    function = view.main_loss.function if view.main_loss is not None else ""
    if change.kind.name != "output":
        return True
    wanted = {"nll_loss": "log-softmax", "kl_div": "log-softmax", "binary_cross_entropy": "sigmoid"}.get(function, "identity")
    return change.value == wanted


def _rivals(confirmed: Sequence[Trial], diagnosis: Diagnosis, causes: Mapping[str, Cause], made: Sequence[Trial]) -> list[Order]:
    """Other suspects, told or not, that are likely or bring the confirmed one about; and what mends most runs, if it does."""
    brings = {c.id for c in causes.values() if any(t.cause in c.leads_to for t in confirmed)}
    known = [s.cause for s in [*diagnosis.suspects, *diagnosis.hidden] if _is_worth_a_run(s) or s.cause.id in brings]
    wanted = known + [causes[c] for c, _ in _GENERIC if c in brings and causes[c] not in known]
    tried = {t.spelling for t in made}
    return [
        Order(cause.id, change) for cause in wanted for change in changes_for(cause, diagnosis.recording)[:1]
        if change.spelling not in tried and not any(t.cause == cause.id for t in confirmed)
    ]  # fmt: skip


def _could_win(order: Order, confirmed: Sequence[Trial]) -> bool:
    """Whether a rival's cure is no larger an edit than the one that works."""
    return order.change.kind.size <= min(t.size for t in confirmed)


def _generic(causes: Mapping[str, Cause], made: Sequence[Trial], recording: Recording) -> list[Order]:
    tried = {t.spelling for t in made}
    return [Order(cause, parse(spelling)) for cause, spelling in _GENERIC if cause in causes and spelling not in tried]


def _controls(made: Sequence[Trial]) -> list[Order]:
    return [Order("", parse(spelling)) for spelling in _CONTROLS if spelling not in {t.spelling for t in made}]
