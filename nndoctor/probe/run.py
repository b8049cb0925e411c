"""The watched run, in the child process: its clock, its one end, and the trials that it is forked into.

Imported before the script's first line: only modules may be imported here that plain Python has loaded by then.
"""

from __future__ import annotations

import _thread
import os
import sys
import time

from nndoctor.probe import farewell
from nndoctor.probe.clock import Clock
from nndoctor.probe.finder import TorchFinder
from nndoctor.probe.peers import Peers
from nndoctor.probe.stream import Stream

TYPE_CHECKING = False  # `typing` would be a module too many; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from typing import Any, NoReturn

    from nndoctor.probe.attach import Watch
    from nndoctor.probe.scratch import Scratch
    from nndoctor.probe.workers import Workers


class Run:
    """The watched run. `role` is as in `child.py`; within `own_imports()` modules of this package can be imported. `given` are the
    numbers from `steps` on as the command line has them, for the processes that this one starts.
    """

    def __init__(
        self, fd: int, steps: int, seconds: float, grace: float, wait: float, timeout: float, training: int, role: dict[str, str],
        own_imports: Callable[[], AbstractContextManager[None]], given: Sequence[str],
    ) -> None:  # fmt: skip
        self._role = role
        self._own_imports = own_imports
        self._given = list(given)
        folder = bytes.fromhex(role.get("ranks") or role.get("worker") or "").decode()
        self._peers = Peers(folder) if folder else None
        self._trial = "scratch" in role
        self._workers: Workers | None = None
        self._stream = Stream(self._peers.own_file() if self._peers and "worker" in role else fd, "branches" in role)
        self._forking = False  # a trunk makes a trial of its copy
        self._steps, self._seconds, self._grace, self._timeout = steps, seconds, grace, timeout
        # Of several processes that train together perhaps only one validates.
        self._wait = 0.0 if "worker" in role else wait
        self._training = training  # of the script: the one to watch, from 1, or 0
        self._started = time.monotonic()
        self._directory = os.getcwd()
        self._parent = os.getppid()
        self._watch: Watch | None = None
        self._scratch: Scratch
        self._closing = _thread.RLock()
        self._closed = False  # End is on its way: no second one
        self._clock = Clock(self._tick)

    # --- the beginning --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take up everything that must be in place before the script's first line."""
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._after_fork_in_child
        )
        if self._trial:
            self._begin_trial()
        os._exit = self.leave_at_once
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(line_buffering=True)
        self._clock.start()
        if "torch" in sys.modules:  # by sitecustomize or a .pth file
            self._install()
        else:
            sys.meta_path.insert(0, TorchFinder(self._install))

    def _install(self) -> None:
        """Called once, when torch has been imported completely."""
        if self._stream.silent:
            return
        known = set(sys.modules)
        try:
            with self._own_imports():
                from nndoctor.probe.attach import Watch
            watch = Watch(self._stream.emit, self._steps, self._seconds, self._grace, self._wait, self.stop, self._directory, self._training)
            watch.install()
            if self._peers and "ranks" in self._role:
                with self._own_imports():
                    self._watch_workers(watch, self._peers.folder)
            if self._trial:
                with self._own_imports():
                    self._change(watch)
            # What torch had not imported would stand in for a file of that name beside the script.
            for name in set(sys.modules) - known:
                if name.partition(".")[0] in sys.stdlib_module_names:
                    del sys.modules[name]
        except Exception as error:
            # Half a watch would be taken for a sick run: say that none was possible, and end.
            import traceback

            traceback.print_exc()
            self._close("error", exit_code=1, error=f"torch cannot be watched: {type(error).__name__}: {error}")
            farewell.leave(1)
        self._watch = watch

    def _watch_workers(self, watch: Watch, folder: str) -> None:
        """Have the processes watched, too, that this one starts to train in."""
        from nndoctor.probe.workers import Workers

        command = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "child.py"), "0", *self._given, f"worker={self._role['ranks']}"]
        self._workers = Workers(folder, command)
        watch.watch_workers(self._workers)

    # --- the end --------------------------------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """End the run at once, whatever the script is doing; a limit was reached.

        By os._exit: an exception would be swallowed by a bare `except:`, and a signal may be handled. Returns where
        there is nothing to stop: in a forked child, which is no run of its own, and once the script has ended by itself.
        """
        try:
            if not self._close(reason):
                return
        except BaseException:
            # A fault of ours. The caller is in the midst of the script, which might swallow it and run on for ever.
            import traceback

            traceback.print_exc()
            farewell.leave(1)
        farewell.leave(0)

    def leave(self, reason: str, **fields: Any) -> None:
        """The main module's code is done: write the end, now or once the last thread has ended that Python waits for."""
        threading = sys.modules.get("threading")
        main = _thread.get_ident()
        if threading is not None and any(not t.daemon and t.ident != main for t in threading.enumerate()):
            # Registered last, so called first, between the end of the threads and the script's own atexit functions.
            import atexit

            atexit.register(self._close, reason, **fields)
        else:
            self._close(reason, **fields)
            if self._trial:
                farewell.leave(0)  # what the script's own farewell does is done once, by the run that is no trial

    def leave_at_once(self, status: int) -> NoReturn:
        """os._exit: what was seen is written, and the process ends as the script wants it to."""
        try:
            self._close("exit", exit_code=int(status) & 0xFF)
        finally:
            farewell.end_process(status)

    def _close(self, reason: str, **fields: Any) -> bool:
        """Write what is summed up at the end, and the End. Whether this call did: the first one does, others wait."""
        if self._stream.silent or not self._closing.acquire(blocking=not self._clock.is_here()):
            return False  # the clock must not wait for one that will wait for the clock
        try:
            if self._closed:
                return False
            self._closed = True
            with farewell.NoInterrupt():
                self._sum_up(reason, fields)
            return True
        finally:
            self._closing.release()

    def _sum_up(self, reason: str, fields: dict[str, Any]) -> None:
        with self._own_imports():
            from nndoctor.record import codec  # noqa: F401  (for `emit`)
            from nndoctor.record.model import End, Problem
        total = time.monotonic() - self._started
        if self._watch is None:
            self._stream.emit(End(reason, 0, 0, 0, 0.0, total, **fields))
        else:
            try:
                self._watch.finish()
            except Exception as error:  # where the clock sums up, the script's thread runs on: better an End than none
                fields.setdefault("error", f"the summary is incomplete: {type(error).__name__}: {error}")
            if self._stream.unwritten:
                self._stream.emit(Problem("the recording", self._stream.unwritten))
            self._stream.emit(self._watch.end(reason, total_seconds=total, **fields))
        if self._workers is not None:
            self._workers.note_ends()
        self._stream.silent = True
        self._clock.end()
        self._stream.write()
        ended_well = reason == "finished" or (reason == "exit" and not fields.get("exit_code"))
        if self._peers and not ended_well and self._watch is not None and self._watch.session.steps_made:
            self._peers.tell(reason)

    # --- meanwhile ------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._stream.write()
        now = time.monotonic()
        if os.getppid() != self._parent:
            farewell.end_process(1)
        if self._peers and self._peers.are_over(now):
            self.stop("peer")
        # Both are last resorts: the watch ends the run at its limit unless the script is stuck in something unseen.
        overdue = self._watch.overdue() if self._watch is not None else None
        if overdue is not None:
            self.stop(overdue)
        elif now > self._started + self._timeout:
            # The parent ends the process, and with it all that it has started.
            message = f"still running after {self._timeout:g} s"
            with self._own_imports():
                from nndoctor.probe import traces
            self._close("timeout", error=message, **traces.stuck(sys._current_frames().get(farewell.MAIN_THREAD)))

    def _before_fork(self) -> None:
        self._clock.rest()  # the clock of just now: a trial has one of its own

    def _after_fork(self) -> None:
        self._clock.resume()
        if self._watch is not None and not self._forking:
            self._watch.note_fork()

    def _after_fork_in_child(self) -> None:
        """A forked child is a worker, or a process that goes its own way: it has nothing to say to the parent."""
        if self._forking:
            return
        self._stream.fall_silent()
        self._clock.forget()
        if self._peers and self._watch is not None:
            self._watch.trains_unseen = self._peers.leave_mark

    # --- trials -----------------------------------------------------------------------------------------------------

    def _begin_trial(self) -> None:
        """Before the script's first line: what it writes goes to a scratch folder, and the parent may say that it is enough."""
        import _signal  # type: ignore[import-not-found]  # built in, so that it stands in the place of nobody's file

        _signal.signal(_signal.SIGUSR2, lambda *_: self.stop("enough"))
        with self._own_imports():
            from nndoctor.probe import scratch

            self._scratch = scratch.enter(self._role["scratch"], "confined" in self._role)

    def _change(self, watch: Watch) -> None:
        """Once torch is there."""
        self._scratch.patch_torch()
        if "branches" in self._role:
            watch.allow_changes(self._branch)
        else:
            watch.allow_changes()
            watch.begin([c for c in self._role["changes"].split(",") if c], int(self._role["threads"]))

    def _branch(self) -> None:
        """A trunk's first training forward: fork a trial for every order that comes; the trial returns from here."""
        with self._own_imports():
            from nndoctor.probe.branch import take_orders

        trial = take_orders(self._role, self._fork)
        if trial is None:
            farewell.leave(0)
        self._become(trial.fd)
        self._scratch.fork(str(trial.number))
        assert self._watch is not None
        self._watch.open_eyes()
        self._watch.begin(trial.changes, trial.threads)

    def _fork(self) -> int:
        """As os.fork, for a copy that is watched as well."""
        self._forking = True
        pid = os.fork()
        self._forking = False
        return pid

    def _become(self, fd: int) -> None:
        """Be a trial from here on: with a pipe, a clock and a time of its own."""
        self._stream.turn_to(fd)
        self._parent = os.getppid()
        self._started = time.monotonic()
        self._role = {"changes": ""}
        self._closing = _thread.RLock()
        self._clock.forget()
        self._clock = Clock(self._tick)
        self._clock.start()
