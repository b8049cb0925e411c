"""The user's line, with two lines around it, read from the file that the recording names."""

from __future__ import annotations

import textwrap

from rich.text import Text

from nndoctor.findings.sources import find_source, source_lines
from nndoctor.record.model import Place
from nndoctor.report.words import clean

CONTEXT = 2


def code_frame(place: Place, script: str) -> list[Text]:
    """Numbered lines with a marker at the one to blame; empty where the file or the line is not there."""
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
    margin = len(str(end))
    frame = []
    for number, line in enumerate(shown, first + 1):
        guilty = number == place.line
        frame.append(
            Text.assemble(
                ("▸ " if guilty else "  ", "bold red"),
                (f"{number:>{margin}} │ ", "dim"),
                (line, "bold" if guilty else "dim"),
                no_wrap=True,
                overflow="ellipsis",
            )
        )
    return frame
