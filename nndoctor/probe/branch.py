"""A running script is forked into trials, where it can be: what would a copy of the process be without?"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Trial:
    """What a fork is to try. `fd` is its own pipe; a thread count of 0 leaves that of the run."""

    number: int
    threads: int
    changes: list[str]
    fd: int


def take_orders(role: Mapping[str, str], fork: Callable[[], int]) -> Trial | None:
    """Fork for every order that comes. Returns in each fork, with its trial; in this process at the end, with None.

    `role` is as in `child.py`, and `fork` does what os.fork does.
    """
    orders, answers = int(role["orders"]), int(role["answers"])
    branches = [int(fd) for fd in role["branches"].split(",")]
    reason = why_not_fork()
    os.write(answers, f"{reason or 'ready'}\n".encode())
    while not reason and (order := _line(orders)):
        number, threads, changes = order.split()
        pid = fork()
        if pid == 0:
            own = branches.pop(int(number))
            for other in (orders, answers, *branches):
                os.close(other)
            return Trial(int(number), int(threads), changes.split(","), own)
        os.close(branches[int(number)])  # the trial's end of the pipe is the only one
        branches[int(number)] = os.open(os.devnull, os.O_WRONLY)
        os.write(answers, f"{pid}\n".encode())
    return None


def _line(fd: int) -> str:
    """The next line from a pipe, without its end; "" where the other side has closed it."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(fd, 1)
        if not byte:
            return ""
        line += byte
    return line.decode().rstrip("\n")


def why_not_fork() -> str:
    """A reason against it in a few words, without blanks at the ends; "" where nothing speaks against it.

    Threads do not outlive a fork, a CUDA context does not work in two processes, and a loader's workers would answer
    two masters. The autograd engine starts no thread for the CPU before a graph needs another device.
    """
    if not hasattr(os, "fork") or sys.platform == "darwin":  # system libraries there do not survive it
        return "no safe fork on this system"
    if torch.cuda.is_initialized():
        return "CUDA is in use"
    if threading.get_ident() != threading.main_thread().ident:
        return "training runs in a thread"
    multiprocessing: Any = sys.modules.get("multiprocessing")
    if multiprocessing is not None and multiprocessing.active_children():
        return "the script has worker processes"
    if threading.active_count() > 1:
        return "the script has threads of its own"
    return ""
