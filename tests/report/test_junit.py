"""JUnit XML: what a reader of test results makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from xmlschema import XMLSchema

from nndoctor.report.junit import render
from nndoctor.symptoms.model import Symptom
from tests.report import samples


@pytest.fixture(scope="module")
def schema() -> XMLSchema:
    """The part of JUnit XML that all readers know."""
    return XMLSchema(Path(__file__).with_name("junit.xsd"))


def results(text: str) -> dict[str, type | None]:
    """Name of each test case, and what kind of result it has; None for one that passed."""
    (suite,) = JUnitXml.fromstring(text.encode("utf-8"))
    return {case.name: type(case.result[0]) if case.result else None for case in suite}


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_document(name: str, gold: Callable[[str, str], None], schema: XMLSchema, at_script: Path) -> None:
    """The whole document is the gold file's, fulfils the schema, and counts what it holds."""
    text = render(samples.SAMPLES[name]())
    schema.validate(text)
    found = list(results(text).values())
    (suite,) = JUnitXml.fromstring(text.encode("utf-8"))

    assert (len(found), found.count(Failure), found.count(Error), found.count(Skipped)) == (
        suite.tests, suite.failures, suite.errors, suite.skipped,
    )  # fmt: skip
    gold(f"{name}.xml", text)


def test_what_fails_is_what_fails_the_build(at_script: Path) -> None:
    """An error fails, a known or silenced finding is skipped, a warning below --fail-on and a cause that was not found pass."""
    expected = {
        "loss-input": Failure, "lr-too-low": Skipped, "bad-initialization": None, "over-regularization": Skipped,
        "dataset-too-small": None, "batch-too-large": None, "dying-relu": None, "missing-zero-grad": None,
    }  # fmt: skip

    assert expected == results(render(samples.weighed()))
    assert [] == [kind for kind in results(render(replace(samples.sick(), fail_on="never"))).values() if kind]


def test_no_diagnosis_is_an_error(at_script: Path) -> None:
    """With the traceback; and what was not looked for is not called fine."""
    inconclusive = replace(samples.inconclusive(), ruled_out=samples.sick().ruled_out)
    text = render(inconclusive)

    assert {"diagnosis": Error, "dying-relu": Skipped, "missing-zero-grad": Skipped} == results(text)
    assert "Traceback (most recent call last):" in text


@pytest.mark.parametrize("odd", ["\x00\x1b[31m\x0b", "]]>", "<failure/>&amp;", "\udce9", "\ufffe", 'a"b\'c', "ü 漢 🙂"])
def test_names_that_xml_cannot_hold(odd: str, schema: XMLSchema, at_script: Path) -> None:
    """Whatever the user's program says, the document is well-formed, and its structure ours."""
    sick = samples.sick()
    sick.recording.header.script = f"{odd}.py"
    sick.recording.header.device = odd
    suspect = replace(sick.suspects[0], evidence=[Symptom("x", odd, 1.0, None)], cause=replace(sick.suspects[0].cause, title=odd + "t"))
    text = render(replace(sick, suspects=[suspect]))
    schema.validate(text)

    assert {"loss-input": Failure, "dying-relu": None, "missing-zero-grad": None} == results(text)


def test_groups(at_script: Path) -> None:
    """A script in a folder is grouped by it; a module keeps its name; a run that broke off took no time that is known."""
    groups = {}
    for script in ("train.py", "src/v1.2/train.py", "package.train"):
        sick = samples.sick()
        sick.recording.header.script, sick.recording.end = script, None
        (suite,) = JUnitXml.fromstring(render(sick).encode("utf-8"))
        groups[script] = {case.classname for case in suite}

    assert {"train.py": {"train"}, "src/v1.2/train.py": {"src.v1_2.train"}, "package.train": {"package.train"}} == groups
