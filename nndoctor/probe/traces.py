"""What an exception says to the parent and to the user: the lines of the script, without those of the watch around it."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from traceback import TracebackException
from types import FrameType, TracebackType
from typing import Any

from nndoctor.probe.where import is_user_file, place_of, shown_path
from nndoctor.record.model import Place

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# These hand a call of the script's on to native code, which has no frame of its own: what it raises ends in them.
_PASSING = frozenset({"__torch_function__", "item", "question"})
_LONGEST_ERROR, _LONGEST_TRACEBACK = 2_000, 20_000  # characters; some messages hold a whole state dict


def described(error: BaseException) -> dict[str, Any]:
    """An exception as fields of End: its message, its traceback with the user's lines only, and the innermost line."""
    report = traceback.TracebackException.from_exception(error)
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if is_user_file(frame.f_code.co_filename):
            place = Place(shown_path(frame.f_code.co_filename), line, frame.f_code.co_name)
    if isinstance(error, SyntaxError) and error.filename and error.lineno and is_user_file(error.filename):
        place = Place(shown_path(error.filename), error.lineno)
    message = "".join(report.format_exception_only()).strip()
    if isinstance(error, SyntaxError):
        message = message.splitlines()[-1]  # its first lines show the source
    return {
        "error": message[:_LONGEST_ERROR],
        "traceback": _with_lines_of(report, is_user_file)[-_LONGEST_TRACEBACK:],
        "place": place,
    }


def _with_lines_of(report: TracebackException, is_wanted: Callable[[str], bool]) -> str:
    """The traceback as Python prints it, with the frames of some files only; also those of its causes."""
    waiting, seen = [report], set()
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            one.stack[:] = [f for f in one.stack if is_wanted(f.filename)]
            waiting += [e for e in (one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or ())) if e]
    return "".join(report.format() if report.stack else report.format_exception_only())


def stuck(frame: FrameType | None) -> dict[str, Any]:
    """Where the script is just now, as fields of End."""
    frames = [f for f, _ in traceback.walk_stack(frame) if is_user_file(f.f_code.co_filename)]
    stack = traceback.StackSummary.extract((f, f.f_lineno) for f in reversed(frames))
    text = "".join(stack.format())[-_LONGEST_TRACEBACK:]
    return {"traceback": text, "place": place_of(frames[0] if frames else None)}


def hide_our_frames(hook: Callable[..., object]) -> None:
    """Have the exception that now leaves the process shown as Python, or the script's own hook, would: without us."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.excepthook = hook
        strip(error)
        hook(kind, error, error.__traceback__)

    sys.excepthook = show


def strip(error: BaseException) -> None:
    """Take the frames of this package out of the tracebacks of an exception and of all that it came from.

    Those at the inner end stay, if the script's come before them: the fault may be this package's own, and is not hidden.
    """
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        frames = []
        trace = one.__traceback__
        while trace is not None:
            frames.append(trace)
            trace = trace.tb_next
        foreign = [not f.tb_frame.f_code.co_filename.startswith(_PACKAGE) for f in frames]
        for i in range(2, len(frames)):
            if not foreign[i] and frames[i - 1].tb_frame.f_code.co_name == "handle_torch_function":
                foreign[i - 2 : i] = [False, False]  # torch's way to our mode, and the function that took it: it stands below once more
        while frames and not foreign[-1] and frames[-1].tb_frame.f_code.co_name in _PASSING:
            del frames[-1], foreign[-1]
        inner = len(frames) - foreign[::-1].index(True) if True in foreign else len(frames)
        for i in reversed(range(len(frames))):
            if foreign[i] or i >= inner:
                frames[i].tb_next = trace
                trace = frames[i]
        one.__traceback__ = trace
        waiting += [e for e in (one.__cause__, one.__context__, *getattr(one, "exceptions", ())) if e is not None]
