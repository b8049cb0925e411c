"""What is tested of every library and every kind of loop: healthy scripts are healthy and undisturbed, and faults are found where the user put them."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from nndoctor.diagnosis.engine import diagnose
from nndoctor.diagnosis.model import Diagnosis
from nndoctor.probe.launch import Limits, Target, watch
from nndoctor.record.model import Recording
from tests.digits import line_of
from tests.nursery import nursery

_QUICK = 1  # of the healthy ones, and of the faults
_LIMITS = Limits(steps=100_000, seconds=500, timeout=500)


@dataclasses.dataclass(frozen=True)
class Seen:
    """What came of one script."""

    diagnosis: Diagnosis
    plain: list[str]  # lines that the script printed of itself, without the watch ...
    watched: list[str]  # ... and with it
    left_plain: list[str]  # files in its folder afterwards
    left_watched: list[str]

    @property
    def findings(self) -> list[str]:
        """Causes at warning or above, most suspected first."""
        return [s.cause.id for s in self.diagnosis.suspects if s.severity != "note"]

    @property
    def place(self) -> tuple[str, int] | None:
        """File and line that the first finding blames."""
        where = self.diagnosis.suspects[0].location if self.diagnosis.suspects else None
        return (where.file, where.line) if where is not None else None


class Runs(dict[str, Seen]):
    """Scripts by name, each of which is run when it is first asked for: plain, and under watch, in a folder of its own."""

    def __init__(self, folder: Path, python: str, scripts: dict[str, str]) -> None:
        super().__init__()
        self._folder, self._python, self._scripts = folder, python, scripts

    def __missing__(self, name: str) -> Seen:
        printed, files = [], []
        for way in ("plain", "watched"):
            folder = self._folder / way / name
            folder.mkdir(parents=True)
            (folder / "train.py").write_text(self._scripts[name], encoding="utf-8")
            if way == "plain":
                done = subprocess.run([self._python, "train.py"], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr[-3000:]
                output = done.stdout
            else:
                recording, output = self._watch(folder)
            printed.append(_told(output))
            files.append(sorted(str(p.relative_to(folder)) for p in folder.rglob("*")))
        assert recording.problems == []
        self[name] = Seen(diagnose(recording), *printed, *files)
        return self[name]

    def _watch(self, folder: Path) -> tuple[Recording, str]:
        here, output = os.getcwd(), bytearray()
        os.chdir(folder)
        try:
            recording = watch(Target("train.py", python=self._python), _LIMITS, None, output.extend)
        finally:
            os.chdir(here)
        return recording, output.decode(errors="replace")


def _told(output: str) -> list[str]:
    """The lines that begin with `told`: bars and logs of the libraries hold times."""
    return [line for line in output.splitlines() if line.startswith("told ")]


class Engine:
    """The tests of one library or kind, on the scripts that a subclass names."""

    LIBRARIES: ClassVar[tuple[str, ...]]
    HEALTHY: ClassVar[dict[str, str]]  # script by name
    FAULTS: ClassVar[dict[str, tuple[str, str]]]  # script, and the words of the line to blame, by cause

    @classmethod
    def pytest_generate_tests(cls, metafunc: pytest.Metafunc) -> None:
        """A test for each healthy script, and for each fault; but for the first few, they are slow ones."""
        for argument, scripts in (("name", "HEALTHY"), ("cause", "FAULTS")):
            if argument in metafunc.fixturenames:
                names = list(getattr(metafunc.cls, scripts))
                slow = [pytest.param(name, marks=pytest.mark.slow) for name in names[_QUICK:]]
                metafunc.parametrize(argument, names[:_QUICK] + slow)

    @pytest.fixture(scope="class")
    @classmethod
    def seen(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
        """All of them, in forks of one process."""
        folder = tmp_path_factory.mktemp("scripts")
        with nursery(folder, *cls.LIBRARIES) as python:
            yield Runs(folder, python, {**cls.HEALTHY, **{cause: script for cause, (script, _) in cls.FAULTS.items()}})

    def test_healthy_training_is_called_healthy(self, seen: Runs, name: str) -> None:
        """Nothing at warning or above."""
        assert ("healthy", []) == (seen[name].diagnosis.verdict, seen[name].findings)

    def test_watched_training_is_the_same(self, seen: Runs, name: str) -> None:
        """Every loss, the weights, and the files that are left are those of the plain run."""
        assert len(seen[name].plain) > 5
        assert seen[name].plain == seen[name].watched
        assert seen[name].left_plain == seen[name].left_watched

    def test_fault_is_found_in_the_script(self, seen: Runs, cause: str) -> None:
        """The right cause comes first, at a line of the user's."""
        script, words = self.FAULTS[cause]

        assert "sick" == seen[cause].diagnosis.verdict
        assert cause == seen[cause].findings[0]
        assert line_of(script, words) == seen[cause].place
