"""The kernel's part of a trial that leaves no trace: writing is refused everywhere but in a few folders (Linux, Landlock).

What a script writes through Python is redirected (`scratch.py`); what C code and other programs write is refused here,
for the process and all that it starts, for good. https://docs.kernel.org/userspace-api/landlock.html

Run as a stage between the parent and the child, which it becomes: `python -I -S landlock.py FOLDER... -- COMMAND...`.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from functools import cache

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_NO_NEW_PRIVILEGES = 38  # prctl
_WRITE_FILE, _REFER, _TRUNCATE = 1 << 1, 1 << 13, 1 << 14
_MAKE_AND_REMOVE = sum(1 << bit for bit in range(4, 13))
# Devices take what is written to them and keep nothing; shared memory is what loaders' workers talk through.
_DEVICES, _SHARED = "/dev", "/dev/shm"


class _Beneath(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _call(number: int, *args: object) -> int:
    return int(ctypes.CDLL(None, use_errno=True).syscall(number, *args))


@cache
def version() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(_call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1)), 0)


def confine(folders: Sequence[str]) -> bool:
    """Refuse this process, from here on, to write anywhere but below these folders and to devices. False where it cannot be."""
    known = version()
    if not known:
        return False
    rights = _WRITE_FILE | _MAKE_AND_REMOVE | (_REFER if known >= 2 else 0) | (_TRUNCATE if known >= 3 else 0)
    handled = ctypes.c_uint64(rights)
    ruleset = _call(_CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(8), ctypes.c_uint32(0))
    if ruleset < 0:
        return False
    allowed = [(folder, rights) for folder in (*folders, _SHARED)]
    for folder, what in [*allowed, (_DEVICES, rights & (_WRITE_FILE | _TRUNCATE))]:
        if not os.path.isdir(folder):
            continue
        fd = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        rule = _Beneath(what, fd)
        _call(_ADD_RULE, ruleset, 1, ctypes.byref(rule), ctypes.c_uint32(0))
        os.close(fd)
    ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    done = _call(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)) == 0
    os.close(ruleset)
    return done


def command_prefix(folder: str, python: str) -> list[str]:
    """Words to put before a command so that it can write to this folder alone; none where the kernel cannot do it."""
    return [python, "-I", "-S", os.path.abspath(__file__), folder, "--"] if version() else []


def _main(argv: Sequence[str]) -> None:
    end = argv.index("--")
    confine(argv[1:end])
    os.execv(argv[end + 1], list(argv[end + 1 :]))


if __name__ == "__main__":
    _main(sys.argv)
