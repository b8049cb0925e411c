"""The formats of a report: a name, and the function that makes it of a diagnosis. Everything else derives from this table.

Each function imports its format when it is called: the names are needed by `--help`, which loads nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nndoctor.diagnosis.model import Diagnosis
    from nndoctor.report.page import Look

Writer = Callable[["Diagnosis", "Look"], str]


def _text(diagnosis: Diagnosis, look: Look) -> str:
    from nndoctor.report import text

    return text.render(diagnosis, look)


def _json(diagnosis: Diagnosis, look: Look) -> str:
    from nndoctor.report import json

    return json.render(diagnosis)


def _sarif(diagnosis: Diagnosis, look: Look) -> str:
    from nndoctor.report import sarif

    return sarif.render(diagnosis)


def _junit(diagnosis: Diagnosis, look: Look) -> str:
    from nndoctor.report import junit

    return junit.render(diagnosis)


def _markdown(diagnosis: Diagnosis, look: Look) -> str:
    from nndoctor.report import markdown

    return markdown.render(diagnosis)


def _github(diagnosis: Diagnosis, look: Look) -> str:
    from nndoctor.report import github

    return github.render(diagnosis)


def _html(diagnosis: Diagnosis, look: Look) -> str:
    from nndoctor.report.html import document

    return document.render(diagnosis)


FORMATS: dict[str, Writer] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "junit": _junit,
    "markdown": _markdown,
    "github": _github,
    "html": _html,
}
