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
from nndoctor.report.words import clean, place

_STYLES = {"healthy": "bold green", "sick": "bold red", "inconclusive": "bold yellow"}
_MARGIN = 12  # of the labels "optimiser", "watched", ...
_TRACEBACK = 30  # lines of the script's traceback that are shown


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
    if diagnosis.silenced or diagnosis.unused_comments:
        page.gap()
        suspects.comments(page, diagnosis)
    trials.table(page, diagnosis.trials, look.verbose)
    if diagnosis.verdict != "inconclusive":
        _traceback(page, diagnosis.recording)
    if look.verbose:
        layer_table(page, diagnosis.recording)
        details.write(page, diagnosis)
    _foot(page, diagnosis.verdict, grave, look)
    return page.result()


def render_failure(diagnosis: Diagnosis, look: Look) -> str:
    """Of the same report what made it fail, for the message of an assertion: the verdict, and the findings that count or why
    there is no diagnosis.
    """
    page = Page(look)
    if diagnosis.verdict != "healthy":  # else mere notes count
        _headline(page, diagnosis)
        page.gap()
    if diagnosis.verdict == "inconclusive":
        _why_not(page, diagnosis)
        return page.result()
    first, *further = filter(diagnosis.fails_by, diagnosis.suspects)
    suspects.first_suspect(page, first, diagnosis.recording.header.script, look.verbose)
    suspects.further_suspects(page, further, look.verbose)
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
        found = "no known fault" if diagnosis.caution else "nothing is wrong"
        page.line(word, "  ", (f"{found} as far as ", "bold"), (facts.seen(diagnosis.recording), "bold"))
    else:
        line = text(word, "  ", (clean(grave[0].cause.title), "bold"), f" · {suspects.how_sure(grave[0])}")
        where = grave[0].location
        if where is not None:
            names = (place(where), place(replace(where, file=PurePath(where.file).name)))
            line.append(next((f" · {name}" for name in names if len(line) + len(name) + 3 <= page.width), ""))  # else `where` tells it below
        page.line(line)


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
    page.prose(facts.advice(diagnosis.recording), indent=2, label=("next", "dim"), hang=_MARGIN)


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
        page.prose(clean(curve.reading), f" {facts.scores(diagnosis)}", indent=2)


def _why_healthy(page: Page, diagnosis: Diagnosis) -> None:
    if diagnosis.caution:
        page.gap()
        page.bullets([clean(diagnosis.caution)], mark="!")
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
