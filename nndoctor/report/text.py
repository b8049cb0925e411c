"""The report for a person: one screen for the verdict, further tables where they are asked for."""

from __future__ import annotations

from nndoctor.diagnosis.model import Diagnosis, Suspect
from nndoctor.record.model import Recording
from nndoctor.report import details, facts, suspects
from nndoctor.report.layers import layer_table
from nndoctor.report.page import LINE, Look, Page, text
from nndoctor.report.spark import draw
from nndoctor.report.words import clean, count, percent, place

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
        why = facts.ending(diagnosis.recording, full=True)
        page.prose(("no diagnosis: " + why, "bold"), label=word, hang=len(diagnosis.verdict) + 2)
    elif diagnosis.verdict == "healthy" or not grave:
        page.line(word, "  ", ("nothing is wrong as far as ", "bold"), (_seen(diagnosis.recording), "bold"))
    else:
        at = f" · {place(grave[0].location)}" if grave[0].location else ""
        page.line(word, "  ", (clean(grave[0].cause.title), "bold"), f" · {percent(grave[0].confidence)} sure{at}")


def _seen(recording: Recording) -> str:
    return f"{count(facts.step_count(recording), 'step')} show" + ("s" if facts.step_count(recording) == 1 else "")


def _why_not(page: Page, diagnosis: Diagnosis) -> None:
    """Why there is no diagnosis, the script's traceback, and what to do."""
    if diagnosis.reasons:
        page.gap()
        page.bullets([clean(r) for r in diagnosis.reasons])
    _traceback(page, diagnosis.recording)
    end = diagnosis.recording.end
    page.gap()
    advice = _ADVICE.get(end.reason, _ADVICE_OTHER) if end is not None else _ADVICE_OTHER
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
    if not curve.reading and curve.task_score is None:
        return
    page.gap()
    scores = []
    if curve.task_score is not None:
        scores.append(f"{clean(curve.score_name) or 'score'} {_score(curve.score_name, curve.task_score)} in training")
    if curve.validation_score is not None:
        scores.append(f"{_score(curve.score_name, curve.validation_score)} in validation")
    said = " ".join(x for x in (clean(curve.reading), ", ".join(scores)[:1].upper() + ", ".join(scores)[1:]) if x)
    page.prose(said + ("." if scores else ""), indent=2)


def _score(name: str, value: float) -> str:
    return percent(value) if name == "accuracy" else f"{value:.2f}"


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
