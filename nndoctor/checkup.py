"""The story of the command: watch the script, diagnose the recording, hand over the report."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nndoctor.config import Settings
from nndoctor.errors import FileError, UsageError
from nndoctor.report.page import Look

if TYPE_CHECKING:
    from nndoctor.diagnosis.model import Diagnosis, Trial
    from nndoctor.probe.launch import Limits, Target
    from nndoctor.probe.team import Team
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


@dataclass(frozen=True)
class Tries:
    """How much may be spent on trials; `most` 0: none at all. `fork` False runs each one afresh."""

    most: int = 12
    seconds: float = 60.0
    fork: bool = True


def check(
    target: Target, settings: Settings, delivery: Delivery, save: Path | None = None, quiet: bool = False, tries: Tries | None = None
) -> Diagnosis | None:
    """Watch a script train, and report what is wrong with it. Raises FileError for a file that cannot be written.

    None where a launcher has started this process as one rank of several: the first of them reports for all.
    """
    from nndoctor.probe.team import meeting

    ensure_writable([path for path in (delivery.output, save) if path is not None], Path(target.script))
    with meeting(os.environ) as team:
        recording = team.whole(watch(target, settings, quiet, team))
    if not team.leads:
        return None
    keep(recording, save)
    diagnosis = try_cures(find_causes(recording, settings), target, settings, tries or Tries(), quiet)
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


def try_cures(diagnosis: Diagnosis, target: Target, settings: Settings, tries: Tries, quiet: bool) -> Diagnosis:
    """Run the same probe again with the cause of each leading suspect removed."""
    from nndoctor.diagnosis.engine import DiagnosisOptions, chosen_causes
    from nndoctor.report.trials import live_table
    from nndoctor.trials.laboratory import Laboratory
    from nndoctor.trials.run import Budget, try_suspects

    if (diagnosis.verdict != "sick" and not diagnosis.failing) or tries.most == 0 or diagnosis.recording.ranks:
        return diagnosis  # a trial is one process, and a rank alone waits for the others
    causes = chosen_causes(DiagnosisOptions(settings.select, settings.ignore))
    with (
        Laboratory(target, limits_of(settings), diagnosis.recording, tries.fork) as laboratory,
        live_table(quiet) as table,
    ):
        return try_suspects(diagnosis, causes, laboratory, Budget(tries.most, tries.seconds), table.show)


def try_change(target: Target, settings: Settings, spelling: str, delivery: Delivery, quiet: bool, fork: bool = True) -> Trial:
    """Run the probe as it is and with one change, and report both. Neither leaves a trace."""
    import threading

    from nndoctor.probe.changes.names import parse
    from nndoctor.probe.launcher import is_rank
    from nndoctor.report.live import screen
    from nndoctor.report.trials import comparison
    from nndoctor.trials.compare import compare
    from nndoctor.trials.laboratory import Laboratory

    change = parse(spelling)
    if is_rank(os.environ):
        raise UsageError("`nndoctor try` runs one process, and this is one rank of several; start it without the launcher")
    ensure_writable([path for path in (delivery.output,) if path is not None], Path(target.script))
    with Laboratory(target, limits_of(settings), None, fork) as laboratory:
        with screen(f"{target.script}, as it is", settings.steps, settings.seconds, quiet) as shown:
            before = laboratory.control(shown.on_record)
        with screen(f"{target.script}, {change.words}", settings.steps, settings.seconds, quiet) as shown:
            after, way = laboratory.run(change, shown.on_record, threading.Event())
    made = replace(compare(change, "", before, after), way=way)
    deliver(comparison(made, before, after, delivery.format == "json", delivery.look), delivery.output)
    return made


def limits_of(settings: Settings) -> Limits:
    """When a run that is watched ends."""
    from nndoctor.probe.launch import Limits

    return Limits(steps=settings.steps, seconds=settings.seconds, timeout=settings.timeout)


def watch(target: Target, settings: Settings, quiet: bool, team: Team) -> Recording:
    """Run the script in its watched child process, with its output and the progress on stderr."""
    from nndoctor.probe import launch
    from nndoctor.probe.team import ended_politely
    from nndoctor.report.live import screen

    with ended_politely(team), screen(target.script, settings.steps, settings.seconds, quiet, shared=team.size > 1) as shown:
        return launch.watch(target, limits_of(settings), shown.on_record, shown.on_output, ranks=team.folder)


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
