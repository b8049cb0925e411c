"""Which line of the user's own code is running: the innermost frame that is not a library's.

A file is a library's if it lies under Python's own folders, in site-packages, or in this package; everything else
is the user's. Judged once a file.
"""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from types import CodeType, FrameType

from nndoctor.probe.cells import cell_name
from nndoctor.record.model import Place

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_LIBRARIES = tuple(
    {os.path.realpath(p) + os.sep for k, p in sysconfig.get_paths().items() if k in ("stdlib", "platstdlib")}
    | {p + os.sep for k, p in sysconfig.get_paths().items() if k in ("stdlib", "platstdlib")}
)
_OPTIMIZED = 0x1  # a function: its variables are no dictionary (inspect.CO_OPTIMIZED)
_SNAPSHOTS = frozenset({"locals", "vars", "eval", "exec", "dir", "inspect", "sys"})
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


@lru_cache(maxsize=4096)
def is_user_file(filename: str) -> bool:
    """Whether a code object's file is the user's own."""
    if filename.startswith(("<frozen", "<string", "<__array", "<eval_with")):
        return False
    if filename.startswith(_OURS) or any(part in filename for part in _INSTALLED):
        return False
    return not filename.startswith(_LIBRARIES)


@lru_cache(maxsize=4096)
def _is_user_code(code: CodeType) -> bool:
    return is_user_file(code.co_filename)


def user_frame(depth: int = 1) -> FrameType | None:
    """The innermost frame of the user's code, None where the stack holds none."""
    return _user_frame_from(sys._getframe(depth))


def calling_user_frame(frame: FrameType) -> FrameType | None:
    """The user's frame that called this one, through whatever library."""
    return _user_frame_from(frame.f_back)


def _user_frame_from(frame: FrameType | None) -> FrameType | None:
    while frame is not None and not _is_user_code(frame.f_code):
        frame = frame.f_back
    return frame


@lru_cache(maxsize=4096)
def shown_path(filename: str) -> str:
    """The file as a person would name it: relative to the working directory where it lies below it, a notebook's cell by its number."""
    cell = cell_name(filename)
    if cell:
        return cell
    try:
        relative = os.path.relpath(filename, _start[-1])
    except (ValueError, OSError):
        return filename
    return filename if relative.startswith("..") else relative


_start = [os.getcwd()]


def set_start(directory: str) -> None:
    """The working directory that the run began in; the script may have changed it since."""
    if directory:
        _start.append(directory)
    shown_path.cache_clear()


def place_of(frame: FrameType | None) -> Place | None:
    """A frame as a place of the recording."""
    if frame is None:
        return None
    return Place(shown_path(frame.f_code.co_filename), frame.f_lineno, frame.f_code.co_name)


def user_place(depth: int = 2) -> Place | None:
    """Where the user's code is just now."""
    return place_of(user_frame(depth))


def user_lines(depth: int = 2, most: int = 8) -> tuple[tuple[str, int], ...]:
    """File and line of the innermost frames of the user's code, the innermost first: which call this is."""
    return tuple((frame.f_code.co_filename, frame.f_lineno) for frame in islice(_user_frames(user_frame(depth)), most))


def user_calls(depth: int = 2, most: int = 8) -> list[str]:
    """The text of the calls in the user's code that led here, the innermost first; whole lines before Python 3.11."""
    return [_call_text(frame) for frame in islice(_user_frames(user_frame(depth)), most)]


def _user_frames(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame, where it is the user's, and those of the user's that called it."""
    while frame is not None:
        if _is_user_code(frame.f_code):
            yield frame
        frame = frame.f_back


def _call_text(frame: FrameType) -> str:
    code = frame.f_code
    line = linecache.getline(code.co_filename, frame.f_lineno)
    if not hasattr(code, "co_positions"):
        return line
    first, last, start, end = next(islice(code.co_positions(), frame.f_lasti // 2, None))
    if first is None or first != last or start is None:
        return line
    # Columns count bytes.
    return linecache.getline(code.co_filename, first).encode()[start:end].decode(errors="replace")


def variable_name(value: object, frames: int = 4) -> str | None:
    """The user's name for an object: a variable, an attribute of `self`, or an element of a named container.

    Looks at the innermost `frames` user frames. Reads names only; no user code is called.
    """
    for frame in islice(_user_frames(user_frame(2)), frames):
        name = _name_in(frame.f_locals, value) or _name_in(frame.f_globals, value)
        owner = frame.f_locals.get("self")
        _forget_locals(frame)
        if name:
            return name
        attributes = getattr(owner, "__dict__", None) if owner is not None else None
        if isinstance(attributes, dict):
            for space in (attributes.get("_modules"), attributes.get("_parameters"), attributes):  # the last holds the others
                name = _name_in(space, value) if isinstance(space, dict) else None
                if name:
                    return name
    return None


def _forget_locals(frame: FrameType) -> None:
    """Drop the snapshot of a function's variables that reading `f_locals` leaves in the frame up to Python 3.12.

    It would keep the batch of this step alive. A function that may hold the snapshot itself, by `locals()` or the like, is left
    alone.
    """
    code = frame.f_code
    if sys.version_info < (3, 13) and code.co_flags & _OPTIMIZED and not _SNAPSHOTS & set(code.co_names):
        frame.f_locals.clear()


def _name_in(space: dict[str, object], value: object) -> str | None:
    containers = []
    for key, item in list(space.items()):
        if not isinstance(key, str) or key.startswith("__") or key == "self":
            continue
        if item is value:
            return key
        if type(item) in (list, tuple, dict) and 0 < len(item) < 2000:  # type: ignore[arg-type]
            containers.append((key, item))
    for key, box in containers:
        pairs = box.items() if isinstance(box, dict) else enumerate(box)  # type: ignore[arg-type]
        for inner, item in pairs:
            if item is value:
                return f"{key}[{inner!r}]"
    return None
