"""Pages of the knowledge base: one cause in full, all causes by stage, all symptoms by subject."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from nndoctor.knowledge.model import STAGES, Cause, Evidence, Fix
from nndoctor.report.json import dump
from nndoctor.report.page import Look, Page, text
from nndoctor.report.sources import cited
from nndoctor.report.words import listing, number
from nndoctor.symptoms.model import SymptomInfo

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


def cause_page(cause: Cause, symptoms: Sequence[SymptomInfo], look: Look) -> str:
    """The whole page on one cause, in the order of the YAML: what, why, evidence, known problems, fixes, references."""
    page = Page(look)
    page.line((cause.title, "bold"))
    page.line(
        (cause.id, "bold"), (" · ", "dim"), (cause.severity, _STYLES.get(cause.severity, "")),
        (f" · stage: {cause.stage}", "dim"),
    )  # fmt: skip
    for title, words in (("What", cause.what), ("Why", cause.why)):
        _paragraphs(page, title, words)
    _evidence(page, cause, {s.name: s.what for s in symptoms})
    if cause.leads_to:
        page.heading("Leads to")
        page.prose(", ".join(cause.leads_to), indent=2)
    _paragraphs(page, "Known problems", cause.known_problems)
    if cause.fixes:
        page.heading("Fixes")
        _fixes(page, cause.fixes)
    if cause.documents:
        page.heading("Documents")
        for title, claims in cited(cause.documents):
            page.prose((title, "dim"), indent=2)
            page.rows([(claim.id, claim.phrase) for claim in claims], max(len(c.id) for c in claims) + 2, indent=4)
    if cause.references:
        page.heading("References")
        page.bullets(cause.references)
    return page.result()


def _paragraphs(page: Page, title: str, words: str) -> None:
    """A heading and its paragraphs; the page's own line ends within a paragraph are no line ends."""
    if not words.strip():
        return
    page.heading(title)
    for i, paragraph in enumerate(words.strip().split("\n\n")):
        if i:
            page.gap()
        page.prose(" ".join(paragraph.split()), indent=2)


def _evidence(page: Page, cause: Cause, what: dict[str, str]) -> None:
    """Symptoms for the cause and against it, strongest first; those without which it is not considered are marked."""
    for title, chosen in (
        ("Speaks for it", [e for e in cause.evidence if e.weight > 0]),
        ("Speaks against it", [e for e in cause.evidence if e.weight < 0]),
    ):
        if chosen:
            page.heading(title)
            ranked: list[Evidence] = sorted(chosen, key=lambda e: -abs(e.weight))
            page.table(
                ["symptom", "weight", "what it is "],
                [(e.symptom, f"{e.weight:+.1f}", what.get(e.symptom, "")) for e in ranked],
            )
    if cause.needs:
        page.gap()
        page.prose(("Suspected only with: ", "dim"), ", ".join(cause.needs), indent=2)


def _fixes(page: Page, fixes: Iterable[Fix]) -> None:
    for i, fix in enumerate(fixes):
        if i:
            page.gap()
        when = f" (for {listing(fix.when, 'or')})" if fix.when else ""
        page.bullets([text(" ".join(fix.text.split()), (when, "dim"))])
        for line in fix.code.strip("\n").split("\n") if fix.code.strip() else []:
            page.put(text((line, "green")), indent=6)


def causes_by_stage(causes: Iterable[Cause]) -> list[Cause]:
    """Ordered as a run goes: data, model, loss, optimisation, loop; by id within a stage."""
    known = {stage: i for i, stage in enumerate(STAGES)}
    return sorted(causes, key=lambda c: (known.get(c.stage, len(known)), c.stage, c.id))


def cause_list(causes: Iterable[Cause], look: Look) -> str:
    """Every cause with its title, by stage."""
    page = Page(look)
    ordered = causes_by_stage(causes)
    margin = max((len(c.id) for c in ordered), default=0) + 2
    for stage, group in groupby(ordered, key=lambda c: c.stage):
        page.heading(stage)
        for cause in group:
            page.prose(cause.title, indent=2, label=cause.id, hang=margin)
    page.gap()
    page.line(("more on one: nndoctor explain ID", "dim"))
    return page.result()


def cause_list_json(causes: Iterable[Cause]) -> str:
    """Every cause as JSON."""
    return dump(
        {
            "schema_version": 1,
            "causes": [
                {
                    "id": c.id, "title": c.title, "stage": c.stage, "severity": c.severity, "what": c.what,
                    "documents": c.documents,
                }
                for c in causes_by_stage(causes)
            ],
        }
    )  # fmt: skip


def symptom_list(symptoms: Iterable[SymptomInfo], look: Look) -> str:
    """Everything that is measured, by subject, with its threshold."""
    page = Page(look)
    ordered = list(symptoms)
    margin = max((len(s.name) for s in ordered), default=0) + 2
    for subject in dict.fromkeys(s.subject for s in ordered):
        page.heading(subject)
        for symptom in (s for s in ordered if s.subject == subject):
            limit = f"  threshold {number(symptom.threshold)}" if symptom.threshold is not None else ""
            why = f" ({symptom.why.strip()})" if symptom.why.strip() and look.verbose else ""
            page.prose(symptom.what, (limit + why, "dim"), indent=2, label=symptom.name, hang=margin)
    return page.result()


def symptom_list_json(symptoms: Iterable[SymptomInfo]) -> str:
    """Everything that is measured, as JSON."""
    return dump(
        {
            "schema_version": 1,
            "symptoms": [
                {"name": s.name, "subject": s.subject, "what": s.what, "threshold": s.threshold, "why": s.why}
                for s in symptoms
            ],
        }
    )
