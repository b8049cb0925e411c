"""However badly a script behaves, the watch ends in time, says how it ended, and keeps what was seen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import nndoctor
from nndoctor.errors import FileError
from nndoctor.probe import launch
from nndoctor.probe.launch import Limits, Target, watch
from nndoctor.record.model import End, Place, Recording

# A run of a few lines that takes steps by `step()`, for the scripts below.
TRAINING = """\
import torch
torch.manual_seed(0)
x, y = torch.randn(32, 4), torch.randn(32, 1)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def step():
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(script: str, limits: Limits = Limits(timeout=60)) -> tuple[Recording, End, str]:
    """Watch a script: what was recorded, its end, and what was printed."""
    Path("train.py").write_text(script)
    printed: list[bytes] = []
    recording = watch(Target("train.py"), limits, None, printed.append)
    assert recording.end is not None
    return recording, recording.end, b"".join(printed).decode()


# --- the script raises or leaves ----------------------------------------------------------------------------------


def test_steps_before_an_exception_are_kept() -> None:
    """A run that raises at its 13th step is still a run of 12 steps, with the script's traceback and line."""
    recording, end, output = run(
        TRAINING + "for i in range(100):\n    value = step()\n    if i == 11:\n        assert value < 0, 'diverged'\n"
    )
    file = os.path.abspath("train.py")

    assert ("error", 1, "AssertionError: diverged") == (end.reason, end.exit_code, end.error)
    assert Place("train.py", 15, "<module>") == end.place
    assert (
        f'Traceback (most recent call last):\n  File "{file}", line 15, in <module>\n'
        "    assert value < 0, 'diverged'\n           ^^^^^^^^^\nAssertionError: diverged\n"
    ).replace("           ^^^^^^^^^\n", "" if sys.version_info < (3, 11) else "           ^^^^^^^^^\n") == end.traceback
    assert output == end.traceback
    assert list(range(1, 13)) == [s.index for s in recording.steps]


@pytest.mark.parametrize(("argument", "code", "error"), [("0", 0, ""), ("3", 3, ""), ("'no data'", 1, "no data")])
def test_exit_is_told_with_its_code(argument: str, code: int, error: str) -> None:
    """`sys.exit` ends the run with its exit code, and its message where it has one."""
    _, end, _ = run(f"import sys\nsys.exit({argument})")

    assert ("exit", code, error) == (end.reason, end.exit_code, end.error)


def test_script_without_torch_is_recorded_all_the_same() -> None:
    """A script that imports no torch leaves a header, by the parent, and an end."""
    recording, end, output = run("print('hello')")

    assert "hello\n" == output
    assert ("train.py", 300, 60.0) == (
        recording.header.script, recording.header.steps_limit, recording.header.seconds_limit
    )  # fmt: skip
    assert ("finished", 0, []) == (end.reason, end.steps, recording.steps)


def test_error_beside_the_main_file_is_placed_there() -> None:
    """The innermost line of the user's is the one to blame, in whichever file; of a library it is the caller's."""
    Path("helper.py").write_text("import json\ndef load():\n    return json.loads('{')\n")

    _, end, _ = run("import helper\nhelper.load()")

    assert Place("helper.py", 3, "load") == end.place
    assert "json/decoder.py" not in end.traceback
    assert 2 == end.traceback.count("  File ")


def test_syntax_error_is_placed() -> None:
    """A script that cannot be compiled is blamed at the line that Python names."""
    _, end, output = run("x = 1\ny = (2\n")

    assert ("error", "SyntaxError: '(' was never closed") == (end.reason, end.error)
    assert Place("train.py", 2) == end.place
    assert output == end.traceback


def test_exit_that_tells_nobody_is_lost() -> None:
    """Where native code ends the process the parent says so, with the exit code."""
    _, end, _ = run("import ctypes\nctypes.CDLL(None)._exit(7)")

    assert ("lost", 7) == (end.reason, end.exit_code)


