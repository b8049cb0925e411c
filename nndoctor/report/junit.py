"""JUnit XML: a test case for each cause that was looked for, so that a healthy run shows what was checked.

A finding fails its test where it fails the build, a known one is skipped, and one that is too mild to fail passes with what
it has to say as output. Elements and attributes are those that all common readers know, and no others.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from xml.etree import ElementTree as ET

from nndoctor.diagnosis.model import Diagnosis, Suspect
from nndoctor.findings.sources import project_path
from nndoctor.knowledge.model import Cause
from nndoctor.report.finding import heading, message, surety
from nndoctor.report.suspects import unused
from nndoctor.report.words import clean, place

_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, Char


def render(diagnosis: Diagnosis) -> str:
    """The diagnosis as one JUnit XML document with a line end."""
    header, end = diagnosis.recording.header, diagnosis.recording.end
    suite = ET.Element("testsuite", name=_xml(header.script))
    _properties(suite, diagnosis)
    group = _group(header.script)
    for suspect in diagnosis.suspects:
        _finding(suite, group, suspect, diagnosis.fails_by(suspect))
    for suspect in diagnosis.silenced:
        ET.SubElement(_case(suite, group, suspect.cause), "skipped", message="silenced by a comment")
    told = {s.cause.id for s in (*diagnosis.suspects, *diagnosis.silenced)}
    for cause in (r.cause for r in diagnosis.ruled_out if r.cause.id not in told):
        case = _case(suite, group, cause)
        if diagnosis.verdict == "inconclusive":
            ET.SubElement(case, "skipped", message="no diagnosis")
    if diagnosis.verdict == "inconclusive":
        _no_diagnosis(suite, group, diagnosis)
    if diagnosis.unused_comments:
        ET.SubElement(suite, "system-out").text = _xml("\n".join(f"{place(c.place)}: {unused(c)}" for c in diagnosis.unused_comments))
    seconds = f"{end.total_seconds:.3f}" if end is not None else "0.000"
    counts = {name: str(len(list(suite.iter(element)))) for name, element in _COUNTED.items()}
    suite.attrib |= {**counts, "time": seconds}
    suites = ET.Element("testsuites", name="nndoctor", time=seconds)
    suites.attrib |= {name: n for name, n in counts.items() if name != "skipped"}
    suites.append(suite)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


_COUNTED = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}


def _group(script: str) -> str:
    """The script as readers group tests: a dotted name, which that of a module is already."""
    if not script.endswith(".py"):
        return _xml(script)
    parts = PurePosixPath(project_path(script, script).removesuffix(".py")).parts
    return _xml(".".join(part.replace(".", "_") for part in parts if part != "/")) or "script"


def _properties(suite: ET.Element, diagnosis: Diagnosis) -> None:
    header = diagnosis.recording.header
    facts = {"verdict": diagnosis.verdict, "device": header.device, "python": header.python, "torch": header.torch}
    properties = ET.SubElement(suite, "properties")
    for name, value in facts.items():
        if value:
            ET.SubElement(properties, "property", name=name, value=_xml(value))


def _case(suite: ET.Element, group: str, cause: Cause) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=group, name=cause.id, time="0.000")


def _finding(suite: ET.Element, group: str, suspect: Suspect, fails: bool) -> None:
    case = _case(suite, group, suspect.cause)
    where = f"{place(suspect.location)}: " if suspect.location is not None else ""
    words = _xml("\n".join([f"{where}{heading(suspect)}", *message(suspect)]))
    if fails:
        ET.SubElement(case, "failure", type=suspect.severity, message=_xml(f"{where}{clean(suspect.cause.title)}")).text = words
    elif suspect.known:
        ET.SubElement(case, "skipped", message=_xml(surety(suspect)))
        ET.SubElement(case, "system-out").text = words
    else:
        ET.SubElement(case, "system-out").text = words


def _no_diagnosis(suite: ET.Element, group: str, diagnosis: Diagnosis) -> None:
    """An error of its own: nothing was found, and nothing was cleared."""
    case = ET.SubElement(suite, "testcase", classname=group, name="diagnosis", time="0.000")
    reasons = [" ".join(clean(reason).split()) for reason in diagnosis.reasons] or ["too little was seen"]
    error = ET.SubElement(case, "error", type="inconclusive", message=_xml(reasons[0]))
    end = diagnosis.recording.end
    error.text = _xml("\n".join([*reasons, *([clean(end.traceback)] if end is not None and end.traceback else [])]))


def _xml(text: str) -> str:
    """The text without characters that no XML document can hold, however they are escaped."""
    return _NOT_XML.sub("?", clean(text))
