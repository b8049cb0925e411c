"""The story of the command: watch the script, diagnose the recording, hand over the report."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nndoctor.config import Settings
from nndoctor.errors import FileError
from nndoctor.report.page import Look

if TYPE_CHECKING:
    from nndoctor.diagnosis.model import Diagnosis
    from nndoctor.probe.launch import Target
    from nndoctor.record.model import Recording

# Stand-ins for a terminal or pipe whose encoding has no such characters.
_PLAIN = {
    **{ord(c): p for c, p in zip("·…│─└┤▸×→✓┈█▏µ⠒", "-~|-+|>x>+.#|u.", strict=True)},
    **{0x2800 + i: "." for i in range(256)},
}


@dataclass(frozen=True)
class Delivery:
    """Where a report goes and how it looks there; `output` None is stdout."""

    format: str = "text"
    output: Path | None = None
    look: Look = field(default_factory=Look)


def check(
    target: Target, settings: Settings, delivery: Delivery, save: Path | None = None, quiet: bool = False, trials: int = 0
) -> Diagnosis:
    """Watch a script train, and report what is wrong with it. Raises FileError for a file that cannot be written."""
    ensure_writable([path for path in (delivery.output, save) if path is not None], Path(target.script))
    recording = watch(target, settings, quiet)
    keep(recording, save)
    diagnosis = find_causes(recording, settings)
    if trials > 0:
        diagnosis = try_cures(diagnosis, target, settings, trials)
    deliver(render(diagnosis, delivery), delivery.output)
    return diagnosis


def diagnose(recording: Recording, settings: Settings, delivery: Delivery) -> Diagnosis:
    """Diagnose a recording, and report it. Needs neither torch nor the script."""
    diagnosis = find_causes(recording, settings)
    deliver(render(diagnosis, delivery), delivery.output)
    return diagnosis


def find_causes(recording: Recording, settings: Settings) -> Diagnosis:
    """The diagnosis of a recording, as the user's settings want it."""
    from nndoctor.diagnosis.engine import DiagnosisOptions, diagnose

    return diagnose(recording, DiagnosisOptions(settings.select, settings.ignore, settings.thresholds))


def try_cures(diagnosis: Diagnosis, target: Target, settings: Settings, most: int) -> Diagnosis:
    """Run the same probe again with the cause of each leading suspect removed."""
    from nndoctor.probe import launch
    from nndoctor.trials.run import try_suspects

    limits = launch.Limits(steps=settings.steps, seconds=settings.seconds, timeout=settings.timeout)
    return try_suspects(diagnosis, lambda change: launch.watch(target, limits, None, None, (change,)), most)


def watch(target: Target, settings: Settings, quiet: bool) -> Recording:
    """Run the script in its watched child process, with its output and the progress on stderr."""
    from nndoctor.probe import launch
    from nndoctor.report.live import screen

    limits = launch.Limits(steps=settings.steps, seconds=settings.seconds, timeout=settings.timeout)
    with screen(target.script, settings.steps, settings.seconds, quiet) as shown:
        return launch.watch(target, limits, shown.on_record, shown.on_output)


def keep(recording: Recording, path: Path | None) -> None:
    """Save the recording where one was asked for."""
    from nndoctor.record.codec import save

    if path is not None:
        save(recording, path)


def render(diagnosis: Diagnosis, delivery: Delivery) -> str:
    """The report in the format that was asked for."""
    from nndoctor.report import json, text

    return json.render(diagnosis) if delivery.format == "json" else text.render(diagnosis, delivery.look)


def ensure_writable(paths: list[Path], source: Path) -> None:
    """Refuse, before minutes are spent, to write where we cannot or over what we were given to read. Raises FileError."""
    for i, path in enumerate(paths):
        if path.is_dir():
            raise FileError(f"{path}: is a directory; name a file")
        if not path.absolute().parent.is_dir():
            raise FileError(f"{path}: the directory {path.parent} does not exist")
        if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
            raise FileError(f"{path}: cannot be written: permission denied")
        if path.exists() and source.exists() and path.samefile(source):
            raise FileError(f"{path}: is what is to be read; name another file")
        if path.absolute() in [p.absolute() for p in paths[:i]]:
            raise FileError(f"{path}: both the report and the recording; name two files")


def deliver(words: str, output: Path | None) -> None:
    """Write a report to its file or to stdout: the one place that does. Raises FileError."""
    if output is not None:
        try:
            output.write_text(words, encoding="utf-8")
        except OSError as e:
            raise FileError(f"{output}: cannot be written: {e.strerror}") from e
        return
    try:
        sys.stdout.write(_representable(words, sys.stdout.encoding or "utf-8"))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough (`| head`). Python would complain again when it flushes stdout at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _representable(words: str, encoding: str) -> str:
    """The same words in characters that the encoding has."""
    try:
        words.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return words.translate(_PLAIN).encode("ascii", "replace").decode("ascii")
    return words
