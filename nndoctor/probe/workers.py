"""Has the processes watched that the run starts in order to train in them: a launcher's ranks, and those of multiprocessing.

The child's side. Such a process is started by `child.py` as well, and writes its recording to a folder of the parent's
(`team.py`). A process that is forked cannot be watched; it leaves a mark there once it trains.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import process, spawn
from typing import Any

from nndoctor.probe.launcher import may_be_rank
from nndoctor.probe.patches import Patches

_WITHOUT_VALUE = frozenset("bBdEIOPqRsSuvx")  # python's options of one letter


class Workers:
    """`command` starts child.py up to and with the role; what follows is the kind of what to run, its name and arguments."""

    def __init__(self, folder: str, command: Sequence[str]) -> None:
        self._folder = folder
        self._command = list(command)
        self._starting = threading.local()
        self._ranks: list[subprocess.Popen[Any]] = []

    def install(self, patches: Patches) -> None:
        """Patch the two ways in which Python starts another one. What a rank itself starts is no rank."""
        if may_be_rank(os.environ):
            return
        patches.replace(subprocess.Popen, "__init__", self._popen)
        patches.replace(process.BaseProcess, "start", self._start)
        patches.replace(spawn, "get_command_line", self._get_command_line)

    def _popen(self, old: Any) -> Any:
        @functools.wraps(old)
        def __init__(popen: Any, args: Any, *rest: Any, **kwargs: Any) -> None:
            environment = kwargs.get("env")
            watched = None
            if isinstance(args, (list, tuple)) and isinstance(environment, Mapping) and may_be_rank(environment):
                watched = self._watched([str(a) for a in args])
            old(popen, watched or args, *rest, **kwargs)
            if watched:
                self._ranks.append(popen)

        return __init__

    def note_ends(self) -> None:
        """Leave the signal of each rank that was killed, which could not write so itself. Called at the end."""
        for popen in self._ranks:
            if (popen.returncode or 0) < 0:
                with open(f"{self._folder}/{popen.pid}.signal", "w") as file:
                    file.write(str(-popen.returncode))

    def _watched(self, command: list[str]) -> list[str] | None:
        """The command that runs the same under watch; None where it does not run a script of this Python's."""
        if not command or os.path.realpath(command[0]) != os.path.realpath(sys.executable):
            return None
        options, rest = [], command[1:]
        while rest and rest[0].startswith("-") and set(rest[0][1:]) <= _WITHOUT_VALUE and len(rest[0]) > 1:
            options.append(rest.pop(0))
        module = rest[:1] == ["-m"]
        what = rest[1:] if module else rest
        if not what or what[0].startswith("-") or (module and what[0].partition(".")[0] == "nndoctor"):
            return None
        return [command[0], *options, *self._given(), "module" if module else "file", *what]

    def _start(self, old: Any) -> Any:
        """A process of multiprocessing begins: a data loader's worker is none that trains."""
        starting = self._starting

        @functools.wraps(old)
        def start(started: Any) -> None:
            target = getattr(started, "_target", None)
            starting.trains = not str(getattr(target, "__module__", "")).startswith("torch.utils.data.")
            try:
                old(started)
            finally:
                starting.trains = False

        return start

    def _get_command_line(self, old: Any) -> Any:
        @functools.wraps(old)
        def get_command_line(**kwargs: Any) -> list[str]:
            command: list[str] = old(**kwargs)
            if not getattr(self._starting, "trains", False) or "-c" not in command:
                return command
            at = command.index("-c")
            return [*command[:at], *self._given(), "code", *command[at + 1 :]]

        return get_command_line

    def _given(self) -> list[str]:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        return self._command
