"""The report on a log that somebody else has kept, for a person and for a machine."""

from __future__ import annotations

from nndoctor.diagnosis.log import Finding, LogReading
from nndoctor.logs.model import Log, Series
from nndoctor.logs.recording import as_recording
from nndoctor.report.json import dump
from nndoctor.report.page import LINE, Look, Page, text
from nndoctor.report.sources import cited
from nndoctor.report.spark import draw
from nndoctor.report.suspects import STYLES
from nndoctor.report.words import clean, count, number
from nndoctor.version import __version__

# One line a version, newest last.
# 1: first schema.
SCHEMA_VERSION = 1
_VERDICTS = {"sick": "bold red", "unremarkable": "bold green", "inconclusive": "bold yellow"}
_MARGIN = 12


def render(reading: LogReading, look: Look) -> str:
    """What the curves show, as text."""
    page = Page(look)
    log = reading.log
    page.line((reading.verdict.upper(), _VERDICTS[reading.verdict]), "  ", (clean(log.source), "bold"))
    page.gap()
    page.rows(_facts(reading), _MARGIN)
    _curve(page, log)
    page.gap()
    page.prose(reading.reading, indent=2)
    _findings(page, reading.findings)
    if reading.fits:
        page.heading("What would look like this")
        page.rows([(cause.id, cause.title) for cause in reading.fits], max(len(c.id) for c in reading.fits) + 2)
    page.heading("What this log cannot tell")
    page.bullets(reading.unknown)
    if reading.fits:
        page.gap()
        page.line((f"more: nndoctor explain {reading.fits[0].id} · nndoctor check SCRIPT", "dim"))
    return page.result()


def _facts(reading: LogReading) -> list[tuple[str, str]]:
    log = reading.log
    rows = [("log", log.format)]
    rows += [(label, _series(series, reading)) for label, series in _curves(log) if series is not None]
    if log.others:
        rows.append(("not judged", clean(", ".join(log.others))))
    return rows + [("note", clean(remark)) for remark in log.remarks]


def _curves(log: Log) -> list[tuple[str, Series | None]]:
    return [("training", log.training), ("validation", log.validation), ("accuracy", log.training_accuracy), ("", log.validation_accuracy)]


def _series(series: Series, reading: LogReading) -> str:
    points = count(len(series.points), "point")
    if series.name not in reading.extent:
        return f"{clean(series.name)}: {points}, none of them a finite number"
    first, best, last = reading.extent[series.name]
    word = "highest" if series in (reading.log.training_accuracy, reading.log.validation_accuracy) else "lowest"
    where = f", {reading.log.unit} {number(series.points[0][0])} to {number(series.points[-1][0])}" if reading.log.unit != "row" else ""
    return f"{clean(series.name)}: {points}{where}; first {number(first)}, {word} {number(best)}, last {number(last)}"


def _curve(page: Page, log: Log) -> None:
    """Both losses over the points of the training curve, or of the validation curve where there is no other."""
    recording = as_recording(log)
    training: list[tuple[int, float | None]] = [(s.index, s.loss) for s in recording.steps]
    validation: list[tuple[int, float | None]] = [(e.step, e.loss) for e in recording.evaluations]
    if not training:
        validation = [(i, value) for i, (_, value) in enumerate(validation, 1)]
    drawing = draw(training, validation, width=min(page.width, LINE) - 2, noun=("point", "points"))
    if drawing:
        page.gap()
    for line in drawing:
        page.put(line, indent=2)


def _findings(page: Page, findings: list[Finding]) -> None:
    page.gap()
    for finding in findings:
        said = "; ".join(f"{', '.join(c.id for c in claims)} ({title})" for title, claims in cited(list(finding.claims)))
        page.prose(
            (finding.severity or "good", STYLES.get(finding.severity, "bold green")), "  ", clean(finding.text),
            text((f" [{finding.name}{': ' + said if said else ''}]", "dim")), indent=2,
        )  # fmt: skip


def render_json(reading: LogReading) -> str:
    """What the curves show, as one JSON document."""
    log = reading.log
    return dump(
        {
            "schema_version": SCHEMA_VERSION,
            "nndoctor": __version__,
            "log": log.source,
            "format": log.format,
            "verdict": reading.verdict,
            "reading": reading.reading,
            "findings": [{"symptom": f.name, "severity": f.severity or None, "text": f.text, "documents": list(f.claims)} for f in reading.findings],
            "fits": [{"id": c.id, "title": c.title} for c in reading.fits],
            "unknown": reading.unknown,
            "columns": {name: series.name if series is not None else None for name, series in _named(log)},
            "curves": [_curve_document(series, reading) for _, series in _named(log) if series is not None],
            "unit": log.unit,
            "not_judged": log.others,
            "remarks": log.remarks,
        }
    )


def _named(log: Log) -> list[tuple[str, Series | None]]:
    return [("training", log.training), ("validation", log.validation), ("training_accuracy", log.training_accuracy), ("validation_accuracy", log.validation_accuracy)]


def _curve_document(series: Series, reading: LogReading) -> dict[str, object]:
    first, best, last = reading.extent.get(series.name, (None, None, None))
    return {"column": series.name, "points": len(series.points), "first": first, "best": best, "last": last}
