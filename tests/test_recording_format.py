"""The recording's format is documented: every kind of line and every field, with the defaults that hold."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

import nndoctor.record
from nndoctor.record import codec
from nndoctor.record.model import (
    FORMAT,
    RECORD_TYPES,
    Link,
    OptimizerGroup,
    ParameterSample,
    Place,
    Strait,
    TensorStats,
)

README = (Path(nndoctor.record.__file__).parent / "README.md").read_text(encoding="utf-8")
SECTIONS = {m[1].strip("`"): m[2] for m in re.finditer(r"^## (.+)\n((?:(?!^##? ).*\n)*)", README, re.MULTILINE)}
KINDS: dict[str, type[Any]] = {t.kind: t for t in RECORD_TYPES}  # type: ignore[attr-defined]
PARTS: dict[str, type[Any]] = {
    "place": Place,
    "link": Link,
    "strait": Strait,
    "parameter sample": ParameterSample,
    "tensor statistics": TensorStats,
}


def rows(section: str) -> dict[str, tuple[str, str]]:
    """Field -> (default as written, explanation), from a section's table."""
    found = {}
    for line in SECTIONS[section].splitlines():
        if line.startswith("| `"):
            names, default, words = (cell.strip() for cell in line.strip("|").split("|", 2))
            found.update({name: (default.strip("`"), words) for name in re.findall(r"`(\w+)`", names)})
    return found


def test_every_kind_has_its_section() -> None:
    """All kinds are there, and none that is gone."""
    first, last = README.index("# Kinds of line"), README.index("# Parts of lines")
    documented = re.findall(r"^## `(\w+)`$", README[first:last], re.MULTILINE)

    assert sorted(KINDS) == sorted(documented)


@pytest.mark.parametrize("section", [*KINDS, "parameter sample", "tensor statistics"])
def test_every_field_has_its_row(section: str) -> None:
    """A table names the fields that the dataclass has."""
    cls = {**KINDS, **PARTS}[section]

    assert {f.name for f in dataclasses.fields(cls)} == set(rows(section))


@pytest.mark.parametrize("section", [*KINDS, "parameter sample", "tensor statistics"])
def test_defaults_are_those_that_hold(section: str) -> None:
    """The documented default is what a reader must put where the field is left out; none means always there."""
    cls = {**KINDS, **PARTS}[section]
    written = {name: default for name, (default, _) in rows(section).items()}

    for f in dataclasses.fields(cls):
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            assert written[f.name] == "", f.name
        else:
            default = f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
            assert written[f.name] != "", f.name
            assert default == json.loads(written[f.name]), f.name


@pytest.mark.parametrize("section", ["place", "link"])
def test_small_parts_name_their_fields(section: str) -> None:
    """Places and links are described in a sentence, which names every field."""
    for f in dataclasses.fields(PARTS[section]):
        assert f"`{f.name}`" in SECTIONS[section]


def test_groups_are_described_where_they_stand() -> None:
    """The fields of a parameter group stand in the line on `groups`."""
    words = rows("optimizer")["groups"][1]

    assert all(f"`{f.name}`" in words for f in dataclasses.fields(OptimizerGroup))


def test_example_lines_can_be_read() -> None:
    """The examples are lines of a recording."""
    examples = re.findall(r"^```json\n(.*)\n```$", README, re.MULTILINE)

    assert examples
    for line in examples:
        record = codec.decode(line)

        assert json.loads(line) == json.loads(codec.encode(record))


def test_format_is_the_true_one() -> None:
    """The number of the format stands at the top."""
    assert f" Format {FORMAT}." in README.partition("\n## ")[0]
