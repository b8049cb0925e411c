"""Findings that are known and do not fail a build: a file that a team keeps beside its code.

A finding is recognised by its fingerprint: the cause, the file and the text of the line, not its number. Who edits the
line is told again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from nndoctor.diagnosis.model import Diagnosis, Suspect
from nndoctor.errors import FileError
from nndoctor.findings.sources import project_path, source_line

# One line a version, newest last.
# 1: first format.
FORMAT = 1


def fingerprinted(diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis with a fingerprint on every suspect that is told or silenced."""
    script = diagnosis.recording.header.script
    suspects, silenced = (
        [replace(s, fingerprint=fingerprint(s, script)) for s in group] for group in (diagnosis.suspects, diagnosis.silenced)
    )
    return replace(diagnosis, suspects=suspects, silenced=silenced)


def fingerprint(suspect: Suspect, script: str) -> str:
    """32 hexadecimal digits for the cause, the file and the words of the line to blame; of the script where no line is."""
    place = suspect.location
    file = project_path(place.file if place is not None else script, script)
    words = " ".join(source_line(place, script).split()) if place is not None else ""
    parts = [part.encode("utf-8", "surrogateescape") for part in (suspect.cause.id, file, words)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def compared(diagnosis: Diagnosis, known: Collection[str]) -> Diagnosis:
    """The diagnosis with each suspect marked as known or new; takes the fingerprints of `fingerprinted`."""
    return replace(diagnosis, suspects=[replace(s, known=s.fingerprint in known) for s in diagnosis.suspects])


def written(diagnosis: Diagnosis) -> str:
    """A baseline that holds every suspect: JSON, in an order that does not depend on their rank."""
    script = diagnosis.recording.header.script
    entries = [_entry(s, script) for s in diagnosis.suspects]
    entries.sort(key=lambda entry: (entry["file"], entry["cause"]))
    return json.dumps({"nndoctor_baseline": FORMAT, "findings": entries}, indent=2, ensure_ascii=False) + "\n"


def _entry(suspect: Suspect, script: str) -> dict[str, Any]:
    """One finding; all but the fingerprint is for people who read the file."""
    place = suspect.location
    file = project_path(place.file if place is not None else script, script).encode("utf-8", "replace").decode("utf-8")
    return {
        "fingerprint": suspect.fingerprint,
        "cause": suspect.cause.id,
        "file": file,
        "line": source_line(place, script) if place is not None else None,
    }


def read_baseline(path: Path) -> frozenset[str]:
    """The fingerprints in a baseline. Raises FileError where the file is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise FileError(f"{path}: cannot be read: {e.strerror}; `nndoctor check --write-baseline {path}` writes one") from e
    except ValueError as e:
        raise FileError(f"{path}: not a baseline: {str(e).splitlines()[0]}") from e
    version = content.get("nndoctor_baseline") if isinstance(content, dict) else None
    if version != FORMAT:
        was = "not a baseline" if version is None else f"a baseline of format {version!r}, where {FORMAT} is known"
        raise FileError(f"{path}: {was}; `nndoctor check --write-baseline {path}` writes one")
    findings = content.get("findings")
    marks = [f.get("fingerprint") if isinstance(f, dict) else None for f in findings] if isinstance(findings, list) else [None]
    if not all(isinstance(mark, str) for mark in marks):
        raise FileError(f"{path}: not a baseline: findings must be a list of tables with a fingerprint each")
    return frozenset(mark for mark in marks if isinstance(mark, str))
