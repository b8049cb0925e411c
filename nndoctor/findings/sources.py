"""The user's files as they lie now: where one is found, what its lines are, and how the project calls it."""

from __future__ import annotations

import linecache
import os
import re
from pathlib import Path

from nndoctor.record.model import Place

_ENCODING = re.compile(rb"coding[:=]\s*([-\w.]+)")  # PEP 263, in one of the first two lines

_CELL = re.compile(r"In\[\d+\]")


def find_source(file: str, script: str) -> Path | None:
    """The file where it lies now: as named, from the working directory, or beside the script. A notebook's cell by its name."""
    beside = Path(script).parent
    for candidate in (Path(file), beside / file, beside / Path(file).name):
        try:
            if candidate.is_file():
                return candidate
        except (OSError, ValueError):  # a name that no file can have, such as "<string>" with a null in it
            continue
    return Path(file) if _cell_lines(Path(file)) else None


def source_lines(path: Path) -> list[str]:
    """The lines of a Python file in its own encoding; unreadable bytes become a replacement character."""
    try:
        data = path.read_bytes()
    except OSError:
        return _cell_lines(path)
    declared = _ENCODING.search(b"\n".join(data.split(b"\n", 2)[:2]))
    encoding = declared.group(1).decode("ascii") if declared else "utf-8-sig"
    try:
        return data.decode(encoding, errors="replace").splitlines()
    except LookupError:
        return data.decode("utf-8", errors="replace").splitlines()


def _cell_lines(path: Path) -> list[str]:
    """The lines of a notebook's cell (`In[3]`), which is no file, from Python's own cache while the notebook is open."""
    return [line.rstrip("\n") for line in linecache.getlines(path.name)] if _CELL.fullmatch(path.name) else []


def source_line(place: Place, script: str) -> str:
    """The text of one line without the blanks around it; empty where the file or the line is not there."""
    path = find_source(place.file, script)
    lines = source_lines(path) if path is not None else []
    return lines[place.line - 1].strip() if 1 <= place.line <= len(lines) else ""


def project_root() -> Path:
    """The nearest folder at or above the working directory that holds a repository; the working directory where none does.

    Forges name files from there, wherever in the repository a job runs.
    """
    here = Path.cwd()
    return next((d for d in (here, *here.parents) if (d / ".git").exists()), here)


def project_path(file: str, script: str) -> str:
    """The file as the project names it, with forward slashes: from its root where it lies below that, else absolute."""
    path = Path(os.path.abspath(find_source(file, script) or file))
    root = project_root()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
