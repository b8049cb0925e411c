"""Writes what is kept in the repository and made from something else: a page a cause, and the examples for CI.

    make docs      all of these
    make picture   the report in the README, as text and as a picture, from a run of the example

`test_docs.py` compares the files with what they are made from.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from nndoctor.knowledge.loader import load_causes
from nndoctor.report.handbook import INDEX, cause_document, file_name, index_document
from nndoctor.starter import HOSTS, ci_file
from nndoctor.symptoms.catalogue import CATALOGUE
from tests.picture import drawn

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "nndoctor" / "knowledge" / "pages"
CI_EXAMPLES = ROOT / "examples" / "ci"
EXAMPLE = "examples/softmax_before_loss.py"
PICTURE = ROOT / "examples" / "softmax_before_loss.svg"
README = ROOT / "README.md"
REPORT = re.compile(r"(?<=^```text\n)SICK.*?(?=^```$)", re.MULTILINE | re.DOTALL)  # as the README shows it


def documents() -> dict[Path, str]:
    """Every file that is made from something else in the repository, and what it must hold."""
    causes = load_causes().values()
    pages = {PAGES / file_name(c): cause_document(c, causes, CATALOGUE, linked=True) for c in causes}
    jobs = {CI_EXAMPLES / host.template: ci_file(host) for host in HOSTS.values()}
    return {PAGES / INDEX: index_document(causes), **pages, **jobs}


def write_documents() -> None:
    """Write them, and remove pages of causes that are no more."""
    made = documents()
    for directory in (PAGES, CI_EXAMPLES):
        directory.mkdir(parents=True, exist_ok=True)
        for path in set(directory.iterdir()) - set(made):
            path.unlink()
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")


def write_picture() -> None:
    """Run the example, and put its report into the README and into the picture."""
    report = subprocess.run(
        [sys.executable, "-m", "nndoctor", "check", "--quiet", "--color", "always", EXAMPLE], cwd=ROOT, check=False, text=True,
        stdout=subprocess.PIPE, encoding="utf-8", env={**os.environ, "COLUMNS": "80", "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
    ).stdout  # fmt: skip
    picture, words = drawn(report, f"nndoctor check {EXAMPLE}")
    readme, count = REPORT.subn(lambda _: words, README.read_text(encoding="utf-8"))
    assert count == 1, "the README has no place for the report"
    PICTURE.write_text(picture, encoding="utf-8")
    README.write_text(readme, encoding="utf-8")


if __name__ == "__main__":
    write_picture() if sys.argv[1:] == ["picture"] else write_documents()
