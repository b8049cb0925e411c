"""Many scripts, each watched and run plain, without an import of torch for each."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import nndoctor
from nndoctor.cli import exit_code
from nndoctor.diagnosis.engine import diagnose
from nndoctor.diagnosis.model import Diagnosis
from nndoctor.probe.launch import Limits, Target, watch
from nndoctor.record import codec
from nndoctor.record.model import End, Recording
from nndoctor.report import json as json_report
from nndoctor.report import text as text_report
from nndoctor.report.page import Look
from tests.nursery import nursery


@dataclass(frozen=True)
class Outcome:
    """A watched script: what was recorded, its diagnosis, the report on it, and what it printed."""

    recording: Recording
    diagnosis: Diagnosis
    report: str
    output: str

    @property
    def end(self) -> End:
        """How the run ended."""
        assert self.recording.end is not None
        return self.recording.end

    @property
    def code(self) -> int:
        """The exit code of `nndoctor check`, without trials."""
        return exit_code(self.diagnosis)


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Python in which torch is imported already."""
    with nursery(tmp_path_factory.mktemp("nursery")) as stand_in:
        yield stand_in


@pytest.fixture
def examined(python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Watches a script in a folder of its own, and judges and tells what was seen, by way of a saved recording.

    No process and no file may be left, and no frame of this package may be in what the script prints.
    """
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def examine(script: str, limits: Limits = Limits(timeout=120), name: str = "train.py", module: bool = False, arguments: tuple[str, ...] = ()) -> Outcome:
        if script:
            Path(name).write_text(script, encoding="utf-8")
        before = set(os.listdir())
        printed: list[bytes] = []
        target = name.removesuffix(".py").replace("/", ".") if module else name
        seen = watch(Target(target, arguments, module, python), limits, None, printed.append)
        codec.save(seen, tmp_path / "run.jsonl")
        recording = codec.load(tmp_path / "run.jsonl")
        diagnosis = diagnose(recording)
        json.loads(json_report.render(diagnosis))
        report = text_report.render(diagnosis, Look(200, False, True))
        output = b"".join(printed).decode(errors="replace")

        assert [] == _processes_in(folder)
        assert set() == set(os.listdir(folder)) - before - {"__pycache__"}
        assert "nndoctor/" not in output
        return Outcome(recording, diagnosis, report, output)

    return examine


@pytest.fixture
def plain(python: str) -> Callable[..., tuple[int, str]]:
    """Runs the script in the working folder as `python train.py` does: its exit code and what it prints."""

    def run(*arguments: str, name: str = "train.py") -> tuple[int, str]:
        made = subprocess.run([python, name, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False)
        return made.returncode, made.stdout.decode(errors="replace")

    return run


def recorded(train: Callable[[], object]) -> Recording:
    """What the watch sees of a training in this process."""
    with nndoctor.watch() as watch:
        train()
    recording = watch.report.recording

    assert [] == recording.problems
    return recording


def _processes_in(folder: Path) -> list[str]:
    """The processes that work in a folder, but this one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) != os.getpid() and os.readlink(entry / "cwd") == str(folder):
                found.append((entry / "cmdline").read_text())
        except OSError:  # gone, or another user's
            continue
    return found
