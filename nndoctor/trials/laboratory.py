"""Runs one change: by a fork of a script that has come to its first training forward, or by the script afresh."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from typing import Any

from nndoctor.probe import launch
from nndoctor.probe.changes.names import Change
from nndoctor.probe.trunk import Trunk
from nndoctor.record.model import Recording

_MOST_BRANCHES = 16
_MOST_WORKERS = 4
_LEAST_PATIENCE = 5.0  # seconds, beyond what the whole of the watched run took, in which a fork must make its first step
_SHARE_OF_MEMORY = 0.5
_LONG_PATH = 30  # bytes; of about 107 that a socket's name may have, its folders in a trial and itself take 70


class Laboratory:
    """A context in which trials are run; it leaves no process and no file behind.

    `fork` False runs every trial afresh. `refusal` says why no fork was possible, once one has been wanted.
    """

    def __init__(self, target: launch.Target, limits: launch.Limits, control: Recording | None = None, fork: bool = True) -> None:
        if control is not None and not any(e.step for e in control.evaluations):
            limits = dataclasses.replace(limits, wait=0.0)  # a validation pass that never came is not awaited again
        self._target, self._limits, self._fork = target, limits, fork
        self.workers = _workers(control) if control is not None else 1
        self._patience = _LEAST_PATIENCE + (control.end.seconds if control is not None and control.end is not None else limits.seconds)
        self.threads = max(1, len(_cores()) // self.workers)
        self.refusal = "" if fork else "not wanted"
        self._trunk: Trunk | None = None
        self._planting = threading.Lock()
        self._folder = ""

    def __enter__(self) -> Laboratory:
        self._folder = tempfile.mkdtemp(prefix="nndoctor-trials-", dir=_temporary_folder())
        return self

    def __exit__(self, *error: object) -> None:
        if self._trunk is not None:
            self._trunk.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def control(self, on_record: Callable[[Any], None] | None = None) -> Recording:
        """The run as it is, without a trace like any trial."""
        return self._afresh((), on_record, threading.Event())

    def run(self, change: Change, on_record: Callable[[Any], None], enough: threading.Event) -> tuple[Recording, str]:
        """One trial, and the way in which it was run: "fork" or "fresh". Several threads may call this."""
        if not change.kind.starts:
            trunk = self._grown()
            if trunk is not None and trunk.left:
                made = trunk.run((change.spelling,), on_record, enough, self._patience)
                if made is not None:
                    return made, "fork"
                self.refusal = "a forked run did not move"
        return self._afresh((change.spelling,), on_record, enough), "fresh"

    def _afresh(self, changes: tuple[str, ...], on_record: Callable[[Any], None] | None, enough: threading.Event) -> Recording:
        with tempfile.TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as scratch:
            trial = launch.Trial(changes, self.threads, scratch)
            return launch.watch(self._target, self._limits, on_record, None, trial, enough)

    def _grown(self) -> Trunk | None:
        """The trunk, grown at the first call; None where it cannot be forked."""
        with self._planting:
            if self._trunk is None and not self.refusal:
                limits = dataclasses.replace(self._limits, timeout=max(self._limits.timeout, 600.0))
                self._trunk = Trunk(self._target, limits, tempfile.mkdtemp(dir=self._folder), _MOST_BRANCHES)
                self.refusal = self._trunk.refusal
            return self._trunk if not self.refusal else None


def _temporary_folder() -> str | None:
    """Where the trials' files go; a short path, as the sockets of worker processes, whose names are limited, go there, too."""
    usual = tempfile.gettempdir()
    return "/tmp" if len(os.fsencode(usual)) > _LONG_PATH and os.access("/tmp", os.W_OK | os.X_OK) else None


def _workers(control: Recording) -> int:
    """Trials at a time: one a core, as far as memory reaches; one on a GPU."""
    if control.header.device != "cpu":
        return 1
    room = len(_cores())
    peak = control.end.peak_memory if control.end is not None else 0
    if peak:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        room = min(room, int(memory * _SHARE_OF_MEMORY / peak))
    return max(1, min(room, _MOST_WORKERS))


def _cores() -> list[int]:
    affinity = getattr(os, "sched_getaffinity", None)
    return list(affinity(0)) if affinity is not None else list(range(os.cpu_count() or 1))
