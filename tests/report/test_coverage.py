"""Every claim of the documents is served, and the table says by what."""

from __future__ import annotations

import json

from nndoctor.knowledge.loader import load_causes, load_documents
from nndoctor.knowledge.model import Claim, Document
from nndoctor.report.coverage import coverage, coverage_json, services
from nndoctor.report.page import Look
from nndoctor.symptoms.catalogue import NAMES


def test_every_claim_is_served() -> None:
    """By a cause that can be suspected, with a symptom that is measured and a fix, or by the report itself."""
    table = services(load_documents().values(), load_causes(symptoms=NAMES).values())

    assert 59 == len(table)
    assert [] == [s.claim.id for s in table if not s.served]


def test_a_claim_that_nobody_serves_is_seen() -> None:
    """A claim without causes is not served, and neither is one whose only cause is never suspected."""
    document = Document("Z", "A text", [Claim("Z-odd", "Something odd", "A text"), Claim("Z-shown", "Seen", "A text", "In a table")])
    causes = load_causes()
    causes["lr-too-high"] = type(causes["lr-too-high"])(**{**vars(causes["lr-too-high"]), "needs": [], "documents": ["Z-odd"]})

    assert [False, True] == [s.served for s in services([document], list(causes.values()))]
    assert "served by nothing" in coverage([document], list(causes.values()), Look(80))
    assert "1 of 2 claims are served" in coverage([document], list(causes.values()), Look(80))


def test_table_names_causes_symptoms_fixes_and_places() -> None:
    """The same in text and JSON; no line is wider than the terminal."""
    documents, causes = load_documents().values(), load_causes().values()

    shown = coverage(documents, causes, Look(80))
    found = {c["id"]: c for c in json.loads(coverage_json(documents, causes))["claims"]}

    assert "59 of 59 claims are served" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "dying-relu" in found["B-dying"]["causes"] and "dead-units" in found["B-dying"]["symptoms"]
    assert found["B-dying"]["fixes"] and found["B-dying"]["served"]
    assert "step time and memory" in found["C-cost"]["report"]
