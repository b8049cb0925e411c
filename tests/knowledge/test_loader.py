"""The loader takes well-formed pages, names every mistake of the others, and the pages that ship are well-formed."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import yaml

from nndoctor.errors import KnowledgeError
from nndoctor.knowledge import model
from nndoctor.knowledge.loader import CAUSES, KEYS, load_causes, load_claims, load_documents
from nndoctor.knowledge.model import Cause, Evidence, Fix

SYMPTOMS = ("loss-flat", "loss-oscillates", "updates-huge", "learns")

PAGE = """\
id: rate
title: Too high a rate
stage: optimization
severity: error
what: Steps overshoot.
why: >-
  A long step lands
  on the other side.
prior: -4.0
needs: [loss-oscillates, updates-huge]
evidence:
  - {symptom: loss-oscillates, weight: 2}
  - {symptom: learns, weight: -3.5}
leads_to: [dead]
cures: [lr*0.1]
known_problems: Small batches swing as well.
fixes:
  - text: Divide the rate by ten.
    code: |-
      for group in optimizer.param_groups:
          group["lr"] /= 10
  - text: Do something about huge updates.
    code: ""
    when: [updates-huge]
documents: [A-lr-high, B-lr]
references: ["PyTorch documentation: torch.optim"]
"""

QUIET = """\
id: dead
title: Units that never fire
stage: model
severity: warning
what: Units are silent.
why: Their inputs are negative.
prior: -4
needs: []
evidence: []
leads_to: []
cures: []
known_problems: Some are always silent.
fixes:
  - {text: Use another unit., code: unit = nn.LeakyReLU()}
