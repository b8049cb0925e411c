"""Whether a running script can be forked: what a copy of the process would be without."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import torch


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
