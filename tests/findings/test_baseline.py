"""Baselines and fingerprints: a finding is known wherever its line has moved to, and new once that line is edited."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nndoctor import checkup
from nndoctor.config import Settings
from nndoctor.diagnosis.model import Suspect
from nndoctor.errors import FileError
from nndoctor.findings.baseline import compared, fingerprint, fingerprinted, read_baseline, written
from nndoctor.record.model import Place
from tests.report import samples

LINE = "optimizer = SGD(net.parameters(), lr=0.1)"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, and the working directory."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def at(line: int, *lines: str, file: str = "train.py") -> str:
    """The fingerprint of a suspect at a line of a script with these lines."""
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_text("\n".join(lines), encoding="utf-8")
    return fingerprint(suspect(Place(file, line)), file)


def suspect(place: Place | None) -> Suspect:
    return replace(samples.sick().suspects[0], location=place)


def test_a_line_that_moves_keeps_its_fingerprint() -> None:
    """So does one that is indented anew."""
    first = at(1, LINE)

    assert first == at(3, "import torch", "", LINE) == at(2, "if True:", f"    {LINE}  ")


def test_what_changes_a_fingerprint() -> None:
    """The words of the line, the file, and the cause."""
    one = at(1, LINE)
    other = replace(samples.sick().suspects[1], location=Place("train.py", 1))

    assert 4 == len({one, at(1, LINE.replace("0.1", "0.2")), at(1, LINE, file="src/train.py"), fingerprint(other, "train.py")})


def test_a_fingerprint_does_not_depend_on_where_the_command_runs(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the repository."""
    above = at(1, LINE, file="src/train.py")
    monkeypatch.chdir(here / "src")

    assert above == fingerprint(suspect(Place("train.py", 1)), "train.py")


def test_without_a_line_or_a_file() -> None:
    """A cause that no line is to blame for is known by the script; names that are no text are none the worse."""
    assert fingerprint(suspect(None), "train.py") == fingerprint(suspect(None), "train.py")
    assert 32 == len(fingerprint(suspect(Place("tr\udce9in.py", 3)), "tr\udce9in.py"))


def test_known_findings_do_not_fail_a_build() -> None:
    """New ones do, and a healthy diagnosis stays one; what is written is what is read."""
    found = fingerprinted(samples.sick())
    Path("known.json").write_text(written(found), encoding="utf-8")
    known = read_baseline(Path("known.json"))
    later = compared(found, known)
    new = compared(found, known - {found.suspects[1].fingerprint})

    assert (True, False, True) == (found.fails, later.fails, new.fails)
    assert [True, False, True] == [s.known for s in new.suspects[:3]]
    assert [None] * 5 == [s.known for s in found.suspects]


def test_a_baseline_is_in_the_same_order_whatever_the_ranking() -> None:
    """A trial that moves a suspect up changes nothing in the file."""
    found = fingerprinted(samples.sick())
    turned = replace(found, suspects=found.suspects[::-1])
    entries = json.loads(written(found))["findings"]

    assert written(found) == written(turned)
    assert ["bad-initialization", "batch-too-large", "dataset-too-small", "loss-input", "lr-too-low"] == [e["cause"] for e in entries]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "known.json: not a baseline: Expecting property name"),
        ("[]", "known.json: not a baseline; `nndoctor check --write-baseline known.json` writes one"),
        ('{"verdict": "sick"}', "not a baseline; "),
        ('{"nndoctor_baseline": 2}', "a baseline of format 2, where 1 is known"),
        ('{"nndoctor_baseline": 1}', "findings must be a list"),
        ('{"nndoctor_baseline": 1, "findings": [{"cause": "x"}]}', "findings must be a list of tables with a fingerprint each"),
        (b"\xff", "known.json: not a baseline: 'utf-8' codec"),
    ],
)
def test_files_that_are_none(text: str | bytes, said: str) -> None:
    """Each mistake is one line with what to do."""
    Path("known.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FileError) as raised:
        read_baseline(Path("known.json"))

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_baseline() -> None:
    """Says how one is made."""
    with pytest.raises(FileError, match="cannot be read: No such file or directory; `nndoctor check --write-baseline"):
        read_baseline(Path("gone.json"))


@pytest.mark.parametrize(("fail_on", "fails"), [("error", [1, 0, 0]), ("warning", [1, 1, 0]), ("note", [1, 1, 1]), ("never", [0, 0, 0])])
def test_severity_and_failure(fail_on: str, fails: list[int]) -> None:
    """An error, a warning and a note against each `fail-on`."""
    found = checkup.weigh(samples.sick(), Settings(fail_on=fail_on), None)

    assert fails == [int(found.fails_by(found.suspects[i])) for i in (0, 1, 3)]
