"""Comments that silence a finding: which are read, what they cover, and which are of no use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nndoctor import checkup
from nndoctor.config import Settings
from nndoctor.diagnosis.model import Diagnosis
from nndoctor.findings.comments import Comments, read_comments
from nndoctor.record.model import Place
from tests.diagnosis.test_engine import double_softmax
from tests.report import samples
from tests.symptoms.build import stuck


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def comments(here: Path, *lines: str) -> list[tuple[int, tuple[str, ...], str, list[int]]]:
    """Line, ids, mistake and covered lines of each comment in a file."""
    (here / "train.py").write_text("\n".join(lines), encoding="utf-8")
    return [(c.place.line, c.ids, c.mistake, sorted(c.lines)) for c in read_comments(here / "train.py", "train.py")]


def script(here: Path, line: int, comment: str, further: str = "") -> None:
    """A script of forty lines with a comment on one of them."""
    lines = [f"x{i} = {i}" for i in range(1, 41)]
    lines[line - 1] += f"  {comment}"
    (here / "train.py").write_text("\n".join([*lines, further]), encoding="utf-8")


@pytest.mark.parametrize(
    ("comment", "ids", "mistake"),
    [
        ("# nndoctor: ignore", (), ""),
        ("#nndoctor:ignore [lr-too-low , loss-input]", ("lr-too-low", "loss-input"), ""),
        ("# type: ignore  # nndoctor: ignore[loss-input] - the paper does so", ("loss-input",), ""),
        ("# nndoctor: ignore[loss-input", ("loss-input",), "the bracket is not closed"),
        ("# nndoctor: ignore[ ]", (), "the brackets are empty"),
    ],
)
def test_forms(comment: str, ids: tuple[str, ...], mistake: str, here: Path) -> None:
    """With and without brackets, beside other comments; one that is badly written is no comment for everything."""
    assert [(1, ids, mistake, [1])] == comments(here, f"a = 1  {comment}")


@pytest.mark.parametrize("text", ['s = "# nndoctor: ignore"', "a = 1  # nndoctor: ignored", "a = 1  # nndoctor: ignore-all", "# nndoctor ignore"])
def test_what_is_none(text: str, here: Path) -> None:
    """Strings, other words, and a missing colon."""
    assert [] == comments(here, text)


def test_a_statement_over_several_lines(here: Path) -> None:
    """On its first or last line a comment speaks for all of it, within it for one line; of a loop, for the head alone."""
    found = comments(
        here, "net = f(", "    a,  # nndoctor: ignore", "    b,", ")  # nndoctor: ignore",
        "for x in y:  # nndoctor: ignore", "    pass",
    )  # fmt: skip

    assert [(2, [2]), (4, [1, 2, 3, 4]), (5, [5])] == [(line, covered) for line, _, _, covered in found]


def test_a_file_that_is_broken_by_now(here: Path) -> None:
    """What stands before the mistake is read, each for its own line."""
    assert [1] == [line for line, *_ in comments(here, "a = (1)  # nndoctor: ignore", "b = (", "c = '''")]


def test_a_comment_silences_a_finding(here: Path) -> None:
    """The finding is set aside, and the verdict is that of the others."""
    script(here, 30, "# nndoctor: ignore[loss-input]")
    found = checkup.find_causes(double_softmax(stuck()), Settings())

    assert ("healthy", [], ["loss-input"], []) == (
        found.verdict, found.suspects, [s.cause.id for s in found.silenced], found.unused_comments,
    )  # fmt: skip
    assert not found.fails and not found.failing


@pytest.mark.parametrize(
    ("line", "comment", "reason"),
    [
        (31, "# nndoctor: ignore[loss-input]", "loss-input was not found there"),
        (30, "# nndoctor: ignore[lr-too-low]", "lr-too-low was not found there"),
        (30, "# nndoctor: ignore[loss-inputs]", "loss-inputs is no cause"),
        (31, "# nndoctor: ignore", "nothing was found there"),
        (30, "# nndoctor: ignore[loss-input", "the bracket is not closed"),
    ],
)
def test_a_comment_of_no_use(line: int, comment: str, reason: str, here: Path) -> None:
    """Elsewhere, for another cause, misspelt or badly written: the finding stands, and the comment is told."""
    script(here, line, comment)
    found = checkup.find_causes(double_softmax(stuck()), Settings())

    assert ("sick", ["loss-input"], []) == (found.verdict, [s.cause.id for s in found.suspects], found.silenced)
    assert [(Place("train.py", line), comment, reason)] == [(c.place, c.words, c.reason) for c in found.unused_comments]


def test_one_id_of_two_is_of_use(here: Path) -> None:
    """Only the other one is told."""
    script(here, 30, "# nndoctor: ignore[loss-input, lr-too-low]")
    found = checkup.find_causes(double_softmax(stuck()), Settings())

    assert ["lr-too-low was not found there"] == [c.reason for c in found.unused_comments]
    assert ["loss-input"] == [s.cause.id for s in found.silenced]


@pytest.mark.parametrize("settings", [Settings(ignore=frozenset({"lr-too-low"})), Settings(select=frozenset({"loss-input"}))])
def test_what_was_not_looked_for_is_not_missed(settings: Settings, here: Path) -> None:
    """Somebody who leaves causes out is not told that comments for them, or for everything, are of no use."""
    script(here, 10, "# nndoctor: ignore[lr-too-low]", "y = 1  # nndoctor: ignore")

    assert [] == checkup.find_causes(double_softmax(stuck()), settings).unused_comments


def test_nothing_is_missed_without_a_diagnosis(here: Path) -> None:
    """A run that failed to start says nothing of comments."""
    script(here, 10, "# nndoctor: ignore[lr-too-low]")

    assert [] == checkup.find_causes(samples.inconclusive().recording, Settings()).unused_comments


def diagnosis(place: Place | None) -> Diagnosis:
    """One suspect at a place."""
    sample = samples.sick()
    return replace(sample, suspects=[replace(sample.suspects[0], location=place)])


def test_files_are_the_same_however_they_are_named(here: Path) -> None:
    """A place in the script is found whether it is named from the working directory or in full; another file is not it."""
    script(here, 14, "# nndoctor: ignore")
    read = Comments(samples.sick().recording)
    places = [Place("train.py", 14), Place(str(here / "train.py"), 14), Place("other.py", 14), None]

    assert [True, True, False, False] == [read.silence(diagnosis(p).suspects[0]) for p in places]
