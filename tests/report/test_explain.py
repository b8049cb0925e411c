"""Pages of the knowledge base."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from rich.cells import cell_len

from nndoctor.knowledge.loader import load_causes
from nndoctor.report.explain import cause_list, cause_list_json, cause_page, symptom_list, symptom_list_json
from nndoctor.report.page import Look
from nndoctor.symptoms.model import SymptomInfo
from tests.report import samples

SYMPTOMS = (
    SymptomInfo(
        "double-softmax", "structure", "A softmax feeds a loss that applies its own [dim].", 1.0, "twice is wrong"
    ),
    SymptomInfo("learns", "loss", "The run learns."),
    SymptomInfo("loss-flat", "loss", "The loss stays where it was.", 0.05),
)


@pytest.mark.parametrize("width", [80, 120])
def test_page(width: int, gold: Callable[[str, str], None]) -> None:
    """The whole page is the gold file's."""
    gold(f"explain-{width}.txt", cause_page(samples.LOSS_INPUT, SYMPTOMS, Look(width)))


@pytest.mark.parametrize("cause", load_causes().values(), ids=lambda cause: cause.id)
def test_every_page_of_the_knowledge_base(cause: object) -> None:
    """Every cause that ships has a page that holds its text whole, within the width."""
    from nndoctor.knowledge.model import Cause

    assert isinstance(cause, Cause)
    page = cause_page(cause, (), Look(80))
    words = " ".join(page.split())

    for said in (cause.title, cause.id, cause.what, cause.why, cause.known_problems, *(f.text for f in cause.fixes)):
        assert " ".join(said.split()) in words
    for name in (*cause.needs, *(e.symptom for e in cause.evidence), *cause.documents, *cause.leads_to):
        assert name in words
    for fix in cause.fixes:
        assert " ".join(fix.code.split()) in words
    assert [] == [line for line in page.splitlines() if cell_len(line) > 80]


def test_causes_by_stage() -> None:
    """Stages come in the order of a run, ids in that of the alphabet; JSON has the same order."""
    pages = [
        samples.LR_LOW,
        samples.LOSS_INPUT,
        samples.SMALL,
        samples.BATCH,
        samples.cause("unheard-of", "New", stage="new"),
    ]
    text = cause_list(pages, Look(80))
    document = json.loads(cause_list_json(pages))
    order = ["dataset-too-small", "loss-input", "batch-too-large", "lr-too-low", "unheard-of"]

    assert order == sorted(order, key=text.index)
    assert order == [c["id"] for c in document["causes"]]
    assert {"id", "title", "stage", "severity", "what", "documents"} == set(document["causes"][0])


def test_symptoms_by_subject() -> None:
    """Each symptom stands under its subject with its threshold; the reason of it only where asked for."""
    short, long = (symptom_list(SYMPTOMS, Look(80, verbose=v)) for v in (False, True))

    assert short.index("structure") < short.index("double-softmax") < short.index("\nloss\n") < short.index("learns")
    assert "applies its own [dim]. threshold 1 loss" in " ".join(short.split())
    assert "twice is wrong" not in short
    assert "twice is wrong" in long
    assert ["double-softmax", "learns", "loss-flat"] == [
        s["name"] for s in json.loads(symptom_list_json(SYMPTOMS))["symptoms"]
    ]
