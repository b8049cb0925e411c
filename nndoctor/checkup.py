"""The story of the command: watch the script, diagnose the recording, hand over the report."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nndoctor.config import Settings
from nndoctor.errors import FileError, UsageError
from nndoctor.report.formats import FORMATS
from nndoctor.report.page import Look

if TYPE_CHECKING:
    from nndoctor.diagnosis.difference import Difference
    from nndoctor.diagnosis.engine import DiagnosisOptions
    from nndoctor.diagnosis.log import LogReading
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
    """One report: where it goes and how it looks there; `output` None is stdout."""

    format: str = "text"
    output: Path | None = None
    look: Look = field(default_factory=Look)


@dataclass(frozen=True)
class Gate:
    """What lets findings pass: those in the file `baseline`, or all there are, which are then written to `write`."""

    baseline: Path | None = None
    write: Path | None = None

    @property
    def read_only(self) -> Path | None:
        """The baseline, where it is not to be written anew."""
        return self.baseline if self.baseline != self.write else None


@dataclass(frozen=True)
class Tries:
    """How much may be spent on trials; `most` 0: none at all. `fork` False runs each one afresh."""

    most: int = 12
    seconds: float = 60.0
    fork: bool = True


def check(
    target: Target, settings: Settings, deliveries: Sequence[Delivery], gate: Gate | None = None, save: Path | None = None,
    quiet: bool = False, tries: Tries | None = None,
) -> Diagnosis | None:  # fmt: skip
    """Watch a script train, and report what is wrong with it. Raises FileError for a file that cannot be run, read or written.

    None where a launcher has started this process as one rank of several: the first of them reports for all.
    """
    from nndoctor.probe.team import meeting

    gate = gate or Gate()
    ensure_runnable(target)
    ensure_writable([*(d.output for d in deliveries), save, gate.write], [Path(target.script), gate.read_only])
    known = known_findings(gate)
    with meeting(os.environ) as team:
        recording = team.whole(watch(target, settings, quiet, team))
    if not team.leads:
        return None
    keep(recording, save)
    diagnosis = try_cures(find_causes(recording, settings), target, settings, tries or Tries(), quiet)
    return hand_over(weigh(diagnosis, settings, known), deliveries, gate)


def diagnose(path: Path, settings: Settings, deliveries: Sequence[Delivery], gate: Gate | None = None) -> Diagnosis:
    """Diagnose the recording in a file, and report it. Needs neither torch nor the script. Raises FileError as `check` does."""
    from nndoctor.record.codec import load

    gate = gate or Gate()
    ensure_writable([*(d.output for d in deliveries), gate.write], [path, gate.read_only])
    known = known_findings(gate)
    diagnosis = find_causes(load(path), settings)
    return hand_over(weigh(diagnosis, settings, known), deliveries, gate)


def known_findings(gate: Gate) -> frozenset[str] | None:
    """The fingerprints in the baseline; None where none was named. Raises FileError."""
    from nndoctor.findings.baseline import read_baseline

    return read_baseline(gate.baseline) if gate.baseline is not None else None


def diff(before: Recording, after: Recording, settings: Settings, delivery: Delivery) -> Difference:
    """Diagnose two recordings, and report what changed from the first to the second. Needs neither torch nor the scripts."""
    from nndoctor.diagnosis.difference import compare
    from nndoctor.report import difference

    found = compare(find_causes(before, settings), weigh(find_causes(after, settings), settings, None))
    deliver(difference.render_json(found) if delivery.format == "json" else difference.render(found, delivery.look), delivery.output)
    return found


def curves(log: Path, training: str, validation: str, settings: Settings, delivery: Delivery) -> LogReading:
    """Judge the curves of a log, and report them. Raises FileError for a file that is no log, or has no such column."""
    from nndoctor.diagnosis.log import judge
    from nndoctor.logs import columns, read
    from nndoctor.report import curves

    reading = judge(columns.curves(read.read_log(log), training, validation), settings.thresholds)
    deliver(curves.render_json(reading) if delivery.format == "json" else curves.render(reading, delivery.look), delivery.output)
    return reading


def find_causes(recording: Recording, settings: Settings) -> Diagnosis:
    """The diagnosis of a recording, as the user's settings and the comments in the user's files want it."""
    from nndoctor.diagnosis.engine import diagnose, set_aside
    from nndoctor.findings.comments import Comments
    from nndoctor.knowledge.loader import load_causes

    diagnosis = diagnose(recording, options_of(settings))
    comments = Comments(recording)
    unused = comments.unused(diagnosis, load_causes(), everything=not settings.select and not settings.ignore)
    return replace(set_aside(diagnosis, comments.silence, options_of(settings)), unused_comments=unused)


def try_cures(diagnosis: Diagnosis, target: Target, settings: Settings, tries: Tries, quiet: bool) -> Diagnosis:
    """Run the same probe again with the cause of each leading suspect removed."""
    from nndoctor.diagnosis.engine import chosen_causes, set_aside
    from nndoctor.findings.comments import Comments
    from nndoctor.report.trials import live_table
    from nndoctor.trials.laboratory import Laboratory
    from nndoctor.trials.run import Budget, try_suspects

    if not diagnosis.is_worth_trials or tries.most == 0 or diagnosis.recording.ranks:
        return diagnosis  # a trial is one process, and a rank alone waits for the others
    silenced = {s.cause.id for s in diagnosis.silenced}
    causes = {name: cause for name, cause in chosen_causes(options_of(settings)).items() if name not in silenced}
    with (
        Laboratory(target, limits_of(settings), diagnosis.recording, tries.fork) as laboratory,
        live_table(quiet) as table,
    ):
        tried = try_suspects(diagnosis, causes, laboratory, Budget(tries.most, tries.seconds), table.show)
    return set_aside(tried, Comments(diagnosis.recording).silence, options_of(settings))


def weigh(diagnosis: Diagnosis, settings: Settings, known: frozenset[str] | None) -> Diagnosis:
    """The diagnosis with a fingerprint on each finding, and with what makes a build fail; `known` None: no baseline."""
    from nndoctor.findings.baseline import compared, fingerprinted

    marked = replace(fingerprinted(diagnosis), fail_on=settings.fail_on)
    return compared(marked, known) if known is not None else marked


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
    ensure_runnable(target)
    ensure_writable([delivery.output], [Path(target.script)])
    with Laboratory(target, limits_of(settings), None, fork) as laboratory:
        with screen(f"{target.script}, as it is", settings.steps, settings.seconds, quiet) as shown:
            before = laboratory.control(shown.on_record)
        with screen(f"{target.script}, {change.words}", settings.steps, settings.seconds, quiet) as shown:
            after, way = laboratory.run(change, shown.on_record, threading.Event())
    made = replace(compare(change, "", before, after), way=way)
    deliver(comparison(made, before, after, delivery.format == "json", delivery.look), delivery.output)
    return made


def options_of(settings: Settings) -> DiagnosisOptions:
    """What a diagnosis needs to know of the settings."""
    from nndoctor.diagnosis.engine import DiagnosisOptions

    return DiagnosisOptions(settings.select, settings.ignore, settings.thresholds)


def limits_of(settings: Settings, processes: int = 1) -> Limits:
    """When a run that is watched ends. Of several processes perhaps only one validates: none of them waits for that."""
    from nndoctor.probe.launch import Limits

    wait = settings.wait if processes == 1 else 0.0
    return Limits(steps=settings.steps, seconds=settings.seconds, timeout=settings.timeout, wait=wait, run=settings.run)


def watch(target: Target, settings: Settings, quiet: bool, team: Team) -> Recording:
    """Run the script in its watched child process, with its output and the progress on stderr."""
    from nndoctor.probe import launch
    from nndoctor.probe.team import ended_politely
    from nndoctor.report.live import screen

    with ended_politely(team), screen(target.script, settings.steps, settings.seconds, quiet, shared=team.size > 1) as shown:
        return launch.watch(target, limits_of(settings, team.size), shown.on_record, shown.on_output, ranks=team.folder)


def keep(recording: Recording, path: Path | None) -> None:
    """Save the recording where one was asked for."""
    from nndoctor.record.codec import save

    if path is not None:
        save(recording, path)


def hand_over(diagnosis: Diagnosis, deliveries: Sequence[Delivery], gate: Gate) -> Diagnosis:
    """Write every report, the job's summary where the reports are for GitHub, and the baseline; the diagnosis as it is then.

    A baseline that is written knows all findings at once: this run passes by it.
    """
    from nndoctor.findings.baseline import compared, written

    if gate.write is not None and diagnosis.verdict == "inconclusive":
        sys.stderr.write(f"nndoctor: {gate.write}: not written, as there is no diagnosis\n")
    elif gate.write is not None:
        diagnosis = compared(diagnosis, {s.fingerprint for s in diagnosis.suspects})
        deliver(written(diagnosis), gate.write)
    for delivery in deliveries:
        deliver(render(diagnosis, delivery), delivery.output)
    if any(d.format == "github" for d in deliveries):
        add_to_summary(FORMATS["markdown"](diagnosis, Look()))
    return diagnosis


def render(diagnosis: Diagnosis, delivery: Delivery) -> str:
    """The report in the format that was asked for."""
    return FORMATS[delivery.format](diagnosis, delivery.look)


def add_to_summary(markdown: str) -> None:
    """Append to the page that GitHub shows for a job, where there is one. The build does not fail for the lack of it."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8", errors="replace") as page:
            page.write(markdown)
    except OSError as e:
        sys.stderr.write(f"nndoctor: GITHUB_STEP_SUMMARY: {path}: cannot be written: {e.strerror}\n")


