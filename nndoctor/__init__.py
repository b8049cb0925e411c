"""nndoctor: a command-line doctor for PyTorch training runs. From Python: `check` a script, or `watch` a block of your own."""

from __future__ import annotations

from nndoctor.version import __version__

TYPE_CHECKING = False  # `typing` may not be imported here: see `probe/child.py`; type checkers know this name
if TYPE_CHECKING:
    from typing import Any

    from nndoctor.api import Watching, check, watch
    from nndoctor.errors import FileError, NndoctorError, UsageError
    from nndoctor.outcome import Report

__all__ = ["FileError", "NndoctorError", "Report", "UsageError", "Watching", "__version__", "check", "watch"]

# Imported when they are asked for: whoever imports a room of this package, the watched child above all, loads no more than that.
_HOMES = {
    "check": "nndoctor.api", "watch": "nndoctor.api", "Watching": "nndoctor.api", "Report": "nndoctor.outcome",
    "NndoctorError": "nndoctor.errors", "UsageError": "nndoctor.errors", "FileError": "nndoctor.errors",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
