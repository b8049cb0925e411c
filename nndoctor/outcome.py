"""What a check comes to: an exit code for a shell, and for Python a report that shows itself in every format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nndoctor.errors import FileError, UsageError
from nndoctor.report.formats import FORMATS

if TYPE_CHECKING:
    from nndoctor.diagnosis.model import Diagnosis, Suspect
    from nndoctor.record.model import Recording

EXIT_CLEAN = 0  # a diagnosis was made and nothing at or above --fail-on was found
EXIT_FOUND = 1  # a diagnosis was made and something at or above --fail-on was found
EXIT_USAGE = 2  # the command line, the configuration or a named file is wrong
EXIT_NO_DIAGNOSIS = 3  # too little training was seen, or nndoctor itself failed

_RECORDING = ".jsonl"
_SUFFIXES = {".html": "html", ".md": "markdown", ".json": "json", ".sarif": "sarif", ".xml": "junit", ".txt": "text"}
_PAGE_HEIGHT = 720  # pixels of a notebook's output that the page is given to scroll in


def exit_code(diagnosis: Diagnosis) -> int:
    """What the command returns for a diagnosis. A run that raised is no different, if it could be judged."""
    if diagnosis.verdict == "inconclusive":
        return EXIT_NO_DIAGNOSIS
    return EXIT_FOUND if diagnosis.fails else EXIT_CLEAN


def here() -> Path:
    """Where this process works. Raises FileError where that is gone."""
    try:
        return Path.cwd()
    except OSError as e:
        raise FileError("the working directory of this process is gone; change to one that is there") from e


@contextmanager
def working_in(directory: Path) -> Iterator[None]:
    """Have this process work in another directory for a while. Raises FileError where it is none.

    Nothing is changed where the process works there already.
    """
    before = here()
    if directory == before:
        yield
        return
    try:
        os.chdir(directory)
    except OSError as e:
        raise FileError(f"{directory}: cannot be worked in: {e.strerror}; name a directory") from e
    try:
        yield
    finally:
        os.chdir(before)


@dataclass(frozen=True, repr=False)
class Report:
    """What is wrong with a run, and the run as it was recorded. Printed, it is the report of the command; in Jupyter, the page.

    `diagnosis` holds all that any format shows. Files are named from `directory`, in which the run began: the lines of code
    that a format shows are read when it is made.
    """

    diagnosis: Diagnosis
    directory: Path = field(default_factory=here)

    @property
    def verdict(self) -> str:
        """`healthy`, `sick`, or `inconclusive` where too little was seen to say."""
        return self.diagnosis.verdict

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """The causes under suspicion, the most suspected first, notes included."""
        return tuple(self.diagnosis.suspects)

    @property
    def findings(self) -> tuple[Suspect, ...]:
        """The suspects that count: at or above `fail_on`, and not known from a baseline."""
        return tuple(filter(self.diagnosis.fails_by, self.diagnosis.suspects))

    @property
    def exit_code(self) -> int:
        """The exit code that the command has for it: 0 clean, 1 something was found, 3 no diagnosis."""
        return exit_code(self.diagnosis)

    @property
    def ok(self) -> bool:
        """Whether a diagnosis was made and nothing was found that counts."""
        return self.exit_code == EXIT_CLEAN

    @property
    def recording(self) -> Recording:
        """What was seen, in numbers."""
        return self.diagnosis.recording

    def text(self, width: int = 80, verbose: bool = False, color: bool = False) -> str:
        """The report for a person, `width` characters wide (60 to 120); `color` puts in a terminal's codes."""
        return self._made("text", width, verbose, color)

    def markdown(self) -> str:
        """The evidence in Markdown, for a review or an assistant."""
        return self._made("markdown")

    def html(self) -> str:
        """The page with plots: one HTML document that needs nothing from elsewhere."""
        return self._made("html")

    def to_json(self) -> str:
        """The report for a machine, as `nndoctor check --format json` prints it."""
        return self._made("json")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report in the format that the file's name ends in, or with `.jsonl` the recording, for `nndoctor diagnose`.

        Raises UsageError for another ending, and FileError where the file cannot be written.
        """
        from nndoctor.checkup import deliver, ensure_writable, keep

        file = Path(path).absolute()
        ensure_writable([file], [])
        if file.suffix == _RECORDING:
            keep(self.recording, file)
        elif file.suffix in _SUFFIXES:
            deliver(self._made(_SUFFIXES[file.suffix]), file)
        else:
            known = ", ".join([*_SUFFIXES, _RECORDING])
            raise UsageError(f"{path}: no format is known by the ending {file.suffix!r}; one of {known} is")

    def assert_healthy(self) -> None:
        """Raise AssertionError where anything counts that was found, or nothing could be judged; its words are the report's."""
        __tracebackhide__ = True  # pytest shows the line that called
        if not self.ok:
            raise AssertionError(self._failure())

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        causes = ", ".join(s.cause.id for s in self.suspects)
        return f"<nndoctor.Report of {self.recording.header.script}: {self.verdict}{': ' if causes else ''}{causes}>"

    def _repr_html_(self) -> str:
        """The page in a frame of its own: its styles and its script stay within, and the notebook's without."""
        from html import escape

        return f'<iframe sandbox="allow-scripts" style="width:100%;height:{_PAGE_HEIGHT}px;border:0" srcdoc="{escape(self.html())}"></iframe>'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What Jupyter shows: the page, and the text where no page can be shown."""
        return {"text/plain": self.text(), "text/html": self._repr_html_()}

    def _made(self, name: str, width: int = 80, verbose: bool = False, color: bool = False) -> str:
        from nndoctor.report.page import Look

        return self._beside_its_files(partial(FORMATS[name], self.diagnosis, Look(width, color, verbose)))

    def _failure(self) -> str:
        from nndoctor.report.page import Look
        from nndoctor.report.text import render_failure

        return self._beside_its_files(partial(render_failure, self.diagnosis, Look()))

    def _beside_its_files(self, make: Callable[[], str]) -> str:
        """What a format makes where the run began; from here, without lines of code, where that is gone."""
        if not self.directory.is_dir():
            return make()
        with working_in(self.directory):
            return make()