documents: []
references: []
"""


def write_pages(directory: Path, **pages: str) -> Path:
    for name, content in pages.items():
        (directory / f"{name}.yaml").write_text(content, encoding="utf-8")
    return directory


def mistakes(directory: Path, **pages: str) -> list[str]:
    """The lines of the error that these pages cause."""
    with pytest.raises(KnowledgeError) as caught:
        load_causes(write_pages(directory, **pages), SYMPTOMS)
    return str(caught.value).splitlines()


def test_page_becomes_typed_cause(tmp_path: Path) -> None:
    """A page becomes a Cause with numbers as floats and prose without the line ends of the file."""
    causes = load_causes(write_pages(tmp_path, rate=PAGE, dead=QUIET), SYMPTOMS)

    assert ["dead", "rate"] == list(causes)
    assert (
        Cause(
            id="rate",
            title="Too high a rate",
            stage="optimization",
            what="Steps overshoot.",
            why="A long step lands on the other side.",
            severity="error",
            prior=-4.0,
            needs=["loss-oscillates", "updates-huge"],
            evidence=[Evidence("loss-oscillates", 2.0), Evidence("learns", -3.5)],
            leads_to=["dead"],
            cures=["lr*0.1"],
            known_problems="Small batches swing as well.",
            fixes=[
                Fix("Divide the rate by ten.", 'for group in optimizer.param_groups:\n    group["lr"] /= 10'),
                Fix("Do something about huge updates.", "", ["updates-huge"]),
            ],
            documents=["A-lr-high", "B-lr"],
            references=["PyTorch documentation: torch.optim"],
        )
        == causes["rate"]
    )
    assert isinstance(causes["dead"].prior, float)


def test_cause_without_needs_is_accepted(tmp_path: Path) -> None:
    """A page may have neither needs nor evidence; it is there to be read."""
    cause = load_causes(write_pages(tmp_path, dead=QUIET), SYMPTOMS)["dead"]

    assert ([], []) == (cause.needs, cause.evidence)


def test_names_of_symptoms_are_free_without_a_list(tmp_path: Path) -> None:
    """Without a list of symptoms a page may name any."""
    page = PAGE.replace("updates-huge", "no-such-thing")

    causes = load_causes(write_pages(tmp_path, rate=page, dead=QUIET))

    assert ["loss-oscillates", "no-such-thing"] == causes["rate"].needs


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("id: rate", "id: rates", "id: 'rates' is not the name of the file; valid: rate", id="other id"),
        pytest.param(
            "what: Steps overshoot.",
            "what: no",
            "what: is the truth value false (as YAML reads no, yes, on and off), not text; valid: text, in quotes where "
            "YAML reads it as something else",
            id="no is false",
        ),
        pytest.param("what: Steps overshoot.", "what: ''", "what: is empty; valid: some text", id="no text"),
        pytest.param(
            "prior: -4.0",
            "prior: 1e-3",
            "prior: YAML reads 1e-3 as text, not as a number; valid: 0.001, without quotes",
            id="1e-3 is text",
        ),
        pytest.param(
            "prior: -4.0", "prior: low", "prior: is 'low', not a number; valid: a number such as -4 or 0.5", id="word"
        ),
        pytest.param(
            "prior: -4.0",
            "prior: yes",
            "prior: is the truth value true (as YAML reads no, yes, on and off), not a number; valid: a number such as "
            "-4 or 0.5",
            id="yes is no number",
        ),
        pytest.param(
            "prior: -4.0", "prior: -.inf", "prior: is not finite; valid: a number such as -4 or 0.5", id="infinite"
        ),
        pytest.param(
            "weight: -3.5",
            "weight: -35",
            "evidence[1].weight: -35 is out of range; valid: a number from -10 to 10",
            id="weight out of range",
        ),
        pytest.param(
            "{symptom: learns, weight: -3.5}",
            "{symptom: learns}",
            "evidence[1].weight: missing; valid: all of symptom, weight",
            id="no weight",
        ),
        pytest.param(
            "{symptom: learns, weight: -3.5}",
            "learns",
            "evidence[1]: is 'learns', not a mapping; valid: lines of `key: value`",
            id="evidence is no mapping",
        ),
        pytest.param(
            "symptom: learns",
            "symptom: loss-oscillates",
            "evidence: 'loss-oscillates' stands there more than once; valid: each name once",
            id="evidence twice",
        ),
        pytest.param(
            "symptom: learns",
            "symptom: lerns",
            "evidence[1].symptom: 'lerns' is unknown; valid: learns, loss-flat, loss-oscillates, updates-huge",
            id="unknown symptom in evidence",
        ),
        pytest.param(
            "needs: [loss-oscillates, updates-huge]",
            "needs: [loss-oscilates]",
            "needs[0]: 'loss-oscilates' is unknown; valid: loss-oscillates, loss-flat, learns, updates-huge",
            id="unknown symptom in needs",
        ),
        pytest.param(
            "needs: [loss-oscillates, updates-huge]",
            "needs: loss-oscillates",
            "needs: is 'loss-oscillates', not a list; valid: [] or lines that begin with '- '",
            id="needs is no list",
        ),
        pytest.param(
            "when: [updates-huge]",
            "when: [update-huge]",
            "fixes[1].when[0]: 'update-huge' is unknown; valid: updates-huge, learns, loss-flat, loss-oscillates",
            id="unknown symptom in a fix",
        ),
        pytest.param(
            "leads_to: [dead]",
            "leads_to: [daed]",
            "leads_to[0]: 'daed' is unknown; valid: dead, rate",
            id="unknown cause",
        ),
        pytest.param(
            "leads_to: [dead]", "leads_to: [rate]", "leads_to: 'rate' leads to itself; valid: other causes", id="circle"
        ),
        pytest.param(
            "stage: optimization",
            "stage: optimisation",
            "stage: 'optimisation' is unknown; valid: optimization, data, loop, loss, model",
            id="unknown stage",
        ),
        pytest.param(
            "severity: error",
            "severity: fatal",
            "severity: 'fatal' is unknown; valid: error, note, warning",
            id="severity",
        ),
        pytest.param(
            "known_problems: Small",
            "known_problem: Small",
            "known_problem: unknown key; valid: known_problems, cures, documents, evidence, fixes, id, leads_to, needs "
            "... 15 in all",
            id="unknown key",
        ),
        pytest.param(
            "known_problems: Small",
            "known_problem: Small",
            f"known_problems: missing; valid: all of {', '.join(KEYS)}",
            id="missing key",
        ),
        pytest.param(
            "    code: |-\n",
            "    code: 3\n    note: |-\n",
            "fixes[0].code: is 3, not text; valid: text, in quotes where YAML reads it as something else",
            id="code is a number",
        ),
        pytest.param(
            "    code: |-\n",
            "    code: 3\n    note: |-\n",
            "fixes[0].note: unknown key; valid: code, text, when",
            id="unknown key in a fix",
        ),
        pytest.param(
            "A-lr-high",
            "A-lr-hihg",
            "documents[0]: 'A-lr-hihg' is unknown; valid: A-lr-high, A-lr-clip, A-curve-1, A-curve-2, A-curve-3, "
            "A-curve-4, A-curve-5, A-data-1 ... 59 in all",
            id="unknown claim",
        ),
        pytest.param(
            '["PyTorch documentation: torch.optim"]',
            "[PyTorch documentation: torch.optim]",
            "references[0]: is a mapping, not text; valid: text, in quotes where YAML reads it as something else",
            id="colon outside quotes",
        ),
        pytest.param("title: Too", "3: Too", "3: the key is 3, not text; valid: a key in quotes", id="key is a number"),
        pytest.param(
            "title: Too",
            "id: Too",
            "line 2: the key 'id' is written twice; valid: a YAML mapping",
            id="key written twice",
        ),
    ],
)
def test_mistake_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """Each mistake is reported with its file, its key, what is wrong, and what would be right."""
    assert PAGE.count(old) >= 1

    lines = mistakes(tmp_path, rate=PAGE.replace(old, new, 1), dead=QUIET)

    assert f"rate.yaml: {expected}" in lines


def test_page_that_is_no_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    """What the parser has against a page depends on the parser; the line does not."""
    (line,) = mistakes(tmp_path, rate=PAGE.replace("needs: [", "needs: ]["), dead=QUIET)

    assert line.startswith("rate.yaml: line 10: ")


def test_page_without_fixes_is_refused(tmp_path: Path) -> None:
    """A cause that nobody can do anything about is not worth a page."""
    page = QUIET.replace("fixes:\n  - {text: Use another unit., code: unit = nn.LeakyReLU()}", "fixes: []")

    lines = mistakes(tmp_path, dead=page)

    assert ["dead.yaml: fixes: is an empty list; valid: at least one entry"] == lines


def test_all_mistakes_of_all_pages_come_at_once(tmp_path: Path) -> None:
    """One error lists everything, so that nobody mends one mistake to meet the next."""
    lines = mistakes(
        tmp_path,
        rate=PAGE.replace("severity: error", "severity: bad").replace("weight: 2", "weight: two"),
        dead=QUIET.replace("stage: model", "stage: modle"),
        empty="",
    )

    assert [
        "empty.yaml: is empty, not a mapping; valid: lines of `key: value`",
        "dead.yaml: stage: 'modle' is unknown; valid: model, data, loop, loss, optimization",
        "rate.yaml: severity: 'bad' is unknown; valid: error, note, warning",
        "rate.yaml: evidence[0].weight: is 'two', not a number; valid: a number such as -4 or 0.5",
    ] == lines


def test_unreadable_page_does_not_count_as_unknown_cause(tmp_path: Path) -> None:
    """A page that is no YAML is one mistake; causes that lead to it are not blamed as well."""
    lines = mistakes(tmp_path, rate=PAGE, dead="- a list\n")

    assert ["dead.yaml: is a list, not a mapping; valid: lines of `key: value`"] == lines


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """A file in another encoding is a mistake like any other."""
    (tmp_path / "dead.yaml").write_bytes(QUIET.replace("silent", "still\xe9").encode("latin-1"))

    lines = mistakes(tmp_path)

    assert ["dead.yaml: is not UTF-8; valid: text in UTF-8"] == lines


def test_directory_without_pages_is_refused(tmp_path: Path) -> None:
    """An empty knowledge base would find every run healthy, so it is an error."""
    lines = mistakes(tmp_path)

    assert [f"{tmp_path}: holds no pages; valid: a directory with one <id>.yaml a cause"] == lines


def test_shipped_pages_are_read_once() -> None:
    """The second call gives the same causes in a dict of its own."""
    first = load_causes()
    again = load_causes()
    again.pop("lr-too-high")

    assert first["lr-too-low"] is again["lr-too-low"]
    assert "lr-too-high" in load_causes()


def test_unknown_symptom_in_shipped_pages_is_refused() -> None:
    """The list of symptoms counts for the pages that ship, too."""
    with pytest.raises(KnowledgeError, match=r"lr-too-high\.yaml: needs\[0\]: 'loss-diverged' is unknown"):
        load_causes(symptoms=["learns"])


def test_fixes_made_for_a_symptom_come_first() -> None:
    """A run gets the fixes for what it shows, then the general ones, and none that answers something else."""
    cause = load_causes()["loss-input"]

    when = [fix.when for fix in cause.fixes_for({"not-log-probabilities", "learns"})]

    assert [["not-log-probabilities"], []] == when


def test_every_document_has_title_and_claims() -> None:
    """There are three documents, and each claim is known by the letter of its own."""
    documents = load_documents()

    assert ["A", "B", "C"] == list(documents)
    assert "Summary of Reasons for Neural Network Training Failures" == documents["A"].title
    assert {"A": 21, "B": 22, "C": 16} == {letter: len(d.claims) for letter, d in documents.items()}


def test_claim_is_cited_with_title_of_its_document() -> None:
    """A claim prints as its id and the title of the document that makes it."""
    claim = load_claims()["A-lr-high"]

    assert "A-lr-high (Summary of Reasons for Neural Network Training Failures)" == str(claim)


def test_claim_under_wrong_letter_is_refused(tmp_path: Path) -> None:
    """A claim belongs to the document whose letter it bears; mistakes come all at once here as well."""
    file = tmp_path / "documents.yaml"
    file.write_text("A:\n  claims:\n    B-lr: Too high\n    A-data: 3\nB: none\n", encoding="utf-8")

    with pytest.raises(KnowledgeError) as caught:
        load_documents(file)

    assert [
        "documents.yaml: B: is 'none', not a mapping; valid: lines of `key: value`",
        "documents.yaml: A.title: missing; valid: all of title, claims",
        "documents.yaml: A.claims.B-lr: does not begin with the letter of its document; valid: A-B-lr",
        "documents.yaml: A.claims.A-data: is 3, not text; valid: text, in quotes where YAML reads it as something else",
    ] == str(caught.value).splitlines()


def test_a_severity_is_as_severe_as_those_below_it() -> None:
    """And none is as severe as "never"."""
    assert [True, True, False] == [model.is_as_severe(s, "warning") for s in model.SEVERITIES]
    assert not any(model.is_as_severe(s, "never") for s in model.SEVERITIES)


@pytest.mark.parametrize("cause", load_causes().values(), ids=lambda cause: cause.id)
class TestShippedPage:
    """What holds for each page because it exists."""

    def test_keys_stand_in_one_order(self, cause: Cause) -> None:
        """Every page is written in the same order, so that people find their way."""
        page = yaml.safe_load((CAUSES / f"{cause.id}.yaml").read_text(encoding="utf-8"))

        assert list(KEYS) == list(page)

    def test_code_of_fixes_is_python(self, cause: Cause) -> None:
        """Every fix shows code, and all of it compiles inside a function."""
        for fix in cause.fixes:
            assert fix.code
            compile("def snippet(self):\n" + textwrap.indent(fix.code, "    ") + "\n    pass", cause.id, "exec")

    def test_what_is_needed_speaks_for_the_cause(self, cause: Cause) -> None:
        """A symptom that brings a cause under suspicion has a positive weight for it."""
        speaking_for = {evidence.symptom for evidence in cause.evidence if evidence.weight > 0}

        assert set() == set(cause.needs) - speaking_for

    def test_evidence_is_weighed_only_where_it_can_count(self, cause: Cause) -> None:
        """Evidence without needs would never be looked at."""
        assert bool(cause.needs) == bool(cause.evidence)

    def test_title_names_what_is_wrong(self, cause: Cause) -> None:
        """A title is a phrase, and what is said of the cause are whole sentences."""
        assert not cause.title.endswith(".")
        assert cause.what.endswith(".") and cause.why.endswith(".") and cause.known_problems.endswith(".")
        assert all(fix.text.endswith(".") for fix in cause.fixes)


def test_no_cause_brings_itself_about() -> None:
    """Following leads_to never comes back, or two causes would each stand below the other."""
    causes = load_causes()

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        ahead = list(causes[start].leads_to)
        while ahead:
            name = ahead.pop()
            if name not in found:
                found.add(name)
                ahead += causes[name].leads_to
        return found

    assert [] == [name for name in causes if name in reached(name)]
