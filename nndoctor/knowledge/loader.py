"""Reads the knowledge base, and refuses it whole with every mistake listed where any page is malformed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nndoctor.knowledge.model import SEVERITIES, STAGES, Cause, Claim, Document, Evidence, Fix
from nndoctor.knowledge.page import Mistakes, Page, read_page

CAUSES = Path(__file__).with_name("causes")
DOCUMENTS = Path(__file__).with_name("documents.yaml")

# The order in which every page is written.
KEYS = (
    "id", "title", "stage", "severity", "what", "why", "prior", "needs", "evidence", "leads_to", "cures", "known_problems",
    "fixes", "documents", "references",
)  # fmt: skip

# A log likelihood ratio beyond this, 22000 to one, is a slip of the pen: no corpus is large enough to show it.
LARGEST_WEIGHT = 10.0


def load_causes(directory: Path | None = None, symptoms: Collection[str] | None = None) -> dict[str, Cause]:
    """All causes by id, in alphabetical order; without a directory those that ship, which are read only once.

    `symptoms` are the names that exist; without them, the names in the pages are taken as they stand. Raises one
    KnowledgeError with a line for every mistake in every page.
    """
    known = None if symptoms is None else frozenset(symptoms)
    return dict(_shipped_causes(known)) if directory is None else _read_causes(directory, known)


def load_documents(file: Path | None = None) -> dict[str, Document]:
    """The documents by letter, each with its claims. Raises KnowledgeError as `load_causes` does."""
    return dict(_shipped_documents()) if file is None else _read_documents(file)


def load_claims() -> dict[str, Claim]:
    """The claims of all documents by id; `str(claim)` is how a report cites one."""
    return {claim.id: claim for document in _shipped_documents().values() for claim in document.claims}


@cache
def _shipped_causes(symptoms: frozenset[str] | None) -> dict[str, Cause]:
    return _read_causes(CAUSES, symptoms)


@cache
def _shipped_documents() -> dict[str, Document]:
    return _read_documents(DOCUMENTS)


@dataclass(frozen=True)
class _Names:
    """Names that a page may use for what is defined elsewhere; None where any name will do."""

    symptoms: Collection[str] | None
    causes: Collection[str]
    claims: Collection[str]


def _read_causes(directory: Path, symptoms: Collection[str] | None) -> dict[str, Cause]:
    mistakes = Mistakes()
    files = sorted(directory.glob("*.yaml"))
    if not files:
        mistakes.add(str(directory), "", "holds no pages", "a directory with one <id>.yaml a cause")
    names = _Names(symptoms=symptoms, causes=[file.stem for file in files], claims=load_claims())
    pages = {file.stem: read_page(file, mistakes) for file in files}
    causes = {stem: _read_cause(page, stem, names) for stem, page in pages.items() if page is not None}
    mistakes.raise_any()
    return causes


def _read_cause(page: Page, stem: str, names: _Names) -> Cause:
    page.check_keys(KEYS)
    cause = Cause(
        id=page.text("id"),
        title=page.text("title"),
        stage=page.name("stage", STAGES),
        severity=page.name("severity", SEVERITIES),
        what=page.text("what"),
        why=page.text("why"),
        prior=page.number("prior"),
        needs=page.names("needs", names.symptoms),
        evidence=_read_evidence(page, names),
        leads_to=page.names("leads_to", names.causes),
        cures=page.texts("cures"),
        known_problems=page.text("known_problems"),
        fixes=_read_fixes(page, names),
        documents=page.names("documents", names.claims),
        references=page.texts("references"),
    )
    if cause.id and cause.id != stem:
        page.mistake("id", f"{cause.id!r} is not the name of the file", stem)
    if stem in cause.leads_to:
        page.mistake("leads_to", f"{stem!r} leads to itself", "other causes")
    return cause


def _read_evidence(page: Page, names: _Names) -> list[Evidence]:
    evidence = [
        Evidence(entry.name("symptom", names.symptoms), entry.number("weight", -LARGEST_WEIGHT, LARGEST_WEIGHT))
        for entry in page.entries("evidence", required=("symptom", "weight"))
    ]
    page.refuse_twins("evidence", [e.symptom for e in evidence])
    return evidence


def _read_fixes(page: Page, names: _Names) -> list[Fix]:
    page.refuse_empty("fixes")
    return [
        Fix(entry.text("text"), entry.text("code", may_be_empty=True), entry.names("when", names.symptoms))
        for entry in page.entries("fixes", required=("text", "code"), optional=("when",))
    ]


def _read_documents(file: Path) -> dict[str, Document]:
    mistakes = Mistakes()
    page = read_page(file, mistakes)
    entries = {letter: page.inner(letter) for letter in page} if page is not None else {}
    documents = {letter: _read_document(letter, entry) for letter, entry in entries.items() if entry is not None}
    mistakes.raise_any()
    return documents


def _read_document(letter: str, page: Page) -> Document:
    page.check_keys(("title", "claims"), optional=("shown",))
    title = page.text("title")
    claims = page.inner("claims")
    if claims is None:
        return Document(letter, title, [])
    for claim in claims:
        if not claim.startswith(f"{letter}-"):
            claims.mistake(claim, "does not begin with the letter of its document", f"{letter}-{claim}")
    shown = page.inner("shown") if "shown" in page else None
    for claim in shown or ():
        if claim not in claims and shown is not None:
            shown.mistake(claim, "is no claim of this document", ", ".join(claims))
    where = {claim: shown.text(claim) for claim in shown} if shown is not None else {}
    return Document(letter, title, [Claim(claim, claims.text(claim), title, where.get(claim, "")) for claim in claims])
