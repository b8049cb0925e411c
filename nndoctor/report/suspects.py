"""The suspects: the first in full, the ones below it in a few lines, notes in one line each."""

from __future__ import annotations

from rich.cells import cell_len

from nndoctor.diagnosis.model import Diagnosis, Suspect, UnusedComment
from nndoctor.knowledge.model import Fix
from nndoctor.report.frame import code_frame
from nndoctor.report.page import Page, Part, text
from nndoctor.report.sources import cited
from nndoctor.report.trials import sentence
from nndoctor.report.words import clean, count, percent, place

STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
_EVIDENCE, _AGAINST, _FIXES, _BELOW, _NOTES = 5, 2, 2, 3, 3
_MARGIN = 9  # of the labels "change", "says so", ...


def name_line(page: Page, rank: int, suspect: Suspect) -> None:
    """Rank, title, id, severity and confidence: on one line where they fit, else on two."""
    title = text((f"{rank}  ", "dim"), (clean(suspect.cause.title), "bold"))
    follows = f", follows from {suspect.consequence_of}" if suspect.consequence_of else ""
    facts = text(
        suspect.cause.id, (" · ", "dim"), (suspect.severity, STYLES.get(suspect.severity, "")),
        (f" · {percent(suspect.confidence)}{follows}{' · known' if suspect.known else ''}", "dim"),
    )  # fmt: skip
    if len(title) + len(facts) + 3 <= page.width:
        page.line(title, (" · ", "dim"), facts)
    else:
        page.line(title)
        page.line(facts, indent=3)


def how_sure(suspect: Suspect) -> str:
    """`proved by trial`, or `97 % sure`."""
    proved = suspect.trial is not None and suspect.trial.confirmed
    return "proved by trial" if proved else f"{percent(suspect.confidence)} sure"


def first_suspect(page: Page, suspect: Suspect, script: str, verbose: bool) -> None:
    """Everything that is known of the most likely cause: evidence, line, fix, and the documents that say so."""
    name_line(page, 1, suspect)
    page.gap()
    evidence = suspect.evidence if verbose else suspect.evidence[:_EVIDENCE]
    page.bullets([clean(s.text) for s in evidence], indent=3)
    if len(suspect.evidence) > len(evidence):
        page.line((f"and {len(suspect.evidence) - len(evidence)} more with --verbose", "dim"), indent=5)
    against = suspect.against if verbose else suspect.against[:_AGAINST]
    page.bullets([text(("against it: ", "dim"), clean(s.text)) for s in against], indent=3)
    if suspect.trial is not None:
        page.gap()
        page.prose(sentence(suspect.trial), indent=3, label=("tried", "dim"), hang=_MARGIN)
    _where(page, suspect, script)
    page.gap()
    for i, fix in enumerate(fixes(suspect) if verbose else fixes(suspect)[:_FIXES]):
        _fix(page, fix if i == 0 or verbose else Fix(fix.text), "change" if i == 0 else "or")
    _sources(page, suspect)


def fixes(suspect: Suspect) -> list[Fix]:
    """The fixes that answer what was seen, best first."""
    return suspect.cause.fixes_for({s.name for s in suspect.evidence}) or suspect.cause.fixes


def _sources(page: Page, suspect: Suspect) -> None:
    """Claim ids, each group with the title of the document that makes them."""
    said: list[Part] = []
    for title, claims in cited(suspect.cause.documents):
        said += ["; " if said else "", ", ".join(claim.id for claim in claims), (f" ({title})", "dim")]
    if said:
        page.gap()
        page.prose(*said, indent=3, label=("says so", "dim"), hang=_MARGIN)


def _where(page: Page, suspect: Suspect, script: str) -> None:
    """The line to blame, with the code where it can be read."""
    inside = f"in {clean(suspect.module)}" if suspect.module else ""
    if suspect.location is None:
        if inside:
            page.gap()
            page.prose(clean(suspect.module or ""), indent=3, label=("where", "dim"), hang=_MARGIN)
        return
    page.gap()
    within = f" {inside}" if inside else ""
    page.prose((place(suspect.location), "bold"), (within, "dim"), indent=3, label=("where", "dim"), hang=_MARGIN)
    for line in code_frame(suspect.location, script):
        page.put(line, indent=3 + _MARGIN)


def _fix(page: Page, fix: Fix, label: str) -> None:
    page.prose(clean(fix.text), indent=3, label=(label, "dim"), hang=_MARGIN)
    lines = clean(fix.code).strip("\n").split("\n") if fix.code.strip() else []
    # Further to the left where it would not fit: code that is wrapped cannot be typed.
    room = page.width - max((cell_len(line) for line in lines), default=0)
    for line in lines:
        page.put(text((line, "green")), indent=max(min(3 + _MARGIN + 2, room), 5))


def unused(comment: UnusedComment) -> str:
    """What is wrong with a comment that silences nothing."""
    return f"`{clean(comment.words)}` silences nothing: {clean(comment.reason)}"


def further_suspects(page: Page, suspects: list[Suspect], verbose: bool) -> None:
    """The suspects from the second on: the strongest evidence, the place and the first fix."""
    shown = suspects if verbose else suspects[:_BELOW]
    for rank, suspect in enumerate(shown, 2):
        page.gap()
        name_line(page, rank, suspect)
        evidence = suspect.evidence if verbose else suspect.evidence[:1]
        page.bullets([clean(s.text) for s in evidence], indent=3)
        if suspect.trial is not None:
            page.prose(sentence(suspect.trial), indent=3, label=("tried", "dim"), hang=_MARGIN)
        where = " ".join(x for x in (place(suspect.location), f"in {suspect.module}" if suspect.module else "") if x)
        if where:
            page.prose(clean(where), indent=3, label=("where", "dim"), hang=_MARGIN)
        for fix in fixes(suspect)[:1]:
            _fix(page, fix if verbose else Fix(fix.text), "change")
    if len(suspects) > len(shown):
        page.gap()
        page.line((f"and {count(len(suspects) - len(shown), 'less likely suspect')} with --verbose", "dim"), indent=3)


def comments(page: Page, diagnosis: Diagnosis) -> None:
    """What comments in the user's files silence, and those that silence nothing."""
    for suspect in diagnosis.silenced:
        where = f" at {place(suspect.location)}" if suspect.location else ""
        words = (clean(suspect.cause.title), (f" ({suspect.cause.id}), by a comment{where}", "dim"))
        page.prose(*words, label=("silenced", "dim"), hang=_MARGIN + 1)
    for comment in diagnosis.unused_comments:
        page.prose(f"{place(comment.place)}: {unused(comment)}", label=("unused", "dim"), hang=_MARGIN + 1)


def notes(page: Page, suspects: list[Suspect], verbose: bool) -> None:
    """One line a note; at most three where the report is short."""
    shown = suspects if verbose else suspects[:_NOTES]
    for suspect in shown:
        where = f" at {place(suspect.location)}" if suspect.location else ""
        because = f": {clean(suspect.evidence[0].text)}" if suspect.evidence else ""
        words: tuple[Part, ...] = (
            ("note  ", STYLES["note"]), clean(suspect.cause.title), (f" ({suspect.cause.id}){where}{because}", "dim"),
        )  # fmt: skip
        page.line(*words)
    if len(suspects) > len(shown):
        page.line((f"      and {count(len(suspects) - len(shown), 'more note')} with --verbose", "dim"))
