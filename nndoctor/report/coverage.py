"""What serves each claim of the documents: the causes that cite it, what they rest on, what to change, and the report itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from nndoctor.knowledge.model import Cause, Claim, Document
from nndoctor.report.json import dump
from nndoctor.report.page import Look, Page

_MARGIN = 10


@dataclass(frozen=True)
class Service:
    """A claim, and all that serves it."""

    claim: Claim
    causes: list[Cause]  # that cite it and can be suspected

    @property
    def symptoms(self) -> list[str]:
        """What the causes are suspected by, each once."""
        return list(dict.fromkeys(name for cause in self.causes for name in cause.needs))

    @property
    def fixes(self) -> list[str]:
        """The first thing to change for each cause."""
        return [" ".join(cause.fixes[0].text.split()) for cause in self.causes if cause.fixes]

    @property
    def served(self) -> bool:
        """Whether a run can ever be told of it: by a cause with symptoms and a fix, or by the report itself."""
        return bool(self.claim.shown) or (bool(self.symptoms) and bool(self.fixes))


def services(documents: Iterable[Document], causes: Collection[Cause]) -> list[Service]:
    """One for each claim, in the order of the documents."""
    known = [c for c in causes if c.needs]
    return [Service(claim, [c for c in known if claim.id in c.documents]) for d in documents for claim in d.claims]


def coverage(documents: Collection[Document], causes: Collection[Cause], look: Look) -> str:
    """Every claim with what serves it, by document."""
    page = Page(look)
    table = services(documents, causes)
    for document in documents:
        page.heading(f"{document.letter} · {document.title}")
        for service in (s for s in table if s.claim in document.claims):
            page.gap()
            page.prose((service.claim.id, "bold"), " ", service.claim.phrase, indent=2)
            rows = [
                ("causes", ", ".join(c.id for c in service.causes)), ("symptoms", ", ".join(service.symptoms)),
                ("fixes", " ".join(service.fixes)), ("report", service.claim.shown),
            ]  # fmt: skip
            page.rows([(label, words) for label, words in rows if words] or [("", "served by nothing")], _MARGIN, indent=4)
    page.gap()
    page.line((f"{sum(s.served for s in table)} of {len(table)} claims are served", "dim"))
    return page.result()


def coverage_json(documents: Collection[Document], causes: Collection[Cause]) -> str:
    """The same as JSON."""
    return dump(
        {
            "schema_version": 1,
            "claims": [
                {
                    "id": s.claim.id, "document": s.claim.title, "claim": s.claim.phrase, "causes": [c.id for c in s.causes],
                    "symptoms": s.symptoms, "fixes": s.fixes, "report": s.claim.shown, "served": s.served,
                }
                for s in services(documents, causes)
            ],
        }
    )  # fmt: skip
