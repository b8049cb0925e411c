"""A watched script runs as `python script` runs it: both are run, and what they print is compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import nndoctor
from nndoctor.probe.launch import Limits, Target, start, watch
from nndoctor.record.model import Recording


def plain(arguments: list[str]) -> tuple[str, int]:
    """What `python arguments` prints, and its exit code."""
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode(), done.returncode


def watched(target: Target, limits: Limits = Limits(timeout=60)) -> tuple[str, Recording]:
    """What a target prints under watch, and what was recorded."""
    printed: list[bytes] = []
    recording = watch(target, limits, None, printed.append)
    return b"".join(printed).decode(), recording


def child(target: Target, limits: Limits = Limits(timeout=60)) -> tuple[str, int]:
    """What the watched child prints, and its exit code, which `watch` does not tell."""
    process, recorded, printed = start(target, limits, "")
    with open(printed, "rb") as output, open(recorded, "rb"):
        text = output.read().decode()
    return text, process.wait()


# --- what a script can see of itself ------------------------------------------------------------------------------

SELF = """\
import json, os, sys
def tell(value):
    return value if isinstance(value, (str, int, float, type(None), list, dict)) else f"{type(value).__module__}.{type(value).__name__}"
loader, spec = __loader__, __spec__
print(json.dumps({
    "name": __name__, "file": __file__, "package": __package__, "doc": __doc__, "cached": __cached__,
    "spec": None if spec is None else [spec.name, spec.origin, spec.cached, spec.parent],
    "loader": [tell(loader), getattr(loader, "name", None), getattr(loader, "path", None)],
    "builtins": tell(__builtins__), "globals": sorted(globals()), "annotations": tell(globals().get("__annotations__")),
    "is main": sys.modules["__main__"].__dict__ is globals(),
    "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "flags": list(sys.flags), "options": sys._xoptions,
    "executable": sys.executable, "cwd": os.getcwd(), "environ": dict(os.environ),
    "hook": tell(sys.excepthook), "recursion": sys.getrecursionlimit(), "group": os.getpgrp(),
    "stdout": [sys.stdout.encoding, sys.stdout.errors, sys.stdout.name],
    "modules": MODULES,
}, indent=1))
"""
SELF = "import sys\nMODULES = sorted(sys.modules)\n" + SELF


def same_self(ours: str, theirs: str) -> None:
    """Both scripts told the same of themselves, but for one module that this package needs."""
    one, other = json.loads(ours), json.loads(theirs)
    one["modules"] = sorted({*one["modules"]} - {"__future__"})

    assert other == one


@pytest.mark.parametrize("name", ["train.py", "./train.py", "sub/../train.py", "sub/link.py", "absolute"])
def test_script_sees_itself_as_under_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """However the script is named, it finds the same names, arguments, paths, flags and modules."""
    (tmp_path / "train.py").write_text(SELF)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "link.py").symlink_to(tmp_path / "train.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOME_SETTING", "kept")
    name = str(tmp_path / "train.py") if name == "absolute" else name
    arguments = ("--lr", "1e-3", "", "a b", "-c", "ü")

    same_self(watched(Target(name, arguments))[0], plain([name, *arguments])[0])


@pytest.mark.parametrize("name", ["train", "package", "package.train"])
def test_module_sees_itself_as_under_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """`-m` finds a module, a package's `__main__` and a submodule, with their spec, and relative imports work."""
    (tmp_path / "train.py").write_text(SELF)
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("")
    (package / "__main__.py").write_text("from . import helper\n" + SELF)
    (package / "train.py").write_text("from .helper import __name__ as helper\n" + SELF)
    monkeypatch.chdir(tmp_path)
    # Both with the bytecode cache that the first run leaves.
    plain(["-m", name])

    same_self(watched(Target(name, ("--epochs", "3"), module=True))[0], plain(["-m", name, "--epochs", "3"])[0])


