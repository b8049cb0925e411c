"""Starts the watched run in a child process, takes in what it records and prints, and bounds it in time.

The parent's side of `child.py`. Imports no torch; writes no file and keeps no output.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from nndoctor.errors import FileError
from nndoctor.probe.landlock import command_prefix
from nndoctor.probe.source import hints
from nndoctor.record.codec import MALFORMED, assemble, decode
from nndoctor.record.model import FORMAT, End, Header, Problem, Recording, Step
from nndoctor.version import __version__

_CHILD = str(Path(__file__).resolve().with_name("child.py"))
_OVERTIME = 3.0  # seconds beyond the timeout in which the child may still sum up by itself
_PATIENCE = 5.0  # seconds for the script to end after Ctrl-C
_LAST_WORDS = 1.0  # seconds, once the child is gone, for pipes that a process left behind may hold open


@dataclass(frozen=True)
class Target:
    """What to run: a script as in `python script arguments`, or a module as in `python -m script arguments`."""

    script: str
    arguments: tuple[str, ...] = ()
    module: bool = False
    python: str = sys.executable


@dataclass(frozen=True)
class Limits:
    """When the watch ends: after so many optimiser steps, after seconds of training (`grace` more for a validation
    pass that is under way), or after `timeout` seconds of the whole run. Where the steps have shown no validation pass, it goes
    on until one has been seen, `wait` seconds at most. `run` is the training of the script to watch, from 1; 0: each.
    """

    steps: int = 300
    seconds: float = 60.0
    timeout: float = 600.0
    grace: float = 10.0
    wait: float = 10.0
    run: int = 0


@dataclass(frozen=True)
class Trial:
    """What makes a run a trial: changes in the spelling of `changes/names.py`, the threads that it may use (0: as many as
    it likes), and a folder that takes what it writes.
    """

    changes: tuple[str, ...]
    threads: int
    scratch: str

    @property
    def role(self) -> str:
        """As the child takes it."""
        return f"changes={','.join(self.changes)} threads={self.threads} scratch={self.scratch}"


def watch(
    target: Target,
    limits: Limits,
    on_record: Callable[[Any], None] | None,
    on_output: Callable[[bytes], None] | None,
    trial: Trial | None = None,
    enough: threading.Event | None = None,
    ranks: Path | None = None,
) -> Recording:
    """Run the target under watch and return what was recorded; however the run ended, `end.reason` says how.

    `on_record` gets each record, and `on_output` each piece of what the script prints, as they come and from threads
    of this process. What one of them raises is raised here once the run is over. Without `on_output` the output is
    dropped. A trial ends early once `enough` is set. Processes that the script starts in order to train in them are watched as
    well where there is a folder `ranks` for their recordings. Ctrl-C is the script's to handle; one that does not end by it within
    seconds, or is met by a second Ctrl-C, is killed.

    Raises FileError where the script, the module or the Python does not exist.
    """
    _require(target)
    started = time.monotonic()
    role = trial.role if trial else f"ranks={os.fsencode(ranks).hex()}" if ranks else ""
    process, recorded, printed = start(target, limits, role, trial.scratch if trial else "")
    records = Records(recorded, target, limits, on_record)
    output = Output(printed, on_output)
    interrupted = False
    try:
        in_time = _wait(process, records, started + limits.timeout + _OVERTIME, enough)
    except KeyboardInterrupt:
        interrupted = in_time = True
        with contextlib.suppress(KeyboardInterrupt):
            _wait(process, records, time.monotonic() + _PATIENCE)
    finally:
        kill_tree(process)
    records.close()
    output.close()
    end = _end(process.returncode, records, limits, interrupted, in_time, time.monotonic() - started)
    recording = records.finish(end)
    for failure in (records.failure, output.failure):
        if failure is not None:
            raise failure
    if trial is None:
        recording.hints = hints(recording)
    return recording


# --- before -------------------------------------------------------------------------------------------------------


def _require(target: Target) -> None:
    """Refuse what is not there, before anything is started."""
    if not target.module:
        if not os.path.exists(target.script):
            raise FileError(f"{target.script}: no such file; name the script that you would give to python")
        return
    top = target.script.partition(".")[0]
    # Only the top of a dotted name can be looked for without importing anything, and only in this very Python.
    if target.python == sys.executable and PathFinder.find_spec(top, [os.getcwd()]) is None:
        with contextlib.suppress(ValueError):  # a module without a spec: it is there
            if importlib.util.find_spec(top) is None:
                raise FileError(
                    f"{target.script}: no module named {top!r} in {os.getcwd()} or among the installed ones"
                )


def child_arguments(fd: int, target: Target, limits: Limits, role: str) -> list[str]:
    """What Python is to run as the child: `sys.argv` as `child.py` takes it. `fd` takes the records."""
    numbers = (fd, limits.steps, limits.seconds, limits.grace, limits.wait, limits.timeout, limits.run)
    return [_CHILD, *map(str, numbers), role, "module" if target.module else "file", target.script, *target.arguments]


def start(
    target: Target, limits: Limits, role: str, scratch: str = "", fds: Sequence[int] = ()
) -> tuple[subprocess.Popen[bytes], int, int]:
    """The child, the end of a pipe on which its records come, and that of one for all that it prints.

    `role` is the child's (see there), `scratch` the one folder that it may write to, `fds` what else it inherits.
    """
    recorded, record = os.pipe()
    printed, output = os.pipe()
    environment = None
    confined: list[str] = []
    if scratch:
        confined = command_prefix(scratch, target.python)
        role += " confined=yes" if confined else ""
        temporary = os.path.join(scratch, "tmp")
        os.makedirs(temporary, exist_ok=True)
        environment = {**os.environ, "TMPDIR": temporary}
    command = [*confined, target.python, *child_arguments(record, target, limits, role)]
    try:
        # The standard input, the environment (a trial's temporary folder apart) and the process group (Ctrl-C) are this process's own.
        # A trial reads none of it: that belongs to the run that is watched.
        given = subprocess.DEVNULL if scratch else None
        process = subprocess.Popen(command, stdin=given, stdout=output, stderr=output, pass_fds=(record, *fds), env=environment)
    except OSError as e:
        os.close(recorded)
        os.close(printed)
        raise FileError(f"{target.python}: cannot be started: {e.strerror}; name a Python interpreter") from e
    finally:
        os.close(record)
        os.close(output)
    return process, recorded, printed


# --- meanwhile ----------------------------------------------------------------------------------------------------


class Records:
    """Takes in the records, in a thread. The first is a header, by the child or by this process."""

    def __init__(self, fd: int, target: Target, limits: Limits, on_record: Callable[[Any], None] | None) -> None:
        self.failure: BaseException | None = None
        self.end: End | None = None
        self.timed_out = False  # the child has written its end and waits to be killed
        self.over = threading.Event()  # nothing more comes
        self.steps = self.backwards = 0
        self.seconds = 0.0
        self._all: list[Any] = []
        self._on_record = on_record
        self._target, self._limits = target, limits
        self._thread = threading.Thread(target=self._read, args=(fd,), daemon=True)
        self._thread.start()

    def _read(self, fd: int) -> None:
        try:
            with open(fd, "rb") as stream:
                for line in stream:
                    if line.endswith(b"\n"):  # else the child was killed over it
                        self._take(_decoded(line))
        except BaseException as e:  # raised by `watch`, in the caller's thread
            self.failure = self.failure or e
        finally:
            self.over.set()

    def _take(self, record: Any) -> None:
        if record is None:
            return
        if isinstance(record, Header):
            # The child sees sys.argv when torch is imported, and the script may have changed it by then.
            record.script, record.arguments = self._target.script, list(self._target.arguments)
            record.steps_limit, record.seconds_limit = self._limits.steps, self._limits.seconds
        elif not self._all:
            self._take(Header(FORMAT, __version__, "", python=sys.version.split()[0]))
        if isinstance(record, Step):
            self.steps, self.seconds = max(self.steps, record.index), record.seconds
            self.backwards += record.backwards
        self._all.append(record)
        if self._on_record is not None:
            try:
                self._on_record(record)
            except BaseException as e:
                self.failure, self._on_record = e, None
        if isinstance(record, End):
            self.end, self.timed_out = record, record.reason == "timeout"

    def close(self) -> None:
        """Wait for what is still in the pipe."""
        self._thread.join(_LAST_WORDS)

    def finish(self, end: End) -> Recording:
        """The recording with this end."""
        if self.end is None:
            self._take(end)
        recording = assemble(self._all)
        recording.end = end
        return recording


def _decoded(line: bytes) -> Any:
    """A record; one that cannot be read is told, and the rest goes on."""
    try:
        return decode(line.decode())
    except MALFORMED as e:
        return Problem("the recording", f"{type(e).__name__}: {e}"[:500])


class Output:
    """Passes on what the script prints, in a thread, and keeps none of it: a run may print gigabytes."""

    def __init__(self, fd: int, on_output: Callable[[bytes], None] | None) -> None:
        self.failure: BaseException | None = None
        self._on_output = on_output
        self._thread = threading.Thread(target=self._read, args=(fd,), daemon=True)
        self._thread.start()

    def _read(self, fd: int) -> None:
        with open(fd, "rb", buffering=0) as stream:
            while chunk := stream.read(1 << 16):
                if self._on_output is not None:
                    try:
                        self._on_output(chunk)
                    except BaseException as e:  # the script must not be held up: read on, raise later
                        self.failure, self._on_output = e, None

    def close(self) -> None:
        """Wait for what is still in the pipe; what a process left behind prints later is nobody's."""
        self._thread.join(_LAST_WORDS)
        self._on_output = None