def ensure_runnable(target: Target) -> None:
    """Refuse a script that Python could not run. Raises FileError with what was probably meant."""
    script = Path(target.script)
    if target.module:
        return
    if script.is_dir() and not (script / "__main__.py").is_file():
        raise FileError(f"{script}: is a directory; name the script in it")
    if not script.exists():
        dotted = script.name == str(script) and "." in script.name and script.suffix != ".py"
        meant = f"`nndoctor check -m {script}`, if you meant a module"
        hint = meant if dotted else "name the script that you would give to python"
        raise FileError(f"{script}: no such file; {hint}")


def ensure_writable(outputs: Sequence[Path | None], inputs: Sequence[Path | None]) -> None:
    """Refuse, before minutes are spent, to write where we cannot or over what we were given to read. Raises FileError.

    None stands for a file that was not asked for.
    """
    paths = [path for path in outputs if path is not None]
    for i, path in enumerate(paths):
        if path.is_dir():
            raise FileError(f"{path}: is a directory; name a file")
        if not path.absolute().parent.is_dir():
            raise FileError(f"{path}: the directory {path.parent} does not exist")
        if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
            raise FileError(f"{path}: cannot be written: permission denied")
        if any(source is not None and path.exists() and source.exists() and path.samefile(source) for source in inputs):
            raise FileError(f"{path}: is what is to be read; name another file")
        if path.absolute() in [p.absolute() for p in paths[:i]]:
            raise FileError(f"{path}: two things are to be written to it; name two files")


def deliver(words: str, output: Path | None) -> None:
    """Write a report to its file or to stdout: the one place that does. Raises FileError."""
    if output is not None:
        try:
            output.write_text(words, encoding="utf-8", errors="replace")
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
