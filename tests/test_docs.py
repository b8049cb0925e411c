"""What is made from something else is in step with it: pages of causes, examples for CI, the picture in the README."""

from __future__ import annotations

import html
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nndoctor.knowledge.loader import load_causes
from nndoctor.knowledge.model import Cause
from tests import docs
from tests.picture import drawn

MADE = docs.documents()
CAUSES = load_causes()


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_file_is_in_step(path: Path) -> None:
    """Each file holds what it is made from. If this fails: `make docs`, and read the diff."""
    assert MADE[path] == path.read_text(encoding="utf-8")


def test_no_file_is_left_over() -> None:
    """A cause that is no more has no page."""
    assert set(MADE) == {path for directory in (docs.PAGES, docs.CI_EXAMPLES) for path in directory.iterdir()}


@pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: cause.id)
def test_page_holds_the_cause(cause: Cause) -> None:
    """Words, code, symptoms, changes, neighbours and claims of the YAML are all on the page."""
    page = MADE[docs.PAGES / f"{cause.id}.md"]
    plain = " ".join(page.replace("\\", "").split())

    for words in (cause.title, cause.what, cause.why, cause.known_problems, *(f.text for f in cause.fixes), *cause.references):
        assert " ".join(words.split()) in plain
    for fix in cause.fixes:
        assert fix.code.strip("\n") in page
    for name in (*cause.needs, *(e.symptom for e in cause.evidence), *cause.documents, *cause.leads_to):
        assert name in page
    assert len(cause.cures) == page.count("`nndoctor try --change ")


def test_every_link_leads_somewhere() -> None:
    """Links between pages are names of files beside them; the list links to every page."""
    links = {path.name: re.findall(r"\]\(([^)]+)\)", text) for path, text in MADE.items() if path.suffix == ".md"}

    assert set() == {name for found in links.values() for name in found} - {path.name for path in MADE}
    assert sorted(links[docs.INDEX]) == sorted(f"{name}.md" for name in CAUSES)


# --- the picture


def shown(picture: str) -> str:
    """The words of a picture, line by line: the texts that share a height, in their order."""
    rows: dict[float, str] = {}
    for x, y, text in re.findall(r'<text class="report-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', picture):
        line = rows.get(float(y), "")
        rows[float(y)] = line.ljust(round(float(x) / 12.2)) + html.unescape(text).replace("\xa0", " ")
    return "\n".join(line.rstrip() for _, line in sorted(rows.items())).strip("\n") + "\n"


def test_picture_says_what_was_written() -> None:
    """Every character of a report is in its picture, at its place, whatever it means to XML."""
    report = "\x1b[1;31mSICK\x1b[0m  a < b & \"c\"\n\n   · ⠉⠉ <text>\n"
    picture, words = drawn(report, "nndoctor check x.py")

    assert "{http://www.w3.org/2000/svg}svg" == ElementTree.fromstring(picture).tag
    assert 'SICK  a < b & "c"\n\n   · ⠉⠉ <text>\n' == words
    assert words.replace("\n\n", "\n") == shown(picture)


def test_picture_in_the_readme_is_the_report_below_it() -> None:
    """Picture and words come from one run; it is small, loads nothing, and runs nothing. If this fails: `make picture`."""
    picture = docs.PICTURE.read_text(encoding="utf-8")
    readme = docs.README.read_text(encoding="utf-8")
    (report,) = docs.REPORT.findall(readme)

    assert re.sub(r"\n\n+", "\n", report) == re.sub(r"\n\n+", "\n", shown(picture))
    assert f"]({docs.PICTURE.relative_to(docs.ROOT)})" in readme
    assert len(picture.encode()) < 60_000
    assert [] == re.findall(r"https?://(?!www\.w3\.org/2000/svg)|@font-face|@import|url\((?!#)|<script|<image|href", picture)
