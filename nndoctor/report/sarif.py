"""SARIF 2.1.0: what code scanning and editors read. One run, a result for each suspect, and a rule for each cause.

Paths are relative to the project's root, as forges want them. Nothing that changes from one run of the command to the next
on the same recording is written: no time, no id, no folder of this machine.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from nndoctor.diagnosis.model import Diagnosis, Suspect
from nndoctor.findings.sources import find_source, project_path, source_line
from nndoctor.knowledge.model import Cause
from nndoctor.record.model import Place
from nndoctor.report.explain import cause_page
from nndoctor.report.finding import heading, message
from nndoctor.report.handbook import cause_summary
from nndoctor.report.json import dump
from nndoctor.report.page import Look
from nndoctor.report.suspects import unused
from nndoctor.report.words import clean
from nndoctor.symptoms.catalogue import CATALOGUE
from nndoctor.version import __version__

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"  # the usual name of the base that the reader fills in
_FINGERPRINT = "nndoctor/v1"  # with the version of how it is made


def render(diagnosis: Diagnosis) -> str:
    """The diagnosis as one SARIF log with a line end."""
    told = [*diagnosis.suspects, *diagnosis.silenced]
    causes = list({s.cause.id: s.cause for s in told}.values())
    script = diagnosis.recording.header.script
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "nndoctor", "version": __version__, "rules": [_rule(c) for c in causes]}},
        "invocations": [_invocation(diagnosis, script)],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the project."}}},
        "results": [_result(s, [c.id for c in causes].index(s.cause.id), script, s in diagnosis.silenced) for s in told],
        "properties": {"verdict": diagnosis.verdict},
    }
    return dump({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(cause: Cause) -> dict[str, Any]:
    """A cause with its whole page as help."""
    return {
        "id": cause.id,
        "name": "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", cause.id)),
        "shortDescription": {"text": cause.title},
        "fullDescription": {"text": " ".join(cause.what.split())},
        "help": {"text": cause_page(cause, CATALOGUE, Look()), "markdown": cause_summary(cause)},
        "defaultConfiguration": {"level": cause.severity},
        "properties": {"tags": ["training", cause.stage]},
    }


def _result(suspect: Suspect, index: int, script: str, silenced: bool) -> dict[str, Any]:
    location = _location(suspect.location or Place(script, 0), script, suspect.module)
    result: dict[str, Any] = {
        "ruleId": suspect.cause.id,
        "ruleIndex": index,
        "level": suspect.severity,
        "rank": round(100 * suspect.confidence, 1),
        "message": {"text": "\n".join([heading(suspect), *message(suspect)])},
        "locations": [location] if location is not None else [],
        "relatedLocations": _related(suspect, script),
    }
    if suspect.fingerprint:
        result["partialFingerprints"] = {_FINGERPRINT: suspect.fingerprint}
    if suspect.known is not None:
        result["baselineState"] = "unchanged" if suspect.known else "new"
    if silenced:
        result["suppressions"] = [{"kind": "inSource"}]
    return result


def _related(suspect: Suspect, script: str) -> list[dict[str, Any]]:
    """The other lines that the evidence speaks of, each with what it says."""
    found: list[dict[str, Any]] = []
    for symptom in suspect.evidence:
        location = _location(symptom.place, script, None) if symptom.place not in (None, suspect.location) else None
        if location is not None:
            found.append({**location, "id": len(found) + 1, "message": {"text": clean(symptom.text)}})
    return found


def _location(place: Place | None, script: str, module: str | None) -> dict[str, Any] | None:
    """A file, a line of it where there is one (from 1), and the module it concerns; None where there is no such file."""
    if place is None or find_source(place.file, script) is None:
        return None
    physical: dict[str, Any] = {"artifactLocation": _artifact(project_path(place.file, script))}
    if place.line > 0:
        line = source_line(place, script)
        physical["region"] = {"startLine": place.line, **({"snippet": {"text": clean(line)}} if line else {})}
    logical = {"logicalLocations": [{"fullyQualifiedName": clean(module), "kind": "object"}]} if module else {}
    return {"physicalLocation": physical, **logical}


def _artifact(path: str) -> dict[str, Any]:
    """A path of the project relative to its root, any other as a URI of its own."""
    name = quote(path.encode("utf-8", "surrogateescape"))
    return {"uri": f"file://{name}"} if PurePosixPath(path).is_absolute() else {"uri": name, "uriBaseId": _ROOT}


def _invocation(diagnosis: Diagnosis, script: str) -> dict[str, Any]:
    """Whether there is a diagnosis, why not, and the comments that silence nothing."""
    done = diagnosis.verdict != "inconclusive"
    notes: list[dict[str, Any]] = [] if done else [{"level": "error", "message": {"text": clean(reason)}} for reason in diagnosis.reasons]
    for comment in diagnosis.unused_comments:
        location = _location(comment.place, script, None)
        notes.append({"level": "note", "message": {"text": unused(comment)}, "locations": [location] if location is not None else []})
    return {"executionSuccessful": done, "toolExecutionNotifications": notes}
