"""The user's line, with two lines around it, read from the file that the recording names."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from nndoctor.record.model import Place
from nndoctor.report.words import clean

CONTEXT = 2
_ENCODING = re.compile(rb"coding[:=]\s*([-\w.]+)")  # PEP 263, in one of the first two lines


def find_source(file: str, script: str) -> Path | None:
    """The file where it lies now: as named, from the working directory, or beside the script."""
    beside = Path(script).parent
    for candidate in (Path(file), beside / file, beside / Path(file).name):
        try:
            if candidate.is_file():
                return candidate
        except (OSError, ValueError):  # a name that no file can have, such as "<string>" with a null in it
            continue
    return None


def source_lines(path: Path) -> list[str]:
    """The lines of a Python file in its own encoding; unreadable bytes become a replacement character."""
    try:
        data = path.read_bytes()
    except OSError:
        return []
    declared = _ENCODING.search(b"\n".join(data.split(b"\n", 2)[:2]))
    encoding = declared.group(1).decode("ascii") if declared else "utf-8-sig"
    try:
        return data.decode(encoding, errors="replace").splitlines()
    except LookupError:
        return data.decode("utf-8", errors="replace").splitlines()


@dataclass(frozen=True)
class CodeLine:
    """One line of a frame; `guilty` is the one to blame."""

    number: int
    text: str
    guilty: bool


def frame_lines(place: Place, script: str) -> list[CodeLine]:
    """The line to blame with those around it; empty where the file or the line is not there."""
    path = find_source(place.file, script)
    lines = source_lines(path) if path is not None else []
    if not 1 <= place.line <= len(lines) or not lines[place.line - 1].strip():
        return []
    first, end = max(place.line - 1 - CONTEXT, 0), min(place.line + CONTEXT, len(lines))
    while not lines[first].strip():
        first += 1
    while not lines[end - 1].strip():
        end -= 1
    shown = textwrap.dedent("\n".join(clean(line).rstrip() for line in lines[first:end])).split("\n")
    return [CodeLine(number, line, number == place.line) for number, line in enumerate(shown, first + 1)]


def code_frame(place: Place, script: str) -> list[Text]:
    """Numbered lines with a marker at the one to blame; empty where the file or the line is not there."""
    lines = frame_lines(place, script)
    margin = len(str(lines[-1].number)) if lines else 0
    return [
        Text.assemble(
            ("▸ " if line.guilty else "  ", "bold red"),
            (f"{line.number:>{margin}} │ ", "dim"),
            (line.text, "bold" if line.guilty else "dim"),
            no_wrap=True,
            overflow="ellipsis",
        )
        for line in lines
    ]
