"""The JSON report: the contract's fields, and valid JSON whatever the numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from nndoctor.diagnosis.engine import diagnose
from nndoctor.diagnosis.model import Trial
from nndoctor.report.json import render, schema_text
from nndoctor.symptoms.model import Symptom
from nndoctor.version import __version__
from tests.report import samples


def parsed(text: str) -> dict[str, Any]:
    """The document, refused where it is more than JSON allows."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    document = json.loads(text, parse_constant=refuse)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_document(name: str, gold: Callable[[str, str], None], at_script: Path) -> None:
    """The whole document is the gold file's, and strict JSON."""
    text = render(samples.SAMPLES[name]())
    parsed(text)

    gold(f"{name}.json", text.replace(f'"nndoctor": "{__version__}"', '"nndoctor": "VERSION"'))


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_schema(name: str, at_script: Path) -> None:
    """Every document fulfils the schema that we publish: those of the samples, and what the engine makes of their recordings."""
    schema = json.loads(schema_text())
    Draft202012Validator.check_schema(schema)
    for diagnosis in (samples.SAMPLES[name](), diagnose(samples.SAMPLES[name]().recording)):
        Draft202012Validator(schema).validate(parsed(render(diagnosis)))


def test_schema_names_every_field(at_script: Path) -> None:
    """A field that the schema does not know is told to nobody; one that it wants and that is missing breaks readers."""
    schema = json.loads(schema_text())
    unknown: list[str] = []

    def compare(value: Any, wanted: dict[str, Any], where: str) -> None:
        wanted = schema["$defs"][wanted["$ref"].rpartition("/")[2]] if "$ref" in wanted else wanted
        for option in wanted.get("anyOf", []):
            compare(value, option, where)
        if isinstance(value, dict) and "properties" in wanted:
            unknown.extend(f"{where}.{key}" for key in value if key not in wanted["properties"])
            assert set(wanted["required"]) == set(wanted["properties"]), where
            for key, part in value.items():
                compare(part, wanted["properties"].get(key, {}), f"{where}.{key}")
        for part in value if isinstance(value, list) else []:
            compare(part, wanted.get("items", {}), where)

    compare(parsed(render(samples.weighed())), schema, "report")

    assert [] == unknown


@pytest.mark.parametrize(
    "broken", [{"verdict": "well"}, {"causes": [{"id": "loss-input"}]}, {"schema_version": 2}, {"curve": {"first": "high"}}, {"run": None}]
)
def test_schema_refuses_what_is_none(broken: dict[str, Any]) -> None:
    """A wrong word, a missing field, another version."""
    document = {**parsed(render(samples.sick())), **broken}

    assert not Draft202012Validator(json.loads(schema_text())).is_valid(document)


def test_every_field_of_the_contract() -> None:
    """What the contract shows is there, by these names."""
    document = parsed(render(samples.sick()))
    first = document["causes"][0]

    assert 1 == document["schema_version"]
    assert {"nndoctor", "script", "verdict", "causes", "run"} <= set(document)
    assert {
        "id", "title", "severity", "confidence", "confirmed", "location", "evidence", "fix", "documents", "trial",
    } <= set(first)  # fmt: skip
    assert {"file": "train.py", "line": 14, "module": "net.3"} == first["location"]
    assert {"symptom", "text", "value", "threshold", "where"} <= set(first["evidence"][0])
    assert {"change": "output activation bypassed", "steps": 161, "before": 0.21, "after": 0.97, "measure": "accuracy"}.items() <= first["trial"].items()
    assert {"steps": 161, "seconds": 4.1, "device": "cpu", "parameters": 9610}.items() <= document["run"].items()
    assert first["confirmed"] is True


def test_causes_are_in_the_order_of_suspicion() -> None:
    """All suspects, notes as well, ranked as the diagnosis ranks them."""
    causes = parsed(render(samples.sick()))["causes"]

    assert ["loss-input", "lr-too-low", "bad-initialization", "dataset-too-small", "batch-too-large"] == [
        c["id"] for c in causes
    ]
    assert [None, "loss-input", None, None, None] == [c["consequence_of"] for c in causes]


def test_without_place_and_trial() -> None:
    """No line to blame is null, no trial is null, and then nothing is confirmed or refuted."""
    third = parsed(render(samples.sick()))["causes"][2]

    assert (None, None, None) == (third["location"], third["trial"], third["confirmed"])


def test_a_trial_that_refutes() -> None:
    """`confirmed` is false where a trial was made and the run did not learn."""
    diagnosis = samples.sick()
    refuted = replace(diagnosis.suspects[0], trial=Trial("x", 10, 1.0, math.nan, "loss", "refuted"))
    first = parsed(render(replace(diagnosis, suspects=[refuted])))["causes"][0]

    assert (False, "nan") == (first["confirmed"], first["trial"]["after"])


@pytest.mark.parametrize(("value", "spelt"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (None, None)])
def test_numbers_that_json_lacks(value: float | None, spelt: str | None) -> None:
    """Numbers that are not finite are spelt as in a recording."""
    diagnosis = samples.diverged()
    document = parsed(render(replace(diagnosis, symptoms=[Symptom("x", "y", value, value)])))

    assert (spelt, spelt) == (document["symptoms"][0]["value"], document["symptoms"][0]["threshold"])


def test_no_diagnosis_says_why() -> None:
    """An inconclusive run has no causes, and its reason, error and traceback in `run`."""
    document = parsed(render(samples.inconclusive()))

    assert ("inconclusive", []) == (document["verdict"], document["causes"])
    assert document["reasons"][0].startswith("The script raised FileNotFoundError")
    assert "error" == document["run"]["reason"]
    assert document["run"]["error"].startswith("FileNotFoundError")
    assert document["run"]["traceback"].startswith("Traceback")


def test_a_broken_off_recording() -> None:
    """Without an end the steps that arrived are counted, and the reason is `lost`."""
    diagnosis = samples.sick()
    diagnosis.recording.end = None
    run = parsed(render(diagnosis))["run"]

    assert (161, None, "lost") == (run["steps"], run["seconds"], run["reason"])


def test_names_that_utf8_cannot_hold() -> None:
    """A file name with undecodable bytes does not break the document."""
    diagnosis = samples.sick()
    diagnosis.recording.header.script = "tr\udce9ain.py"

    assert "tr?ain.py" == parsed(render(diagnosis).encode("utf-8").decode("utf-8"))["script"]
