"""The report on two runs, for a person and for a machine: what changed, what came of it, and what is newly wrong."""

from __future__ import annotations

from typing import Any

from nndoctor.diagnosis.difference import Changed, Difference, Measured
from nndoctor.diagnosis.model import Diagnosis, Suspect
from nndoctor.report.facts import step_count
from nndoctor.report.json import dump, suspect_document
from nndoctor.report.page import Look, Page, Part, text
from nndoctor.report.spark import draw_together
from nndoctor.report.suspects import STYLES
from nndoctor.report.words import clean, count, number, percent, place, setting
from nndoctor.version import __version__

# One line a version, newest last.
# 1: first schema.
SCHEMA_VERSION = 1
_MOST = 25  # changes shown; all of them with --verbose
_VERDICTS = {"healthy": "bold green", "sick": "bold red", "inconclusive": "bold yellow"}
_QUIET = ("threads", "nndoctor")  # differ from machine to machine
# What lies between the last thing that was the same and the first one that was not.
_PARTINGS = {
    ("inputs", True): "The runs differ from their very first batch: other data, another order, or another seed.",
    ("inputs", False): "The runs see the same batches up to step {before} and then others: the order or the number of samples differs.",
    ("targets", True): "The first batch holds the same inputs with other targets: look at the labels.",
    ("targets", False): "From step {step} on the same inputs come with other targets: look at the labels.",
    ("loss", True): "The first batch is the same and its loss is not: the first weights, the model or the loss differ.",
    ("loss", False): "The first step is the same, and the loss of step {step} is not: what differs is how a step is made - rate, optimiser, or what happens between steps.",
    ("gradient", True): "The first loss is the same and its gradient is not: the backward pass, clipping or accumulation differ.",
    ("gradient", False): "Up to the loss of step {step} the runs are the same, and then the gradient is not: clipping, accumulation or the order of calls differ.",
}  # fmt: skip


def render(difference: Difference, look: Look) -> str:
    """Both runs compared, as text."""
    page = Page(look)
    _headline(page, difference)
    _curves(page, difference)
    page.gap()
    page.prose(parting_words(difference), indent=2)
    _changes(page, difference.changed, look.verbose)
    _measures(page, difference, look.verbose)
    for title, suspects in (("New", difference.appeared), ("Gone", difference.gone), ("In both", difference.stayed)):
        _suspects(page, title, suspects)
    return page.result()


def _headline(page: Page, difference: Difference) -> None:
    one, two = difference.before, difference.after
    page.line((one.verdict.upper(), _VERDICTS[one.verdict]), " → ", (two.verdict.upper(), _VERDICTS[two.verdict]), "  ", (_summary(difference), "bold"))
    page.gap()
    page.rows([("before", _run(one)), ("after", _run(two))], 10)


def _summary(difference: Difference) -> str:
    if not difference.comparable:
        return "too little was seen to compare them"
    grave = [s for s in difference.appeared if s.severity != "note"]
    if grave:
        return f"new: {clean(grave[0].cause.title)}"
    gone = [s for s in difference.gone if s.severity != "note"]
    return f"gone: {clean(gone[0].cause.title)}" if gone else "nothing new is wrong"


def _run(diagnosis: Diagnosis) -> str:
    recording = diagnosis.recording
    why = f": {clean(diagnosis.reasons[0])}" if diagnosis.verdict == "inconclusive" and diagnosis.reasons else ""
    return f"{clean(' '.join([recording.header.script, *recording.header.arguments]))}, {count(step_count(recording), 'step')}{why}"


def _curves(page: Page, difference: Difference) -> None:
    curves = [(name, [(s.index, s.loss) for s in d.recording.steps[: difference.steps]]) for name, d in (("before", difference.before), ("after", difference.after))]
    for i, line in enumerate(draw_together(curves, width=min(page.width, 96) - 2)):
        if i == 0:
            page.gap()
        page.put(line, indent=2)


def parting_words(difference: Difference) -> str:
    """Where the two runs part, and what that says."""
    step, what = difference.parting.step, difference.parting.what
    if not what:
        return f"All of the {count(difference.steps, 'step')} that both made are the same, to the last bit." if difference.steps else "There is no step that both made."
    first = step == difference.after.recording.steps[0].index
    return _PARTINGS[what, first].format(step=f"{step:,}", before=f"{step - 1:,}")


def _changes(page: Page, changed: list[Changed], verbose: bool) -> None:
    shown = [c for c in changed if verbose or c.name not in _QUIET]
    page.heading("What was chosen otherwise")
    if not shown:
        page.prose("nothing that was watched", indent=2)
        return
    rows: list[list[Part]] = [[(c.subject, "dim"), clean(c.name), _value(c.before), _value(c.after)] for c in (shown if verbose else shown[:_MOST])]
    page.table([" ", "name ", "before ", "after "], rows)
    if len(rows) < len(shown):
        page.line((f"and {len(shown) - len(rows)} more with --verbose", "dim"), indent=2)


def _value(value: object) -> str:
    return "-" if value is None else setting(value) if value != [] else "none"


def _measures(page: Page, difference: Difference, verbose: bool) -> None:
    shown = [m for m in difference.measured if verbose or m.moved]
    if not shown:
        return
    page.heading(f"What came of it, after {count(difference.steps, 'step')}")
    page.table([" ", "before", "after"], [[m.name, _number(m, m.before), text((_number(m, m.after), "bold" if m.moved else ""))] for m in shown])


def _number(measured: Measured, value: float | None) -> str:
    return percent(value) if "accuracy" in measured.name else number(value)


def _suspects(page: Page, title: str, suspects: list[Suspect]) -> None:
    if not suspects:
        return
    page.heading(title)
    for suspect in suspects:
        where = f" at {place(suspect.location)}" if suspect.location else ""
        page.prose(
            (suspect.severity, STYLES.get(suspect.severity, "")), "  ", (clean(suspect.cause.title), "bold"),
            (f" ({suspect.cause.id}, {percent(suspect.confidence)}){where}", "dim"), indent=2,
        )  # fmt: skip
        page.bullets([clean(s.text) for s in suspect.evidence[:2]], indent=4)


def render_json(difference: Difference) -> str:
    """Both runs compared, as one JSON document."""
    return dump(
        {
            "schema_version": SCHEMA_VERSION,
            "nndoctor": __version__,
            "comparable": difference.comparable,
            "steps": difference.steps,
            "before": _side(difference.before),
            "after": _side(difference.after),
            "parting": {"step": difference.parting.step, "what": difference.parting.what or None, "text": parting_words(difference)},
            "settings": [{"subject": c.subject, "name": c.name, "before": c.before, "after": c.after} for c in difference.changed],
            "measures": [{"name": m.name, "before": m.before, "after": m.after, "moved": m.moved} for m in difference.measured],
            "new": [suspect_document(s, difference.after.fails_by(s)) for s in difference.appeared],
            "gone": [suspect_document(s, False) for s in difference.gone],
            "stayed": [suspect_document(s, False) for s in difference.stayed],
        }
    )


def _side(diagnosis: Diagnosis) -> dict[str, Any]:
    header = diagnosis.recording.header
    return {"script": header.script, "arguments": list(header.arguments), "verdict": diagnosis.verdict, "steps": step_count(diagnosis.recording), "reading": diagnosis.curve.reading}
