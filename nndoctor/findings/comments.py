"""Comments that silence a finding on the line they stand on: `# nndoctor: ignore[loss-input]`, or all without brackets.

A comment speaks for its own line; on the first or last line of a statement it speaks for the whole of it, since what is
blamed for a call over several lines may be any of them.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import re
import tokenize
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from nndoctor.diagnosis.model import Diagnosis, Suspect, UnusedComment
from nndoctor.findings.sources import find_source, source_lines
from nndoctor.record.model import Place, Recording

_FORM = re.compile(r"#\s*nndoctor:\s*ignore(?![\w-])\s*(?P<brackets>\[(?P<ids>[^\]]*)(?P<end>\]?))?")


@dataclass(frozen=True)
class Comment:
    """A comment that silences causes on some lines of a file."""

    path: Path  # resolved
    place: Place  # as reports name it
    words: str
    ids: tuple[str, ...]  # () for every cause
    mistake: str  # why it silences nothing, as it is written
    lines: frozenset[int]

    def names(self, cause: str) -> bool:
        """Whether it silences this cause."""
        return not self.mistake and (not self.ids or cause in self.ids)


class Comments:
    """All comments for us in the files that a recording speaks of."""

    def __init__(self, recording: Recording) -> None:
        self._script = recording.header.script
        files = {_resolved(name, self._script): name for name in _files(recording)}
        self.found = [c for path, name in files.items() if path is not None for c in read_comments(path, name)]

    def silence(self, suspect: Suspect) -> bool:
        """Whether a comment stands at the suspect's line and names its cause."""
        return any(comment.names(suspect.cause.id) for comment in self._at(suspect))

    def unused(self, diagnosis: Diagnosis, known: Collection[str], everything: bool) -> list[UnusedComment]:
        """The comments, and the ids in them, that silence nothing in this diagnosis (made before any was heeded).

        Only causes that were looked for can be missed: not those that the user left out (then `everything` is False), and
        none in a run of which nothing can be said. `known` are the ids of all causes.
        """
        if diagnosis.verdict == "inconclusive":
            return []
        suspects = [*diagnosis.suspects, *diagnosis.hidden]
        used = {(comment, s.cause.id) for s in suspects for comment in self._at(s)}
        looked_for = {s.cause.id for s in suspects} | {r.cause.id for r in diagnosis.ruled_out}
        return [
            UnusedComment(comment.place, comment.words, reason)
            for comment in self.found
            if (reason := _why_unused(comment, {cause for c, cause in used if c is comment}, looked_for, known, everything))
        ]

    def _at(self, suspect: Suspect) -> list[Comment]:
        place = suspect.location
        if place is None:
            return []
        path = _resolved(place.file, self._script)
        return [c for c in self.found if c.path == path and place.line in c.lines]


def read_comments(path: Path, name: str) -> list[Comment]:
    """The comments for us in one file; `name` is what reports call it."""
    lines = source_lines(path)
    spans = _statements("\n".join(lines))
    found = []
    for number, text in _comment_tokens(lines):
        form = _FORM.search(text)
        if form is None:
            continue
        ids = tuple(i.strip() for i in (form["ids"] or "").split(",") if i.strip())
        mistake = "" if not form["brackets"] else "the bracket is not closed" if not form["end"] else "" if ids else "the brackets are empty"
        covered = {number}.union(*(range(first, last + 1) for first, last in spans if number in (first, last)))
        found.append(Comment(path, Place(name, number), form[0].strip(), ids, mistake, frozenset(covered)))
    return found


def _comment_tokens(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Line and text of each comment: of real ones, not of strings that look like one."""
    if not any("nndoctor" in line for line in lines):
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError):  # edited since the run, and broken: what came before holds
        return


def _statements(text: str) -> list[tuple[int, int]]:
    """First and last line of each statement; of one with a body, of its head alone."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return []
    spans = []
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            spans.append((node.lineno, max(end, node.lineno)))
    return spans


def _why_unused(comment: Comment, used: set[str], looked_for: set[str], known: Collection[str], everything: bool) -> str:
    """What a comment is good for nothing by; empty where it is of use."""
    if comment.mistake:
        return comment.mistake
    if not comment.ids:
        return "" if used or not everything else "nothing was found there"
    unknown = [i for i in comment.ids if i not in known]
    idle = [i for i in comment.ids if i in looked_for and i not in used]
    words = [f"{', '.join(ids)} {what}" for ids, what in ((unknown, "is no cause"), (idle, "was not found there")) if ids]
    return "; ".join(words)


def _files(recording: Recording) -> list[str]:
    """The script and every file in which something that was recorded lies, each once."""
    names = [recording.header.script]
    for entry in dataclasses.fields(recording):
        records = getattr(recording, entry.name)
        for record in records if isinstance(records, list) else []:
            for where in (getattr(record, "place", None), getattr(record, "called", None)):
                if isinstance(where, Place):
                    names.append(where.file)
    # Where the script is named in two ways, places have the name that reports use.
    return list(dict.fromkeys(names))


def _resolved(name: str, script: str) -> Path | None:
    path = find_source(name, script)
    return path.resolve() if path is not None else None