def _wait(process: subprocess.Popen[bytes], records: Records, deadline: float, enough: threading.Event | None = None) -> bool:
    """Wait until the child is gone, or has written its end and waits to be killed. False at the deadline."""
    while process.poll() is None and not records.timed_out:
        if enough is not None and enough.is_set():
            process.send_signal(signal.SIGUSR2)
            enough = None
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        if records.over.wait(min(left, 0.1)):
            time.sleep(0.005)  # its last records are here, so it is leaving
    return True


# --- after --------------------------------------------------------------------------------------------------------


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill the child, if it still is, and all that it started. Elsewhere than on Linux the child alone."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGSTOP)  # so that it starts no more while they are counted
    for pid in [process.pid, *_descendants(process.pid)]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have, as /proc tells."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # "pid (any name) state parent ..."
            parent = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue  # gone meanwhile
        children.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [pid]
    while waiting:
        fresh = children.get(waiting.pop(), [])
        found += fresh
        waiting += fresh
    return found


def _end(code: int, records: Records, limits: Limits, interrupted: bool, in_time: bool, total_seconds: float) -> End:
    """How the run ended: as the child wrote, or as its exit tells where it could not."""
    end = records.end
    if end is not None:
        # What a script makes of Ctrl-C (workers that die under it, a clean exit) is still the user's interruption.
        if interrupted and end.reason not in ("steps", "seconds"):
            return dataclasses.replace(end, reason="interrupt")
        return end
    seen = (records.steps, records.backwards, 0, records.seconds, total_seconds)
    if interrupted or code == -signal.SIGINT:
        return End("interrupt", *seen, exit_code=128 + signal.SIGINT)
    if not in_time:
        return End("timeout", *seen, error=f"still running after {limits.timeout:g} s")
    if code < 0:
        return End("signal", *seen, exit_code=128 - code, error=signal_name(-code))
    return End("lost", *seen, exit_code=code, error="the process ended without telling Python, as native code can end it")


def signal_name(number: int) -> str:
    """SIGKILL for 9; "signal 99" for what has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
