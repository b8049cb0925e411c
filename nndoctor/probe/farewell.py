"""How the child process ends: at once, but with its output flushed and what it has started ended.

Imported before the script's first line: only modules may be imported here that plain Python has loaded by then.
"""

from __future__ import annotations

import _thread
import os
import sys
import time

TYPE_CHECKING = False  # `typing` would be a module too many; type checkers know this name
if TYPE_CHECKING:
    from typing import Any, NoReturn

MAIN_THREAD = _thread.get_ident()  # the only one that imports this
_FAREWELL = 2.0  # seconds for the workers to end in
end_process = os._exit  # the script meets another by this name: see `leave_at_once` in `run.py`


def leave(code: int) -> NoReturn:
    """Leave without Python's farewell, but with the output flushed and the worker processes ended."""
    try:
        _thread.start_new_thread(_exit_after, (_FAREWELL, code))
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        _end_workers()
    finally:
        end_process(code)


def _exit_after(seconds: float, code: int) -> None:
    time.sleep(seconds)
    end_process(code)


def _end_workers() -> None:
    """End the processes of multiprocessing, and do what it does at exit: else its tracker warns of leaked semaphores."""
    multiprocessing = sys.modules.get("multiprocessing")
    util: Any = sys.modules.get("multiprocessing.util")
    if multiprocessing is None or util is None:
        return
    import signal

    if _thread.get_ident() == MAIN_THREAD:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler raises where a loader's worker is terminated
    for process in multiprocessing.active_children():
        process.terminate()
    util._exit_function()


class NoInterrupt:
    """Ctrl-C is ignored meanwhile: the end must be written whole."""

    def __enter__(self) -> None:
        import signal

        self._handler = None
        try:
            # None where the handler in force is not Python's, which could not be put back.
            if signal.getsignal(signal.SIGINT) is not None:
                self._handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        except ValueError:  # not the main thread, in which alone KeyboardInterrupt is raised
            pass

    def __exit__(self, *error: object) -> None:
        import signal

        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
