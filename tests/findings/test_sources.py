"""Files of the user's as they lie now."""

from __future__ import annotations

from pathlib import Path

import pytest

from nndoctor.findings.sources import project_path, project_root, source_line
from nndoctor.record.model import Place


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a script in a folder, from which the command is run."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("import torch\n\n    x = 1  \n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "src")
    return tmp_path


def test_paths_start_at_the_repository(project: Path) -> None:
    """However the file is named, and whether it is there."""
    assert project == project_root()
    for name in ("train.py", "./train.py", str(project / "src" / "train.py"), "../src/train.py"):
        assert "src/train.py" == project_path(name, "train.py")
    assert "src/gone.py" == project_path("gone.py", "train.py")


def test_paths_without_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the working directory is the root, and what lies elsewhere keeps its whole name."""
    monkeypatch.setattr(Path, "exists", lambda path: False)
    monkeypatch.chdir(tmp_path)

    assert tmp_path == project_root()
    assert "/elsewhere/train.py" == project_path("/elsewhere/train.py", "x.py")


def test_lines(project: Path) -> None:
    """Without the blanks around them; a line that is not there is empty."""
    assert "x = 1" == source_line(Place("train.py", 3), "train.py")
    assert ["", "", ""] == [source_line(Place(f, n), "train.py") for f, n in (("train.py", 0), ("train.py", 9), ("gone.py", 1))]
