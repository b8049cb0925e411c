"""The processes of one training, as this process sees them: which of them it is, and where they leave what they have seen.

A launcher such as torchrun starts nndoctor once for each rank. Each watches its own script; rank 0 waits for what the others
hand over, and reports. Where nndoctor itself is started once, and the script starts processes that train, their recordings
come to the same folder (`workers.py`). The parent's side: imports no torch. Calls no collective, so nothing waits for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from nndoctor.probe.launch import signal_name
from nndoctor.probe.launcher import is_rank, number
from nndoctor.record.codec import assemble, decode, save
from nndoctor.record.model import End, Header, Recording
from nndoctor.record.ranks import together

OVER = "over"  # file: the reason for which the first of the processes ended
FORKED = ".forked"  # end of the name of a file: that process trained, and was not watched
_MEETING = 10.0  # seconds for rank 0 to open the folder
_PATIENCE = 30.0  # seconds, once rank 0 has ended, for the others to sum up; torchrun kills after as many
_STARTED, _RECORDED, _SIGNAL = ".pid", ".jsonl", ".signal"


@dataclass(frozen=True)
class Team:
    """Which process of its training this one is. A team of one is the usual case."""

    folder: Path
    rank: int = 0
    size: int = 1  # processes on this machine

    @property
    def leads(self) -> bool:
        """Whether this process reports."""
        return self.rank == 0

    def whole(self, recording: Recording) -> Recording:
        """What all have seen, where this process leads; else its own part, which is handed over to the one that does."""
        if not self.leads:
            self._hand_over(recording)
            return recording
        self._await_others()
        return together(recording, _collected(self.folder), len(list(self.folder.glob("*" + FORKED))), _first_reason(self.folder))

    def _hand_over(self, recording: Recording) -> None:
        end = recording.end
        if end is not None and end.reason != "finished" and (end.reason, end.exit_code) != ("exit", 0):
            with contextlib.suppress(OSError), open(self.folder / OVER, "x") as file:
                file.write(end.reason)
        if self.folder.is_dir():  # else rank 0 is gone, or on another machine
            part = self.folder / f"rank-{self.rank}.part"
            with contextlib.suppress(OSError):
                _save(recording, part)
                part.rename(self.folder / f"rank-{self.rank}{_RECORDED}")

    def _await_others(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and any(map(self._is_awaited, range(1, self.size))):
            time.sleep(0.05)

    def _is_awaited(self, rank: int) -> bool:
        """Whether a recording of that rank may still come."""
        alive = _is_alive(self.folder / f"rank-{rank}{_STARTED}")  # asked first: it may hand over and end in between
        return alive and not (self.folder / f"rank-{rank}{_RECORDED}").exists()


@contextlib.contextmanager
def meeting(environment: Mapping[str, str]) -> Iterator[Team]:
    """The team of this process, by what a launcher has put into the environment. The leader's folder goes with it."""
    if not is_rank(environment):
        team = Team(Path(tempfile.gettempdir(), f"nndoctor-ranks-{os.getpid()}-{time.time_ns():x}"))
    else:
        me, size, here = (number(environment, name) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"))
        elsewhere = number(environment, "GROUP_RANK") > 0
        team = Team(_agreed_folder(environment), me, 1 if elsewhere else here if here > 0 else size)
    if not team.leads:
        _join(team)
        yield team
        return
    try:
        if team.size > 1:
            team.folder.mkdir(mode=0o700, exist_ok=True)
        yield team
    finally:
        shutil.rmtree(team.folder, ignore_errors=True)


def _agreed_folder(environment: Mapping[str, str]) -> Path:
    """The same for all processes of one launcher on this machine, and for no others."""
    names = ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT")
    told = "\n".join([str(os.getuid()), str(os.getppid()), *(environment.get(n, "") for n in names)])
    return Path(tempfile.gettempdir(), "nndoctor-ranks-" + hashlib.sha256(told.encode()).hexdigest()[:16])


def _join(team: Team) -> None:
    """Tell rank 0 of this process, once it has opened the folder."""
    deadline = time.monotonic() + (_MEETING if team.size > 1 else 0.0)
    while not team.folder.is_dir() and time.monotonic() < deadline:
        time.sleep(0.02)
    with contextlib.suppress(OSError):
        (team.folder / f"rank-{team.rank}{_STARTED}").write_text(str(os.getpid()))


@contextlib.contextmanager
def ended_politely(team: Team) -> Iterator[None]:
    """While the leader's script runs, the launcher's SIGTERM ends it like Ctrl-C, so that what was seen is reported.

    A launcher sends it to all that are left when one process has failed.
    """
    if not team.leads or team.size < 2:
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the report takes a moment, and the launcher's patience is longer
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _is_alive(file: Path) -> bool:
    """Whether the process that wrote its number there is. One that has not come so far may still come."""
    try:
        os.kill(int(file.read_text()), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    return True


def _collected(folder: Path) -> list[Recording]:
    """The recordings in a folder, each as far as it was written, in the order in which their processes were started."""
    found = []
    for file in sorted(folder.glob("*" + _RECORDED), key=lambda f: (len(f.name), f.name)):
        with open(file, encoding="utf-8", errors="replace") as stream:
            records = [decode(line) for line in stream if line.endswith("\n")]  # else the process was killed over it
        if records and isinstance(records[0], Header):
            recording = assemble(records)
            recording.end = recording.end or _end_of(recording, file.with_suffix(_SIGNAL))
            found.append(recording)
    return found


def _end_of(recording: Recording, told: Path) -> End:
    """How a process ended that could not say so itself: by the signal that its starter saw, if one did."""
    last = recording.steps[-1] if recording.steps else None
    seen = (last.index if last else 0, sum(s.backwards for s in recording.steps), 0, last.seconds if last else 0.0, 0.0)
    number = int(told.read_text()) if told.is_file() else 0
    if number == signal.SIGTERM:  # what a launcher sends to those that are left
        return End("peer", *seen, exit_code=128 + number)
    if number:
        return End("signal", *seen, exit_code=128 + number, error=signal_name(number))
    return End("lost", *seen, exit_code=1, error="the process ended without telling Python, or was killed")


def _first_reason(folder: Path) -> str:
    try:
        return (folder / OVER).read_text()
    except OSError:
        return ""


def _save(recording: Recording, path: Path) -> None:
    from nndoctor.errors import FileError

    with contextlib.suppress(FileError):
        save(recording, path)
