"""Warnings are the script's: one that would name a wrapper of this package names the line that called it, and what the watch
itself brings about stays unsaid.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from torch.overrides import handle_torch_function

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_ASKING = handle_torch_function.__code__


def moved(watching: CodeType, old: Callable[[Any], None]) -> Callable[[Any], None]:
    """`warnings._showwarnmsg`, through which every warning goes on its way to the screen, to a log or to a list.

    `watching` is the function in which this package looks at things.
    """

    def show(message: Any) -> None:
        if _is_below(watching) or (message.filename.startswith(_PACKAGE) and not _move(message)):
            return
        old(message)

    return show


def _is_below(code: CodeType) -> bool:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None


def _move(message: Any) -> bool:
    """Give a warning the place of the caller. False where that place has given it already and is to do so once."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename != message.filename:
        frame = frame.f_back
    if frame is None:
        return True
    ours, caller = frame.f_globals.get("__warningregistry__"), _caller(frame)
    if caller is None:
        return True
    known = (str(message.message), message.category, message.lineno)
    message.filename, message.lineno = caller.f_code.co_filename, caller.f_lineno
    if ours is None or not ours.pop(known, False):
        return True  # every time
    registry = caller.f_globals.setdefault("__warningregistry__", {})
    own = (*known[:2], message.lineno)
    told, registry[own] = registry.get(own, False), True
    return not told


def _caller(frame: FrameType) -> FrameType | None:
    """The next frame outside that would be there unwatched: torch's way to a function mode, and who asked for it, would not."""
    caller: FrameType | None = frame
    while caller is not None and (caller.f_code.co_filename.startswith(_PACKAGE) or caller.f_code is _ASKING):
        asked = caller.f_code is _ASKING
        caller = caller.f_back
        if asked and caller is not None:
            caller = caller.f_back
    return caller
