"""A log of any known kind, by what it is."""

from __future__ import annotations

from pathlib import Path

from nndoctor.errors import FileError
from nndoctor.logs.events import is_events, read_events
from nndoctor.logs.model import Table
from nndoctor.logs.text import read_text


def read_log(path: Path) -> Table:
    """The log at a path: a text file, an event file of TensorBoard, or a directory of them. Raises FileError."""
    if not path.exists():
        raise FileError(f"{path}: no such file")
    return read_events(path) if path.is_dir() or is_events(path) else read_text(path)