def test_closing_the_pipe_is_no_way_out() -> None:
    """A script that closes every file it did not open, as daemons do, ends the run; the parent notices."""
    _, end, _ = run("import os\nos.closerange(3, 100)")

    assert "lost" == end.reason


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGTERM"])
def test_death_by_signal_is_named(name: str) -> None:
    """The parent names the signal that killed the script."""
    _, end, output = run(f"import os, signal\nprint('before')\nos.kill(os.getpid(), signal.{name})")

    assert ("signal", name, 128 + getattr(signal, name)) == (end.reason, end.error, end.exit_code)
    assert "before\n" == output


def test_steps_before_a_signal_are_kept() -> None:
    """What was recorded before the script was killed is there, and is counted."""
    recording, end, _ = run(
        TRAINING
        + "import os, signal, time\nfor _ in range(12):\n    step()\ntime.sleep(1.0)\nstep()\ntime.sleep(0.5)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    assert "SIGKILL" == end.error
    assert end.steps == len(recording.steps)
    assert end.steps >= 12


# --- the script does not end --------------------------------------------------------------------------------------


def test_bare_except_does_not_hold_the_end_up() -> None:
    """At the step limit the run ends in a script that catches everything, with its output flushed and not one step more."""
    recording, end, output = run(
        TRAINING + "import atexit\natexit.register(print, 'at exit')\nwhile True:\n    try:\n        step()\n"
        "        print('.', end='')\n    except:\n        pass\n    finally:\n        pass\n",
        Limits(steps=15, wait=0.0, timeout=60),
    )

    assert ("steps", 15, 15) == (end.reason, end.steps, len(recording.steps))
    assert "." * 15 == output


def test_workers_end_with_the_run() -> None:
    """At the limit the script's worker processes end too, of a loader and of its own, and nobody complains."""
    _, end, output = run(
        "import multiprocessing, time\n"
        "if __name__ == '__main__':\n"
        "    spawning = multiprocessing.get_context('spawn')\n"
        "    lock = spawning.Lock()\n"
        "    process = spawning.Process(target=time.sleep, args=(100,))\n"
        "    process.start()\n"
        + textwrap.indent(TRAINING, "    ")
        + "    loader = torch.utils.data.DataLoader(x, num_workers=1)\n"
        "    rows = iter(loader)\n"
        "    print(process.pid, rows._workers[0].pid)\n"
        "    while True: step()\n",
        Limits(steps=10, wait=0.0, timeout=60),
    )

    assert ("steps", 10) == (end.reason, end.steps)
    for pid in output.split():
        _wait_until_gone(int(pid))


def test_script_stuck_after_some_steps_ends_at_the_limit() -> None:
    """A script that does something unseen for ever once it has trained is ended, grace included, and summed up."""
    started = time.monotonic()
    recording, end, _ = run(
        TRAINING + "step(), step()\nwhile True: pass", Limits(seconds=0.5, grace=0.5, timeout=60)
    )  # fmt: skip

    assert ("seconds", 2, 2) == (end.reason, end.steps, len(recording.steps))
    assert {"backward", "step", "zero_grad"} <= {c.what for c in recording.calls}
    assert time.monotonic() - started < 50


def test_hang_before_training_is_placed() -> None:
    """A script that hangs before its first step ends at the timeout, and the line that hangs is told."""
    _, end, output = run("import time\ndef load():\n    time.sleep(100)\nprint('loading')\nload()", Limits(timeout=2))

    assert ("timeout", "still running after 2 s") == (end.reason, end.error)
    assert Place("train.py", 3, "load") == end.place
    assert 2 == end.traceback.count("  File ")
    assert "loading\n" == output


def test_hang_that_holds_the_interpreter_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even the child's clock can run, the parent ends the run."""
    monkeypatch.setattr(launch, "_OVERTIME", 0.5)

    _, end, _ = run("import re\nre.match('(a+)+$', 'a' * 60 + 'b')", Limits(timeout=0.5))

    assert ("timeout", "still running after 0.5 s") == (end.reason, end.error)


def test_timeout_ends_what_the_script_has_started() -> None:
    """The processes that a hanging script waits for are killed with it, and theirs."""
    _, end, output = run(
        "import subprocess, sys\n"
        "inner = 'import os, time; print(os.getpid(), flush=True); time.sleep(100)'\n"
        "outer = f'import subprocess, sys; subprocess.run([sys.executable, \"-c\", {inner!r}])'\n"
        "subprocess.run([sys.executable, '-c', outer])\n",
        Limits(timeout=4),
    )

    assert "timeout" == end.reason
    _wait_until_gone(int(output))


def test_process_left_behind_does_not_hold_the_end_up() -> None:
    """A script that ends, but leaves a process with its output open, has ended; that process lives on, as always."""
    started = time.monotonic()
    _, end, output = run("import subprocess\nprint(subprocess.Popen(['sleep', '30']).pid)")

    assert "finished" == end.reason
    assert time.monotonic() - started < 20
    os.kill(int(output), signal.SIGKILL)


def test_threads_are_waited_for() -> None:
    """Training in a thread that outlives the main module is seen to its end, at which the run ends."""
    recording, end, output = run(
        TRAINING
        + "import atexit, threading\natexit.register(print, 'at exit')\ndef train():\n    for _ in range(20): step()\n"
        "    print('trained')\nthreading.Thread(target=train).start()\nprint('main is done')\n"
    )

    assert ("finished", 20, 20) == (end.reason, end.steps, len(recording.steps))
    assert {"main is done", "trained", "at exit"} == set(output.split("\n")[:3])


# --- output -------------------------------------------------------------------------------------------------------


def test_much_output_passes_through() -> None:
    """Fifty megabytes in long and short lines arrive whole, in pieces; without a taker they are dropped."""
    Path("train.py").write_text(
        "import os, sys\nfor _ in range(40): sys.stdout.write('x' * 1_000_000 + '\\n')\nfor _ in range(10_000): print('y' * 999)\n"
    )
    sizes: list[int] = []

    kept = watch(Target("train.py"), Limits(timeout=60), None, lambda chunk: sizes.append(len(chunk)))
    dropped = watch(Target("train.py"), Limits(timeout=60), None, None)

    assert 40 * 1_000_001 + 10_000 * 1_000 == sum(sizes)
    assert max(sizes) <= 1 << 16
    assert kept.end is not None and dropped.end is not None
    assert ["finished"] * 2 == [kept.end.reason, dropped.end.reason]


def test_output_is_live() -> None:
    """A line is passed on when it is printed, on either stream, not at the end."""
    Path("train.py").write_text(
        "import os, sys, time\nfor name in ('stdout', 'stderr'):\n    print(name, file=getattr(sys, name))\n"
        "    while not os.path.exists(name): time.sleep(0.01)\n"
    )

    recording = watch(Target("train.py"), Limits(timeout=30), None, lambda line: Path(line.decode().strip()).touch())

    assert recording.end is not None
    assert "finished" == recording.end.reason


def test_records_are_live() -> None:
    """Records are passed on while the script runs: the header within moments of torch's import."""
    Path("train.py").write_text("import os, time, torch\nwhile not os.path.exists('header'): time.sleep(0.01)\n")
    kinds: list[str] = []

    def take(record: object) -> None:
        kinds.append(record.kind)  # type: ignore[attr-defined]
        Path(kinds[-1]).touch()

    recording = watch(Target("train.py"), Limits(timeout=60), take, None)

    assert recording.end is not None
    assert "finished" == recording.end.reason
    assert ("header", "end") == (kinds[0], kinds[-1])


def test_error_of_a_taker_is_raised_at_the_end() -> None:
    """A caller's function that fails does not stop the run, and is not passed over in silence."""
    Path("train.py").write_text("print(1)\nprint(2)\nopen('done', 'w').close()")

    def fail(_: object) -> None:
        raise RuntimeError("closed")

    for takers in ((None, fail), (fail, None)):
        with pytest.raises(RuntimeError, match="closed"):
            watch(Target("train.py"), Limits(timeout=60), *takers)
        assert Path("done").exists()
        Path("done").unlink()


# --- Ctrl-C -------------------------------------------------------------------------------------------------------


def test_interrupted_script_ends_as_under_python() -> None:
    """SIGINT reaches the script as KeyboardInterrupt, with its traceback."""
    _, end, output = run("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)")

    assert ("interrupt", 130, "KeyboardInterrupt") == (end.reason, end.exit_code, end.error)
    assert "KeyboardInterrupt" == output.splitlines()[-1]
    assert "child.py" not in output


DRIVER = """\
import sys, time
from nndoctor.probe import launch
launch._PATIENCE = float(sys.argv[1])
recording = launch.watch(launch.Target("train.py"), launch.Limits(timeout=60), None, lambda b: print(b.decode(), end="", flush=True))
print(recording.end.reason, recording.end.exit_code, "torch" in sys.modules, flush=True)
"""


def interrupt(script: str, patience: float, times: int = 1) -> str:
    """Run a script under watch in a process group of its own, as a terminal does; press Ctrl-C once it prints."""
    Path("train.py").write_text(script)
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(patience)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": str(Path(nndoctor.__file__).parents[1])},
    )  # fmt: skip
    assert process.stdout is not None
    guard = threading.Timer(50, process.kill)
    guard.start()
    first = process.stdout.readline()
    for _ in range(times):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.5)
    rest = process.stdout.read()
    guard.cancel()
    assert 0 == process.wait()
    return first + rest


