"""The user's line, with two lines around it, read from the file that the recording names."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from rich.text import Text

from nndoctor.findings.sources import find_source, source_lines
from nndoctor.record.model import Place
from nndoctor.report.words import clean

CONTEXT = 2


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
