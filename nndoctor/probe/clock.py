"""The clock of the child process.

Imported before the script's first line: only modules may be imported here that plain Python has loaded by then.
"""

from __future__ import annotations

import _thread

TYPE_CHECKING = False  # `typing` would be a module too many; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable

_TICK = 0.2  # seconds between two looks at the clock, and between two writes to the pipe


class Clock:
    """A thread that calls `tick` every so often, and is away while the process forks.

    A bare thread: one of `threading` would show in the script's `threading.enumerate()`, and the import would come too
    early. It rests during a fork because Python warns of forking with threads from 3.12 on, and because the child must
    not inherit a lock that this thread held.
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._forking = _thread.allocate_lock()  # two threads may fork at a time
        self._wake = self._gone = self._forking
        self._running = self._ended = False
        self._thread = 0

    def start(self) -> None:
        """Begin to tick."""
        self._wake, self._gone = _thread.allocate_lock(), _thread.allocate_lock()
        self._wake.acquire()
        self._gone.acquire()
        try:
            self._thread = _thread.start_new_thread(self._run, (self._wake, self._gone))
            self._running = True
        except RuntimeError:  # no thread starts once the interpreter shuts down; the end is written without ticks
            pass

    def is_here(self) -> bool:
        """Whether the caller is called by a tick."""
        return _thread.get_ident() == self._thread

    def rest(self) -> None:
        """Be away until `resume`; called before a fork."""
        self._forking.acquire()
        if self._running:
            self._running = False
            self._wake.release()
            self._gone.acquire()
            self._thread = 0

    def resume(self) -> None:
        """Go on after `rest`; called after a fork, in the parent."""
        if not self._ended:
            self.start()
        self._forking.release()

    def end(self) -> None:
        """Tick no more."""
        self._ended = True
        if not self.is_here():
            self.rest()
            self._forking.release()

    def forget(self) -> None:
        """The same in a forked child, where the thread is not, and whose own forks find a free lock."""
        self._ended = True
        self._forking = _thread.allocate_lock()

    def _run(self, wake: _thread.LockType, gone: _thread.LockType) -> None:
        try:
            while not wake.acquire(timeout=_TICK) and not self._ended:
                self._tick()
        finally:
            gone.release()