def test_ctrl_c_ends_script_and_watch() -> None:
    """Ctrl-C in the terminal interrupts the script; the watch returns what was recorded."""
    # A signal that comes just before a sleep begins is noticed after it: in Python itself.
    output = interrupt("import time\nprint('ready')\nfor _ in range(1000): time.sleep(0.1)", 30)

    assert "KeyboardInterrupt\ninterrupt 130 False\n" == "".join(output.splitlines(keepends=True)[-2:])


def test_script_may_end_ctrl_c_its_own_way() -> None:
    """A script that saves and exits on Ctrl-C is let do it, and was interrupted all the same."""
    output = interrupt(
        "import time\ntry:\n    print('ready')\n    for _ in range(1000): time.sleep(0.1)\nexcept KeyboardInterrupt:\n    time.sleep(1)\n    print('saved')", 30
    )  # fmt: skip

    assert "ready\nsaved\ninterrupt 0 False\n" == output


@pytest.mark.parametrize(("patience", "times"), [(0.5, 1), (100, 2)])
def test_script_that_ignores_ctrl_c_is_killed(patience: float, times: int) -> None:
    """A script that ignores Ctrl-C is killed after a while, or by a second Ctrl-C at once."""
    output = interrupt(
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('ready')\ntime.sleep(100)", patience, times
    )  # fmt: skip

    assert "ready\ninterrupt 130 False\n" == output


