"""A trial sees the real files and writes none."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nndoctor.probe import landlock, launch

_FILES = """
import csv, io, json, logging, os, pathlib, pickle, shutil, tempfile
assert open("log.txt").read() == "old\\n"
with open("log.txt", "a") as f:
    f.write("new\\n")
assert open("log.txt").read() == "old\\nnew\\n"
assert os.path.getsize("log.txt") == 8 and pathlib.Path("log.txt").stat().st_size == 8
with open("log.txt", "r+") as f:
    f.write("OLD")
assert pathlib.Path("log.txt").read_text() == "OLD\\nnew\\n"
os.makedirs("runs/a/b", exist_ok=True)
os.makedirs("runs/a/b", exist_ok=True)
pathlib.Path("runs/a/b/x.json").write_text("{}")
assert json.load(open("runs/a/b/x.json")) == {}
assert [n for _, folders, _ in os.walk("runs") for n in folders] == ["a", "b"]
pathlib.Path("results/new.txt").write_text("1")
assert sorted(os.listdir("results")) == ["keep.txt", "new.txt"]
assert sorted(p.name for p in pathlib.Path("results").glob("*.txt")) == ["keep.txt", "new.txt"]
shutil.rmtree("results")
assert not os.path.exists("results") and not os.path.exists("results/keep.txt")
os.makedirs("results")
assert os.listdir("results") == []
with open("state.tmp", "w") as f:
    f.write("1")
os.replace("state.tmp", "state.json")
assert open("state.json").read() == "1" and not os.path.exists("state.tmp")
os.rename("state.json", "old.json")
assert os.path.exists("old.json") and not os.path.exists("state.json")
os.remove("old.json")
assert not os.path.exists("old.json")
os.remove("data.csv")
try:
    open("data.csv")
except FileNotFoundError:
    pass
else:
    raise AssertionError
try:
    open("nowhere/x", "w")
except FileNotFoundError:
    pass
else:
    raise AssertionError
try:
    open("log.txt", "x")
except FileExistsError:
    pass
else:
    raise AssertionError
try:
    os.mkdir("runs")
except FileExistsError:
    pass
else:
    raise AssertionError
logging.basicConfig(filename="train.log")
logging.warning("hey")
assert "hey" in open("train.log").read()
with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "t"), "w") as f:
    f.write("1")
with open("p.pkl", "wb") as f:
    pickle.dump([1], f)
assert pickle.load(open("p.pkl", "rb")) == [1]
with open("log.csv", "w", newline="") as f:
    csv.writer(f).writerow([1, 2])
shutil.copy("log.txt", "log2.txt")
assert open("log2.txt").read() == "OLD\\nnew\\n"
shutil.copytree("runs", "runs2")
assert os.path.exists("runs2/a/b/x.json")
here = os.getcwd()
os.chdir("sub")
assert open("../log.txt").read() == "OLD\\nnew\\n" and open("in.txt").read() == "in"
with open("in.txt", "a") as f:
    f.write("side")
