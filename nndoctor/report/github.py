"""Workflow commands of GitHub Actions: each finding as an annotation on the line of the pull request.

The runner reads one command a line. Whatever comes from the user's program is escaped, so that it can end no command and
begin none.
"""

from __future__ import annotations

from nndoctor.diagnosis.model import Diagnosis, Suspect
from nndoctor.findings.sources import find_source, project_path
from nndoctor.record.model import Place
from nndoctor.report.finding import heading, message
from nndoctor.report.suspects import unused
from nndoctor.report.words import clean

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def render(diagnosis: Diagnosis) -> str:
    """A line for each finding that is not known, for each comment that silences nothing, and where there is no diagnosis."""
    script = diagnosis.recording.header.script
    lines = [_annotation(s, script) for s in diagnosis.suspects if not s.known]
    for comment in diagnosis.unused_comments:
        lines.append(_command("notice", comment.place, script, "Unused comment", unused(comment)))
    if diagnosis.verdict == "inconclusive":
        lines.append(_command("error", Place(script, 0), script, "No diagnosis", "\n".join(map(clean, diagnosis.reasons))))
    return "".join(f"{line}\n" for line in lines)


def _annotation(suspect: Suspect, script: str) -> str:
    place = suspect.location or Place(script, 0)
    return _command(_COMMANDS[suspect.severity], place, script, heading(suspect), "\n".join(message(suspect)))


def _command(name: str, place: Place, script: str, title: str, words: str) -> str:
    """One command; without a file where there is none, without a line where that is 0."""
    properties = {"title": title}
    if find_source(place.file, script) is not None:
        line = {"line": str(place.line)} if place.line > 0 else {}
        properties = {"file": project_path(place.file, script), **line, **properties}
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {given}::{_data(words)}"


def _data(text: str) -> str:
    """A message with the characters that would end it spelt out."""
    known = text.encode("utf-8", "replace").decode("utf-8")
    return known.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """The same for a property, which ends at a comma or a colon, too."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
