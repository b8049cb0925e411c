"""Several processes of one training, as each of them tells the others through files of a folder. `team.py` is the parent's side.

Imported before the script's first line: only modules may be imported here that plain Python has loaded by then.
"""

from __future__ import annotations

import os

_ALONE = 5.0  # seconds for a process to end by itself once another one of its training has ended


class Peers:
    """The processes that leave what they have seen in `folder`."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._alone: float | None = None  # since when another process of this training has ended

    def own_file(self) -> int:
        """Where a process writes that the watched run has started."""
        try:
            return os.open(f"{self.folder}/{os.getpid()}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError:  # the parent is gone, and the run with it in a moment
            return os.open(os.devnull, os.O_WRONLY)

    def tell(self, reason: str) -> None:
        """The first process that ends leaves its reason: the others may wait for it in vain, and are ended soon."""
        try:
            fd = os.open(f"{self.folder}/over", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:  # it is not the first, or the only one
            return
        os.write(fd, reason.encode())
        os.close(fd)

    def are_over(self, now: float) -> bool:
        """Whether another process of this training has ended a while ago. `now` in seconds, of one clock."""
        if self._alone is None and os.path.exists(f"{self.folder}/over"):
            self._alone = now
        return self._alone is not None and now > self._alone + _ALONE

    def leave_mark(self) -> None:
        """Called in a forked process that trains: nobody watches it, and the report must say so."""
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            os.close(os.open(f"{self.folder}/{os.getpid()}.forked", os.O_WRONLY | os.O_CREAT, 0o600))
        except OSError:
            return
