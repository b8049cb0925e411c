"""The report on two runs, whole against gold files, and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from nndoctor.diagnosis.difference import Difference, Parting, compare
from nndoctor.report.difference import parting_words, render, render_json
from nndoctor.report.page import Look
from tests.report import samples


def made(before: str, after: str) -> Difference:
    return compare(samples.SAMPLES[before](), samples.SAMPLES[after]())


@pytest.mark.parametrize(("before", "after"), [("healthy", "sick"), ("sick", "healthy"), ("healthy", "diverged"), ("healthy", "inconclusive")])
def test_report(before: str, after: str, gold: Callable[[str, str], None]) -> None:
    """The report on each pair is the gold file's."""
    gold(f"diff-{before}-{after}.txt", render(made(before, after), Look(80)))


def test_long_report_tells_more() -> None:
    """--verbose adds the numbers that moved little."""
    short, long = (render(made("healthy", "sick"), Look(80, verbose=v)) for v in (False, True))

    assert "first loss" not in short
    assert "first loss" in long


def test_colour_changes_no_word() -> None:
    """Without its colour codes, the coloured report is the plain one."""
    coloured = render(made("healthy", "sick"), Look(80, color=True))

    assert render(made("healthy", "sick"), Look(80)) == "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", coloured).split("\n"))


def test_json() -> None:
    """The document holds both verdicts, what changed, and the findings as the report on a run has them."""
    document = json.loads(render_json(made("healthy", "diverged")))

    assert (1, "healthy", "sick", 40) == (document["schema_version"], document["before"]["verdict"], document["after"]["verdict"], document["steps"])
    assert ["lr-too-high"] == [s["id"] for s in document["new"]]
    assert {"subject": "optimiser", "name": "lr", "before": 0.05, "after": 5.0} in document["settings"]
    assert all(set(m) == {"name", "before", "after", "moved"} for m in document["measures"])


@pytest.mark.parametrize("what", ["inputs", "targets", "loss", "gradient"])
@pytest.mark.parametrize("step", [1, 7])
def test_words_for_every_parting(what: str, step: int) -> None:
    """Each way of parting has a sentence of its own, with its step where it is not the first."""
    difference = made("healthy", "sick")
    words = parting_words(Difference(**{**vars(difference), "parting": Parting(step, what)}))

    assert words.endswith((".", "labels."))
    assert "{" not in words
    assert (step == 1) or any(n in words for n in ("6", "7"))
