"""Trials by fork: one run of the script up to its first training forward, from which each trial grows.

Imports, data and model are shared; the child's side is `run.py` (`_branch`) and `branch.py`. Where the process cannot be forked
safely, `refusal` says why, and trials are run afresh. Imports no torch.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from nndoctor.probe.launch import Limits, Output, Records, Target, kill_tree, start
from nndoctor.record.model import End, Recording

_PATIENCE = 120.0  # seconds for the script to come to its first training forward


class Trunk:
    """A process that waits at its first training forward. Close it when the last trial is over."""

    def __init__(self, target: Target, limits: Limits, scratch: str, most: int) -> None:
        self._target, self._limits = target, limits
        answered, answers = os.pipe()
        orders, self._orders = os.pipe()
        pipes = [os.pipe() for _ in range(most)]
        self._branches = [r for r, _ in pipes]
        self._answered = answered
        given = [orders, answers, *(w for _, w in pipes)]
        role = f"orders={orders} answers={answers} branches={','.join(str(w) for _, w in pipes)} scratch={scratch}"
        try:
            self._process, recorded, printed = start(target, limits, role, scratch, given)
        finally:
            for fd in given:
                os.close(fd)
        self._records = Records(recorded, target, limits, None)
        self._output = Output(printed, None)
        self._ordering = threading.Lock()
        self._made = 0
        self.refusal = self._first_answer()

    def _first_answer(self) -> str:
        ready, _, _ = select.select([self._answered], [], [], min(_PATIENCE, self._limits.timeout))
        said = self._answer() if ready else ""
        return "" if said == "ready" else said or "the script did not come to a forward of a module with gradients"

    @property
    def left(self) -> int:
        """How many more trials it can grow."""
        return len(self._branches) - self._made

    def run(
        self, changes: tuple[str, ...], on_record: Callable[[Any], None] | None, enough: threading.Event, patience: float
    ) -> Recording | None:
        """One trial, as `launch.watch` runs it; None where it made no step for `patience` seconds. Several threads may call this.

        It runs on one thread: the workers of OpenMP do not outlive a fork, and a copy that wants them waits for ever.
        Other libraries may have such workers, too.
        """
        with self._ordering:
            number, self._made = self._made, self._made + 1
            os.write(self._orders, f"{number} 1 {','.join(changes)}\n".encode())
            answer = self._answer()
        started = time.monotonic()
        records = Records(self._branches[number], self._target, self._limits, on_record)
        in_time = _wait(int(answer), records, started + self._limits.timeout, enough, started + patience) if answer else True
        records.close()
        if in_time is None:
            return None
        reason = "lost" if in_time else "timeout"
        end = records.end or End(reason, records.steps, records.backwards, 0, records.seconds, time.monotonic() - started)
        recording = records.finish(end)
        if records.failure is not None:
            raise records.failure
        return recording

    def _answer(self) -> str:
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self._answered, 1)
            if not byte:
                return ""
            line += byte
        return line.decode().strip()

    def close(self) -> None:
        """End the process, and with it every trial that still runs."""
        kill_tree(self._process)
        for fd in (self._orders, self._answered, *self._branches[self._made :]):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._records.close()
        self._output.close()


def _wait(pid: int, records: Records, deadline: float, enough: threading.Event, first_step: float) -> bool | None:
    """Until the trial's pipe is closed. Past the deadline it is killed: False; where it has not moved by `first_step`: None."""
    told = False
    while not records.over.wait(0.05):
        now = time.monotonic()
        stuck = now > first_step and not records.steps and not records.backwards
        with contextlib.suppress(ProcessLookupError):
            if now > deadline or records.timed_out or stuck:
                os.kill(pid, signal.SIGKILL)
                return None if stuck else records.timed_out
            if enough.is_set() and not told:
                told = True
                os.kill(pid, signal.SIGUSR2)
    return True
