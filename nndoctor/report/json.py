"""The report for a machine: one JSON document, schema version 1.

JSON has no NaN. A number that is not finite is spelt as the string "nan", "inf" or "-inf", as in a recording; a
number that was not measured is null. Fields are added within a schema version, never renamed or removed. `schema.json`
beside this file says it all.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from nndoctor.diagnosis.model import Curve, Diagnosis, RuledOut, Suspect, Trial
from nndoctor.record.model import Place, Recording
from nndoctor.report.facts import parameter_count, step_count, validation_score
from nndoctor.report.suspects import fixes
from nndoctor.symptoms.model import Symptom
from nndoctor.version import __version__

# One line a version, newest last.
# 1: first schema.
SCHEMA_VERSION = 1


def render(diagnosis: Diagnosis) -> str:
    """The diagnosis as one JSON document with a line end."""
    return dump(
        {
            "schema_version": SCHEMA_VERSION,
            "nndoctor": __version__,
            "script": diagnosis.recording.header.script,
            "verdict": diagnosis.verdict,
            "fail_on": diagnosis.fail_on,
            "causes": [suspect_document(s, diagnosis.fails_by(s)) for s in diagnosis.suspects],
            "run": _run(diagnosis.recording),
            "curve": _curve(diagnosis.curve, diagnosis.recording),
            "reasons": diagnosis.all_reasons,
            "symptoms": [_symptom(s) for s in diagnosis.symptoms],
            "ruled_out": [_ruled_out(r) for r in diagnosis.ruled_out],
            "trials": [trial_document(t) for t in diagnosis.trials],
            "silenced": [suspect_document(s, False) for s in diagnosis.silenced],
            "unused_comments": [{**_located(c.place), "comment": c.words, "reason": c.reason} for c in diagnosis.unused_comments],
        }
    )


def dump(document: dict[str, Any]) -> str:
    """Any document of ours as JSON, whatever numbers it holds."""
    plain = spelt(document)
    text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, as in the name of a file that is no UTF-8: JSON has an escape for it
        text = json.dumps(plain, indent=2, allow_nan=False)
    return text + "\n"


def schema_text() -> str:
    """The JSON schema (draft 2020-12) of the document that `render` makes."""
    return Path(__file__).with_name("schema.json").read_text(encoding="utf-8")


def suspect_document(suspect: Suspect, fails: bool) -> dict[str, Any]:
    """One suspect, as the report on a run has it."""
    cause, made, chosen = suspect.cause, suspect.trial, fixes(suspect)
    return {
        "id": cause.id,
        "title": cause.title,
        "severity": suspect.severity,
        "confidence": suspect.confidence,
        "confirmed": made.confirmed if made is not None and made.possible else None,
        "location": _location(suspect),
        "evidence": [_symptom(s) for s in suspect.evidence],
        "against": [_symptom(s) for s in suspect.against],
        "fix": chosen[0].text if chosen else "",
        "fixes": [{"text": f.text, "code": f.code} for f in chosen],
        "documents": list(cause.documents),
        "trial": trial_document(made) if made is not None else None,
        "consequence_of": suspect.consequence_of,
        "fingerprint": suspect.fingerprint or None,
        "known": suspect.known,
        "fails": fails,
    }


def _location(suspect: Suspect) -> dict[str, Any] | None:
    """The line to blame and the module it concerns; null where no line is to blame."""
    where = _place(suspect.location)
    return None if where is None else {**where, "module": suspect.module}


def _place(place: Place | None) -> dict[str, Any] | None:
    return None if place is None else _located(place)


def _located(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line}


def _symptom(symptom: Symptom) -> dict[str, Any]:
    return {
        "symptom": symptom.name,
        "text": symptom.text,
        "value": symptom.value,
        "threshold": symptom.threshold,
        "where": symptom.where or None,
        "place": _place(symptom.place),
    }


def trial_document(made: Trial) -> dict[str, Any]:
    """One trial, possible or not."""
    return {
        "change": made.change,
        "spelling": made.spelling or None,
        "cause": made.cause or None,
        "outcome": made.outcome,
        "steps": made.steps,
        "before": made.before,
        "after": made.after,
        "measure": made.measure or None,
        "gain": made.gain,
        "reason": made.reason or None,
        "seconds": made.seconds,
        "way": made.way or None,
    }


def _run(recording: Recording) -> dict[str, Any]:
    end = recording.end
    return {
        "steps": step_count(recording),
        "seconds": end.seconds if end is not None else None,
        "device": recording.header.device,
        "parameters": parameter_count(recording),
        "total_seconds": end.total_seconds if end is not None else None,
        "reason": end.reason if end is not None else "lost",
        "exit_code": end.exit_code if end is not None else None,
        "error": (end.error or None) if end is not None else None,
        "traceback": (end.traceback or None) if end is not None else None,
        "peak_memory": (end.peak_memory or None) if end is not None else None,
        "arguments": list(recording.header.arguments),
        "python": recording.header.python or None,
        "torch": recording.header.torch or None,
        "ranks": [
            {"rank": r.rank if r.world else None, "watched": r.watched, "reason": r.ended or None, "error": r.error or None, "steps": r.steps}
            for r in recording.ranks
        ],
    }


def _curve(curve: Curve, recording: Recording) -> dict[str, Any]:
    return {
        "reading": curve.reading,
        "first": curve.first,
        "last": curve.last,
        "constant": curve.constant,
        "score": curve.score,
        "measure": curve.score_name or None,
        "training": curve.task_score,
        "validation": validation_score(recording, curve.score_name),
    }


def _ruled_out(ruled_out: RuledOut) -> dict[str, Any]:
    return {"id": ruled_out.cause.id, "reason": ruled_out.reason}


def spelt(value: Any) -> Any:
    """The same structure with every number that JSON cannot hold spelt out, and text that UTF-8 cannot hold replaced."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")  # lone surrogates come from undecodable file names
    if isinstance(value, dict):
        return {str(k): spelt(v) for k, v in value.items()}
    return [spelt(v) for v in value] if isinstance(value, (list, tuple)) else value
