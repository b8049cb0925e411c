"""The report for a person: one screen for the verdict, further tables where they are asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

from nndoctor.diagnosis.model import Diagnosis, Suspect
from nndoctor.record.model import Recording
from nndoctor.report import details, facts, suspects, trials
from nndoctor.report.layers import layer_table
from nndoctor.report.page import LINE, Look, Page, text
from nndoctor.report.spark import draw
from nndoctor.report.words import clean, count, number, percent, place

_STYLES = {"healthy": "bold green", "sick": "bold red", "inconclusive": "bold yellow"}
_MARGIN = 12  # of the labels "optimiser", "watched", ...
_TRACEBACK = 30  # lines of the script's traceback that are shown
_ADVICE = {
    "error": "Mend the exception, then run nndoctor again; a loss is needed before it can be judged.",
    "exit": "See why the script exits; arguments of its own go after its name: nndoctor check train.py --data DIR",
    "finished": "Let it train longer (more epochs or data); a hundred steps are enough to judge by.",
    "steps": "Let nndoctor see more: --steps 1000",
    "seconds": "Let nndoctor see more: --seconds 300",
    "timeout": "Raise the limit with --timeout, or give the script less data to load.",
    "interrupt": "Let it run on; the limits are --steps and --seconds.",
    "signal": "Find what killed it: SIGKILL is often a lack of memory, SIGSEGV a fault in native code.",
}
_ADVICE_UNTRAINED = "Name a script that trains: a loss that is taken back, and an optimiser that steps."
_ADVICE_OTHER = "Run it once as `python SCRIPT` to see whether it trains."


def render(diagnosis: Diagnosis, look: Look) -> str:
    """The whole report as text, with colour codes if `look` wants them."""
    page = Page(look)
    _headline(page, diagnosis)
    if diagnosis.verdict == "inconclusive":
        _why_not(page, diagnosis)
    if diagnosis.recording.steps or diagnosis.recording.models:
        page.gap()
        page.rows(facts.watched(diagnosis.recording), _MARGIN)
    _curve(page, diagnosis)
    grave = [s for s in diagnosis.suspects if s.severity != "note"]
    mild = [s for s in diagnosis.suspects if s.severity == "note"]
    if grave:
        page.gap()
        suspects.first_suspect(page, grave[0], diagnosis.recording.header.script, look.verbose)
        suspects.further_suspects(page, grave[1:], look.verbose)
    if diagnosis.verdict == "healthy":
        _why_healthy(page, diagnosis)
    if mild:
        page.gap()
        suspects.notes(page, mild, look.verbose)
    trials.table(page, diagnosis.trials, look.verbose)
    if diagnosis.verdict != "inconclusive":
        _traceback(page, diagnosis.recording)
    if look.verbose:
        layer_table(page, diagnosis.recording)
        details.write(page, diagnosis)
    _foot(page, diagnosis.verdict, grave, look)
    return page.result()


def _headline(page: Page, diagnosis: Diagnosis) -> None:
    """Sick or healthy, and the first suspect."""
    word = (diagnosis.verdict.upper(), _STYLES.get(diagnosis.verdict, "bold"))
    grave = [s for s in diagnosis.suspects if s.severity != "note"]
    if diagnosis.verdict == "inconclusive":
        why = clean(diagnosis.reasons[0]) if diagnosis.reasons else facts.ending(diagnosis.recording, full=True)
        why = why[:1].lower() + why[1:]
        page.prose(("no diagnosis: " + why, "bold"), label=word, hang=len(diagnosis.verdict) + 2)
    elif diagnosis.verdict == "healthy" or not grave:
        page.line(word, "  ", ("nothing is wrong as far as ", "bold"), (_seen(diagnosis.recording), "bold"))
    else:
        proved = grave[0].trial is not None and grave[0].trial.confirmed
        sure = "proved by trial" if proved else f"{percent(grave[0].confidence)} sure"
        line = text(word, "  ", (clean(grave[0].cause.title), "bold"), f" · {sure}")
        where = grave[0].location
        if where is not None:
            full, short = place(where), place(replace(where, file=PurePath(where.file).name))
            line.append(f" · {full if len(line) + len(full) + 3 <= page.width else short}")
        page.line(line)


def _seen(recording: Recording) -> str:
    return f"{count(facts.step_count(recording), 'step')} show" + ("s" if facts.step_count(recording) == 1 else "")


def _why_not(page: Page, diagnosis: Diagnosis) -> None:
    """Why there is no diagnosis, the script's traceback, and what to do."""
    if diagnosis.reasons[1:]:
        page.gap()
        page.bullets([clean(r) for r in diagnosis.reasons[1:]])
    _traceback(page, diagnosis.recording)
    end = diagnosis.recording.end
    page.gap()
    if end is not None and end.reason == "exit" and end.error:
        page.prose(facts.error_line(end), indent=2, label=("it said", "dim"), hang=_MARGIN)
    advice = _ADVICE.get(end.reason, _ADVICE_OTHER) if end is not None else _ADVICE_OTHER
    if end is not None and end.reason == "finished" and not facts.step_count(diagnosis.recording):
        advice = _ADVICE_UNTRAINED
    page.prose(advice, indent=2, label=("next", "dim"), hang=_MARGIN)