# --- what is not there --------------------------------------------------------------------------------------------


def test_missing_targets_are_refused() -> None:
    """A script, module or Python that does not exist is an error of the command, and nothing is started."""
    Path("train.py").write_text("open('started', 'w').close()")
    for target, message in (
        (Target("tain.py"), "tain.py: no such file"),
        (Target("no_such_package.train", module=True), "no module named 'no_such_package'"),
        (Target("train.py", python="/no/python"), "/no/python: cannot be started"),
    ):
        with pytest.raises(FileError, match=message):
            watch(target, Limits(), None, None)
    assert not Path("started").exists()


def test_torch_that_cannot_be_watched_is_an_error() -> None:
    """Where the watch cannot be put in place, the run ends and says so: no half a recording, no wrong verdict."""
    Path("torch.py").write_text("")

    _, end, output = run("import torch\nprint('not reached')")

    assert ("error", 1) == (end.reason, end.exit_code)
    assert end.error.startswith("torch cannot be watched: ")
    assert "not reached" not in output
    assert "Traceback" in output


def test_orphan_ends_itself() -> None:
    """A watched script whose parent is killed does not run on unseen."""
    Path("train.py").write_text("import os, time\nprint(os.getpid())\ntime.sleep(100)")
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, "1"], stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(nndoctor.__file__).parents[1])},
    )  # fmt: skip
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()

    _wait_until_gone(pid)


def _wait_until_gone(pid: int, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} lives on")
