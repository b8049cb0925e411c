"""What the child process says: records on their way to the parent, or to the file of a process that the watched run has started.

Imported before the script's first line: only modules may be imported here that plain Python has loaded by then.
"""

from __future__ import annotations

import _thread
import os

from nndoctor.probe.farewell import end_process

TYPE_CHECKING = False  # `typing` would be a module too many; type checkers know this name
if TYPE_CHECKING:
    from typing import Any


class Stream:
    """Lines of a recording, kept until they are written. `repeats`: each trial that is forked says first what was said so far."""

    def __init__(self, fd: int, repeats: bool) -> None:
        self._fd = fd
        self._lines: list[str] = []  # encoded, not yet written
        self._kept: list[str] | None = [] if repeats else None
        self._writing = _thread.allocate_lock()
        self.unwritten = ""  # why a record is missing
        self.silent = False  # nothing more is taken: after End, and in every forked child
        os.set_inheritable(fd, False)

    def emit(self, record: Any) -> None:
        """Take a record, which is written at the next tick of the clock. Any thread may call this."""
        if self.silent:
            return
        try:
            from nndoctor.record.codec import encode

            line = encode(record)
        except Exception as error:  # the caller may be in the midst of the script: tell it at the end
            self.unwritten = self.unwritten or f"{type(record).__name__} was not written: {type(error).__name__}: {error}"
            return
        self._lines.append(line)
        if self._kept is not None:
            self._kept.append(line)

    def write(self) -> None:
        """Write the waiting lines. Only the clock and the one that closes come here, so no signal handler of the
        script can break a line in two: Python runs them in the main thread.
        """
        with self._writing:
            count = len(self._lines)
            data = memoryview("".join(line + "\n" for line in self._lines[:count]).encode())
            del self._lines[:count]  # one list for good: another thread may be appending
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:
                end_process(1)  # the parent is gone, and with it the reason to go on

    def fall_silent(self) -> None:
        """In a forked child, which has nothing to say."""
        self.silent = True
        self._lines.clear()
        if self._fd >= 0:  # else a child of such a child, where the number may mean another file
            os.close(self._fd)
            self._fd = -1

    def turn_to(self, fd: int) -> None:
        """In a forked trial: to a pipe of its own, from the first record on."""
        os.close(self._fd)
        self._fd = fd
        self._lines[:], self._kept = self._kept or [], None
        self._writing = _thread.allocate_lock()