def _traceback(page: Page, recording: Recording) -> None:
    """The script's own traceback, where it raised."""
    end = recording.end
    if end is None or not (end.traceback.strip() or (end.error and end.reason == "error")):
        return
    lines = clean(end.traceback or end.error).strip("\n").split("\n")
    page.heading("Where the script was" if end.reason == "timeout" else "The script's own traceback")
    if len(lines) > _TRACEBACK:
        lines = [
            *lines[: _TRACEBACK // 3],
            f"  ... {len(lines) - _TRACEBACK} lines ...",
            *lines[-2 * _TRACEBACK // 3 :],
        ]
    for line in lines:
        page.put(text(line), indent=2)  # wrapped, not cut: after a long path comes the line's number


def _curve(page: Page, diagnosis: Diagnosis) -> None:
    """The loss drawn small, and what can be read from it."""
    recording, curve = diagnosis.recording, diagnosis.curve
    drawing = draw(
        [(s.index, s.loss) for s in recording.steps],
        [(e.step, e.loss) for e in recording.evaluations if e.loss is not None],
        curve.constant,
        width=min(page.width, LINE) - 2,
    )
    if drawing:
        page.gap()
    for line in drawing:
        page.put(line, indent=2)
    if curve.reading and diagnosis.verdict != "inconclusive":
        page.gap()
        page.prose(clean(curve.reading), f" {_scores(diagnosis)}", indent=2)


def _scores(diagnosis: Diagnosis) -> str:
    """Accuracy or R2 in training and at the last validation, as a sentence; empty where neither was measured."""
    curve = diagnosis.curve
    if curve.task_score is None or not curve.score_name:
        return ""
    name = curve.score_name[:1].upper() + curve.score_name[1:]
    validated = facts.validation_score(diagnosis.recording, curve.score_name)
    further = f", {_score(curve.score_name, validated)} in validation" if validated is not None else ""
    return f"{clean(name)} {_score(curve.score_name, curve.task_score)} in training{further}."


def _score(name: str, value: float) -> str:
    return percent(value) if name == "accuracy" else number(value)


def _why_healthy(page: Page, diagnosis: Diagnosis) -> None:
    if diagnosis.reasons:
        page.gap()
        page.bullets([clean(r) for r in diagnosis.reasons], mark="✓")


def _foot(page: Page, verdict: str, grave: list[Suspect], look: Look) -> None:
    """Where to read on."""
    hints = [f"nndoctor explain {grave[0].cause.id}"] if grave else []
    if not look.verbose and verdict != "inconclusive":
        hints.append("--verbose")
    if hints:
        page.gap()
        page.line(("more: " + " · ".join(hints), "dim"))
