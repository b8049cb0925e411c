"""Many scripts in one process that imports their libraries once, and runs each script in forks of its own, plain and under watch.

An import takes seconds, each of these trainings a fraction of one. `python forks.py LIBRARIES FOLDER` runs every
`FOLDER/NAME/train.py` and leaves beside each folder what the script printed (`NAME.plain`, `NAME.watched`) and the records of
the watch (`NAME.jsonl`).
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

from nndoctor.diagnosis.engine import diagnose
from nndoctor.diagnosis.model import Diagnosis
from nndoctor.probe import child
from nndoctor.probe.launch import Limits, Target, child_arguments
from nndoctor.record.codec import load

LIMITS = Limits(steps=100_000, seconds=500, timeout=500)


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


def run_all(folder: Path, libraries: Iterable[str], scripts: dict[str, str]) -> dict[str, Seen]:
    """Run the scripts, by name, in one process that has imported the libraries."""
    for name, script in scripts.items():
        for way in ("plain", "watched"):
            (folder / way / name).mkdir(parents=True)
            (folder / way / name / "train.py").write_text(script, encoding="utf-8")
    command = [sys.executable, __file__, ",".join(libraries), str(folder), *scripts]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1]), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: _seen(folder, name) for name in scripts}


def _seen(folder: Path, name: str) -> Seen:
    recording = load(folder / f"{name}.jsonl")
    assert recording.problems == []
    printed = [_told((folder / way / f"{name}.out").read_text(encoding="utf-8")) for way in ("plain", "watched")]
    files = [sorted(str(p.relative_to(folder / way / name)) for p in (folder / way / name).rglob("*")) for way in ("plain", "watched")]
    return Seen(diagnose(recording), *printed, *files)


def _told(output: str) -> list[str]:
    """The lines that begin with `told`: bars and logs of the libraries hold times."""
    return [line for line in output.splitlines() if line.startswith("told ")]


# --- the process that runs them -----------------------------------------------------------------------------------


def _in_fork(folder: Path, output: Path, job: Callable[[], object]) -> None:
    """Do a job in a fork, in that folder, with what it prints in a file. Raises RuntimeError where the script failed."""
    pid = os.fork()
    if pid:
        if os.waitpid(pid, 0)[1]:
            raise RuntimeError(output.read_text(encoding="utf-8")[-2000:])
        return
    status = 1
    try:
        os.chdir(folder)
        fd = os.open(output, os.O_WRONLY | os.O_CREAT)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        sys.path[0] = str(folder)
        sys.argv = ["train.py"]
        job()
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it was, the parent is told by the exit status
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _watch(records: Path) -> None:
    """As `launch.py` starts it, but that torch is there already."""
    fd = os.open(records, os.O_WRONLY | os.O_CREAT)
    spec = importlib.util.spec_from_file_location("__main__", child.__file__)
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules["__main__"] = module
    source = Path(child.__file__).read_text(encoding="utf-8").partition('if __name__ == "__main__":')[0]
    exec(compile(source, child.__file__, "exec"), module.__dict__)
    module.main(child_arguments(fd, Target("train.py"), LIMITS, ""))


def _serve(libraries: str, folder: Path, names: list[str]) -> None:
    for library in libraries.split(","):
        importlib.import_module(library)
    for name in names:
        _in_fork(folder / "plain" / name, folder / "plain" / f"{name}.out", lambda: runpy.run_path("train.py", run_name="__main__"))
        _in_fork(folder / "watched" / name, folder / "watched" / f"{name}.out", lambda n=name: _watch(folder / f"{n}.jsonl"))  # type: ignore[misc]


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