os.chdir(here)
assert open(os.path.join("sub", "..", "sub", "in.txt")).read() == "inside"
assert open(os.path.join("link", "in.txt")).read() == "inside"
os.chmod("kept.bin", 0o600)
"""

_TORCH = """
import subprocess
import numpy as np, torch
from pathlib import Path
from torch.utils.data import DataLoader, TensorDataset
np.savez("a.npz", a=np.arange(3))
assert np.load("a.npz")["a"].sum() == 3
np.arange(4).tofile("raw.bin")
assert len(np.fromfile("raw.bin", dtype=int)) == 4
model = torch.nn.Linear(2, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
data = TensorDataset(torch.randn(32, 2), torch.randn(32, 1))
for epoch in range(3):
    for x, y in DataLoader(data, batch_size=4, num_workers=2 if epoch == 0 else 0):
        opt.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        opt.step()
    with open("log.txt", "a") as f:
        f.write(f"epoch {epoch}\\n")
    torch.save(model.state_dict(), Path("checkpoints") / "last.pt")
    torch.save(model.state_dict(), "best.pt")
    model.load_state_dict(torch.load("best.pt"))
assert open("log.txt").read().count("epoch") == 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's working directory."""
    here = tmp_path / "work"
    for name, words in {
        "log.txt": "old\n", "results/keep.txt": "k", "data.csv": "1,2", "sub/in.txt": "in", "kept.bin": "b", "checkpoints/last.pt": "precious",
        "best.pt": "precious",
    }.items():  # fmt: skip
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(words)
        os.utime(path, (1e9, 1e9))
    (here / "link").symlink_to("sub")
    monkeypatch.chdir(here)
    return here


def state(folder: Path) -> dict[str, tuple[float, int, bytes]]:
    """Everything that is there, with times and permissions."""
    return {
        str(p.relative_to(folder)): (p.lstat().st_mtime, p.lstat().st_mode, p.read_bytes() if p.is_file() else b"")
        for p in sorted(folder.rglob("*")) if p.name != "__pycache__"
    }  # fmt: skip


def _trial(script: Path) -> tuple[object, str]:
    """Under a short path, as the sockets of workers need it."""
    said: list[bytes] = []
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as scratch:
        recording = launch.watch(launch.Target(str(script)), launch.Limits(), None, said.append, launch.Trial(("lr*0.5",), 1, scratch))
    return recording, b"".join(said).decode()


def test_files_that_go_through_python_are_written_elsewhere(folder: Path, tmp_path: Path) -> None:
    """The script finds what it wrote, and finds gone what it removed; the real files are as they were."""
    before = state(folder)
    script = tmp_path / "files.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(landlock.__file__).parents[2])!r})\nfrom nndoctor.probe import scratch\n"
        f"scratch.enter(sys.argv[1])\n{_FILES}"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run([sys.executable, script, scratch], capture_output=True, text=True, cwd=folder, check=False)

    assert "" == done.stderr
    assert before == state(folder)


def test_a_trial_touches_neither_checkpoint_nor_log(folder: Path, tmp_path: Path) -> None:
    """Saved by torch's own writer, appended to, and with workers."""
    script = tmp_path / "train.py"
    script.write_text(_TORCH)
    before = state(folder)
    recording, said = _trial(script)

    assert "finished" == recording.end.reason, recording.end.traceback + said  # type: ignore[attr-defined]
    assert 24 == len(recording.steps)  # type: ignore[attr-defined]
    assert before == state(folder)


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
def test_the_kernel_refuses_what_python_does_not_see(folder: Path, tmp_path: Path) -> None:
    """Another program, and a file of C code."""
    script = tmp_path / "train.py"
    script.write_text(
        "import subprocess, sqlite3\n"
        "print('touch', subprocess.run(['touch', 'evil'], capture_output=True).returncode)\n"
        "print('rm', subprocess.run(['rm', '-f', 'best.pt'], capture_output=True).returncode)\n"
        "try:\n    sqlite3.connect('evil.db').execute('create table t (a)')\nexcept sqlite3.OperationalError as e:\n    print('sqlite', e)\n"
    )
    before = state(folder)
    _, said = _trial(script)

    assert "touch 1" in said and "rm 1" in said and "sqlite unable" in said
    assert before == state(folder)


def test_a_trial_connects_to_nobody_else(folder: Path, tmp_path: Path) -> None:
    """Metrics that are posted somewhere are not posted again; the own machine may be spoken to."""
    script = tmp_path / "train.py"
    script.write_text(
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "print('local', socket.create_connection(server.getsockname()).fileno() > 0)\n"
        "try:\n    socket.create_connection(('192.0.2.1', 80), timeout=1)\nexcept PermissionError as e:\n    print('refused:', e)\n"
    )
    _, said = _trial(script)

    assert "local True" in said
    assert "refused: a trial opens no connections: 192.0.2.1" in said