def test_folder_and_archive_run_their_main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python folder` and `python archive.zip` run the `__main__.py` inside."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(SELF)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", SELF)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    for name in ("folder", "archive.zip"):
        same_self(watched(Target(name))[0], plain([name])[0])


def test_files_beside_the_script_are_found_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of this package's own modules, and of library modules that Python has not loaded, are the script's."""
    ours = ["utils", "test", "data", "model", "record", "codec", "stats", "where", "child"]
    names = [*ours, "queue", "code", "resource"]
    for name in names:
        (tmp_path / f"{name}.py").write_text(f"WHO = {name!r}")
    (tmp_path / "train.py").write_text("".join(f"import {n}; print({n}.WHO, {n}.__file__)\n" for n in names))
    monkeypatch.chdir(tmp_path)

    output = watched(Target("train.py"))[0]

    assert plain(["train.py"])[0] == output
    assert [f"{n} {tmp_path / n}.py" for n in names] == output.splitlines()


def test_nothing_is_written_but_what_python_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An imported sibling is cached as always; of the script itself nothing is left."""
    (tmp_path / "helper.py").write_text("")
    (tmp_path / "train.py").write_text("import helper")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)

    watched(Target("train.py"))

    cache = f"helper.{sys.implementation.cache_tag}.pyc"
    assert sorted(["train.py", "helper.py", "__pycache__", cache]) == sorted(p.name for p in tmp_path.rglob("*"))


def test_standard_input_is_the_scripts(tmp_path: Path) -> None:
    """What is typed or piped into the command reaches the script."""
    (tmp_path / "train.py").write_text("import sys\nprint(input(), sys.stdin.read())")
    run = (
        "import sys; from nndoctor.probe.launch import *;"
        "watch(Target(sys.argv[1]), Limits(timeout=60), None, lambda b: print(b.decode(), end=''))"
    )
    done = subprocess.run(
        [sys.executable, "-c", run, str(tmp_path / "train.py")],
        input="first\nsecond", capture_output=True, text=True, check=True, cwd=Path(nndoctor.__file__).parents[1],
    )  # fmt: skip

    assert "first second\n" == done.stdout


# --- how it leaves ------------------------------------------------------------------------------------------------

LEAVINGS = {
    "by itself": "print('done')",
    "exit 0": "import sys; sys.exit(0)",
    "exit 3": "import sys; sys.exit(3)",
    "exit none": "raise SystemExit",
    "exit text": "import sys; sys.exit('no data in ./data')",
    "exit 256": "import sys; sys.exit(256)",
    "raise": "def f(x):\n    return 1 / x\n\nprint('before')\nf(0)",
    "raise from": "try:\n    {}['a']\nexcept KeyError as e:\n    raise ValueError('no a') from e",
    "raise within": "try:\n    {}['a']\nexcept KeyError:\n    print(undefined)",
    "raise in a sibling": "import sibling\nsibling.fail()",
    "own hook": "import sys\nsys.excepthook = lambda kind, error, trace: print('hook', kind, trace.tb_frame.f_lineno)\n[][1]",
    "interrupted": "raise KeyboardInterrupt",
    "syntax": "x = 1\ndef f(:\n    pass",
    "syntax in a sibling": "import broken",
    "indent": "if 1:\nx = 2",
    "coding": "# coding: latin-1\nprint('\xfc')",
    "import": "import no_such_module",
    "os._exit": "import os; os._exit(7)",
    "atexit": "import atexit, sys; atexit.register(print, 'at exit'); sys.exit(4)",
    "thread": "import threading, time\ndef late():\n    time.sleep(0.3)\n    print('late')\n"
    "threading.Thread(target=late).start()\nprint('main is done')\nprint([t.name for t in threading.enumerate()])",
    "idle pool": "from concurrent.futures import ThreadPoolExecutor\n"
    "import atexit\natexit.register(print, 'at exit')\npool = ThreadPoolExecutor(1)\nprint(pool.submit(abs, -1).result())",
    "fork": "import os\npid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\nprint('parent' if pid else 'child', flush=True)",
    "fork raises": "import os\npid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\nelse:\n    print(1 / 0)",
    "fork twice": "import os\nfor i in range(2):\n    pid = os.fork()\n    if pid:\n        os.waitpid(pid, 0)\nprint('end')",
    "open files": "import os, subprocess, sys\n"
    "show = 'import os; print(sorted(os.listdir(\"/proc/self/fd\")))'\n"
    "subprocess.run([sys.executable, '-c', show], close_fds=False)\n"
    "pid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\nelse:\n    print(sorted(os.listdir('/proc/self/fd')))",
}


@pytest.mark.parametrize("way", LEAVINGS)
def test_script_leaves_as_under_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """The exit code and all that is printed on the way out, tracebacks included, are Python's."""
    monkeypatch.chdir(tmp_path)
    Path("sibling.py").write_text("def fail():\n    raise RuntimeError('in sibling')")
    Path("broken.py").write_text("y = (1,\n")
    Path("train.py").write_text(LEAVINGS[way], encoding="latin-1")
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")  # else the order of the two streams differs: the watched one is live
    if sys.version_info[:2] == (3, 13):
        # Counts the threads that a fork may harm when the clock's is back already, and warns.
        monkeypatch.setenv("PYTHONWARNINGS", "ignore::DeprecationWarning")

    assert plain(["train.py"]) == child(Target("train.py"))


def test_module_leaves_as_under_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is under `-m`, for errors in the module, in its package, and where there is none."""
    monkeypatch.chdir(tmp_path)
    for package, text in (("good", ""), ("bad", "1 / 0")):
        Path(package).mkdir()
        Path(package, "__init__.py").write_text(text)
        Path(package, "train.py").write_text("[][1]")

    for name in ("good.train", "good.none", "good", "bad.train"):
        assert plain(["-m", name]) == child(Target(name, module=True))


# --- processes and torch ------------------------------------------------------------------------------------------

POOLS = """\
import multiprocessing, sys
class Point:
    def __init__(self, x): self.x = x
def double(p): return Point(2 * p.x)
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, [p.x for p in pool.map(double, [Point(1), Point(2)])])
else:
    print(f"imported as {__name__} {sys.argv} {sys.path[0]}\\n", end="", flush=True)
"""


@pytest.mark.parametrize("module", [False, True])
def test_pools_find_the_classes_of_main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: bool) -> None:
    """Objects of a class in the script go to worker processes and come back, forked or spawned."""
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(POOLS)

    output = watched(Target("train" if module else "train.py", ("a",), module=module))[0]

    expected = plain(["-m", "train", "a"] if module else ["train.py", "a"])[0]
    assert {*expected.splitlines()} == {
        *output.splitlines()
    }  # a worker that had nothing to do may not have come so far
    assert "fork [2, 4]\n" in output
    assert "spawn [2, 4]\n" in output


LOADERS = """\
import torch
from torch.utils.data import DataLoader, Dataset
class Rows(Dataset):
    def __len__(self): return 48
    def __getitem__(self, i): return torch.full((4,), i / 48), torch.tensor(i % 2)
def train(context):
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in DataLoader(Rows(), 12, shuffle=True, num_workers=2, multiprocessing_context=context):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    return [loss.item(), model.weight.sum().item()]
if __name__ == "__main__":
    print(train("fork") == train("spawn"))
"""


def test_loader_workers_are_forked_and_spawned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`num_workers=2` works under both start methods on a dataset of the script, and all steps are recorded."""
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(LOADERS)

    output, recording = watched(Target("train.py"), Limits(timeout=120))

    assert "True\n" == output
    assert list(range(1, 9)) == [s.index for s in recording.steps]
    assert recording.end is not None
    assert ("finished", 8) == (recording.end.reason, recording.end.steps)


TORCH = """\
import importlib.util, random, sys
random.seed(1)
for _ in range(3):
    spec = importlib.util.find_spec("torch")
    print(spec.name, spec.origin, spec.loader.path, spec.loader.is_package("torch"))
import numpy
numpy.random.seed(2)
import torch
print([type(x).__name__ if not isinstance(x, type) else x.__name__ for x in sys.meta_path])
print(type(torch.__loader__).__name__, type(torch.__spec__.loader).__name__, torch.__spec__.loader is torch.__loader__)
untouched = torch.Generator().manual_seed(torch.initial_seed()).get_state()
print(random.getstate(), numpy.random.get_state(), torch.equal(torch.get_rng_state(), untouched))
torch.manual_seed(3)
print(sorted(m for m in sys.modules if m.split(".")[0] not in ("nndoctor", "__future__") and not m.startswith("_sysconfigdata")))
model = torch.nn.Sequential(torch.nn.Linear(4, 1), torch.nn.Sigmoid())
print(model(torch.rand(8, 4)), torch.rand(3), random.random(), numpy.random.rand())
torch.nn.BCELoss()(model(torch.rand(8, 4)), torch.zeros(8))
"""


def test_torch_is_imported_and_fails_as_under_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The import leaves finders, loaders, random states and modules as they are; an error in torch hides this package."""
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(TORCH)
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")

    output, recording = watched(Target("train.py"))
    expected = plain(["train.py"])[0]

    # The traceback itself may differ in frames of torch: those by which a function mode is reached.
    assert expected.partition("Traceback")[0] == output.partition("Traceback")[0]
    assert expected.splitlines()[-1] == output.splitlines()[-1]
    assert str(Path(nndoctor.__file__).parent) not in output
    assert recording.end is not None
    assert recording.end.error.startswith("ValueError: Using a target size")
    assert recording.end.place is not None
    assert ("train.py", 17) == (recording.end.place.file, recording.end.place.line)
    assert ["Traceback (most recent call last):", f'  File "{os.path.abspath("train.py")}", line 17, in <module>'] == (
        recording.end.traceback.splitlines()[:2]
    )
    assert recording.end.traceback.splitlines()[-1].startswith("ValueError")
    assert "site-packages" not in recording.end.traceback


def test_broken_torch_can_be_imported_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first import of torch fails, the second is tried afresh, as always."""
    monkeypatch.chdir(tmp_path)
    Path("torch.py").write_text("import builtins\nbuiltins.tries = getattr(builtins, 'tries', 0) + 1\n1 / 0")
    Path("train.py").write_text(
        "import builtins, traceback\nfor _ in range(2):\n    try:\n        import torch\n"
        "    except ZeroDivisionError:\n        print('again', builtins.tries)"
    )

    assert plain(["train.py"])[0] == watched(Target("train.py"))[0]
