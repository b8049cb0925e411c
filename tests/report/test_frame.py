"""The code frame: which lines, from which file, however odd."""

from __future__ import annotations

from pathlib import Path

import pytest

from nndoctor.record.model import Place
from nndoctor.report.frame import code_frame

LINES = ["import torch", "", "a = 1", "b = 2", "c = 3", "d = 4", "", ""]


def shown(file: str, line: int, script: str = "train.py") -> list[str]:
    return [text.plain for text in code_frame(Place(file, line), script)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("\n".join(LINES), encoding="utf-8")
    return tmp_path


def test_two_lines_either_side(here: Path) -> None:
    """The line has a marker, and stands among its neighbours."""
    assert ["  2 │ ", "  3 │ a = 1", "▸ 4 │ b = 2", "  5 │ c = 3", "  6 │ d = 4"][1:] == shown("train.py", 4)


def test_edges(here: Path) -> None:
    """At the ends of the file there are fewer neighbours; empty lines at the ends of the frame are left out."""
    assert ["▸ 1 │ import torch", "  2 │ ", "  3 │ a = 1"] == shown("train.py", 1)
    assert ["  4 │ b = 2", "  5 │ c = 3", "▸ 6 │ d = 4"] == shown("train.py", 6)


@pytest.mark.parametrize("line", [0, -1, 9, 10_000, 7])
def test_a_line_that_is_not_there(here: Path, line: int) -> None:
    """A file that has changed since gives no frame rather than a wrong one."""
    assert [] == shown("train.py", line)


@pytest.mark.parametrize("file", ["gone.py", "<stdin>", "bad\0name.py", "", "."])
def test_a_file_that_is_not_there(here: Path, file: str) -> None:
    """No file, no frame."""
    assert [] == shown(file, 1)


def test_found_beside_the_script(here: Path) -> None:
    """A recording that was made elsewhere names files by another directory: they are looked for beside the script."""
    (here / "project").mkdir()
    (here / "project" / "model.py").write_text("x = 1\n", encoding="utf-8")

    assert ["▸ 1 │ x = 1"] == shown("model.py", 1, "project/train.py")
    assert ["▸ 1 │ x = 1"] == shown("elsewhere/model.py", 1, "project/train.py")


def test_indentation_is_taken_off(here: Path) -> None:
    """What all lines have in common goes, tabs count as four."""
    (here / "deep.py").write_text("\t\tif x:\n\t\t\ty = [1]\n\n\t\tz()\n", encoding="utf-8")

    assert ["  1 │ if x:", "▸ 2 │     y = [1]", "  3 │ ", "  4 │ z()"] == shown("deep.py", 2)


def test_encodings(here: Path) -> None:
    """The declared encoding is used; bytes that do not fit, and a byte order mark, are no trouble."""
    (here / "latin.py").write_bytes("# -*- coding: latin-1 -*-\nname = 'é'\n".encode("latin-1"))
    (here / "broken.py").write_bytes(b"name = '\xff'\n")
    (here / "bom.py").write_bytes(b"\xef\xbb\xbfname = 1\n")
    (here / "made-up.py").write_bytes(b"# coding: klingon\nname = 1\n")

    assert "▸ 2 │ name = 'é'" in shown("latin.py", 2)
    assert ["▸ 1 │ name = '\ufffd'"] == shown("broken.py", 1)
    assert ["▸ 1 │ name = 1"] == shown("bom.py", 1)
    assert "▸ 2 │ name = 1" in shown("made-up.py", 2)


def test_escape_sequences_in_source(here: Path) -> None:
    """A source line cannot clear the screen."""
    (here / "evil.py").write_text("x = '\x1b[2J'\n", encoding="utf-8")

    assert ["▸ 1 │ x = ''"] == shown("evil.py", 1)
