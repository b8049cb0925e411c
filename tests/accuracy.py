"""How often the right cause comes first: the real command on every script of `tests/cases`, scored.

    python tests/accuracy.py                     all of them, with a table by cause
    python tests/accuracy.py --only lr-too       those whose folder/name begins so
    python tests/accuracy.py --save recordings   keep what was seen, for `nndoctor diagnose`, and what was said of it

A folder of `tests/cases` is a cause; its `cases.yaml` lists the scripts. `name.py` is sick and `name_ok.py` is the same
without the fault; an entry with `healthy: true` is a script that looks suspicious and is right. `accept` names other
causes that are right as the first answer; `launch` is the number of processes that torch's launcher starts. Exit code 1
where less is reached than the project asks of itself, below.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from nndoctor.diagnosis.engine import diagnose
from nndoctor.probe.launch import Limits, Target, watch
from nndoctor.record import codec

CASES = Path(__file__).parent / "cases"
LEAST_TOP1, LEAST_TOP3 = 0.90, 0.97  # of the sick scripts; and no false alarm
GRAVE = ("error", "warning")
_PATIENCE = 300  # seconds for one script


@dataclass(frozen=True)
class Case:
    """One script, and what is right to say of it."""

    script: Path
    cause: str  # of the folder; for a healthy script the one that it is mistaken for
    accept: frozenset[str]  # ids that are right as the first answer; none for a healthy script
    quick: bool = False  # belongs to the few that run with the tests
    launch: int = 0  # processes that torch's launcher starts; 0: the script runs by itself

    @property
    def name(self) -> str:
        """`folder/name`, as `--only` takes it."""
        return f"{self.script.parent.name}/{self.script.stem}"

    @property
    def sick(self) -> bool:
        """Whether something is wrong with it."""
        return bool(self.accept)


@dataclass(frozen=True)
class Outcome:
    """What the command said of one script."""

    case: Case
    seconds: float
    verdict: str = ""  # "" where there was no report
    causes: list[str] = field(default_factory=list)  # at warning or above, first suspect first
    error: str = ""  # why there was no report
    untried: list[str] = field(default_factory=list)  # causes as they were before any trial
    confirmed: bool = False  # a trial has confirmed the first one
    triable: bool = False  # a trial of a right cause was possible
    trials: int = 0
    probe: float = 0.0  # seconds of the watched run alone

    @property
    def top1(self) -> bool:
        """The right cause comes first."""
        return self.causes[:1] != [] and self.causes[0] in self.case.accept

    @property
    def top1_untried(self) -> bool:
        """... and came first before any trial."""
        return self.untried[:1] != [] and self.untried[0] in self.case.accept

    @property
    def top3(self) -> bool:
        """The right cause is among the first three."""
        return any(cause in self.case.accept for cause in self.causes[:3])

    @property
    def alarm(self) -> bool:
        """A healthy script is called sick."""
        return not self.case.sick and bool(self.causes)


class Malformed(Exception):
    """A `cases.yaml` does not fit the scripts beside it; lists every mistake."""


def load(folder: Path = CASES) -> list[Case]:
    """All cases, sick ones before their twins. Raises Malformed with all mistakes."""
    cases: list[Case] = []
    mistakes: list[str] = []
    for part in sorted(p for p in folder.iterdir() if p.is_dir() and p.name != "__pycache__"):
        listing = part / "cases.yaml"
        if not listing.is_file():
            mistakes.append(f"{part.name}: no cases.yaml")
            continue
        found = []
        for entry in yaml.safe_load(listing.read_text(encoding="utf-8")):
            script, quick, launch = part / f"{entry['name']}.py", bool(entry.get("quick", False)), int(entry.get("launch", 0))
            if entry.get("healthy"):
                found.append(Case(script, entry.get("looks_like", ""), frozenset(), quick, launch))
            else:
                accept = frozenset({part.name, *entry["accept"]})
                found.append(Case(script, part.name, accept, quick, launch))
                found.append(Case(script.with_name(f"{script.stem}_ok.py"), part.name, frozenset(), quick, launch))
        listed, there = {c.script.name for c in found}, {p.name for p in part.glob("*.py")}
        mistakes += [f"{part.name}/{name}: listed in cases.yaml and not there" for name in sorted(listed - there)]
        mistakes += [f"{part.name}/{name}: not listed in cases.yaml" for name in sorted(there - listed)]
        cases += found
    if mistakes:
        raise Malformed("\n".join(mistakes))
    return cases


def run(case: Case, save: Path | None = None, trials: bool = True) -> Outcome:
    """The real command on a copy of the script, which is alone in a folder and is called train.py there."""
    with tempfile.TemporaryDirectory(prefix="nndoctor-case-") as temporary:
        folder = Path(temporary)
        shutil.copy(case.script, folder / "train.py")
        report = folder / "report.json"
        options = ["--format", "json", "--output", str(report)]
        recording = (save or folder) / f"{case.name.replace('/', '--')}.jsonl"
        options += ["--save", str(recording), *([] if trials else ["--no-trials"])]
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(case.launch)] if case.launch else []
        command = [sys.executable, "-m", "nndoctor", "check", *options, *launcher, "train.py"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        started = time.monotonic()
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=_PATIENCE, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Outcome(case, time.monotonic() - started, error=f"not done after {_PATIENCE} s")
        seconds = time.monotonic() - started
        if not report.is_file():
            return Outcome(case, seconds, error=f"exit code {done.returncode}: {_last_line(done.stderr)}")
        said = json.loads(report.read_text(encoding="utf-8"))
        untried = [s.cause.id for s in diagnose(codec.load(recording)).suspects if s.severity in GRAVE]
    causes = [c["id"] for c in said["causes"] if c["severity"] in GRAVE]
    confirmed = any(c["confirmed"] for c in said["causes"][:1])
    triable = any(t["cause"] in case.accept and t["outcome"] != "not possible" for t in said["trials"])
    error = "" if said["verdict"] != "inconclusive" else "; ".join(said["reasons"]) or _last_line(done.stderr)
    return Outcome(
        case, seconds, said["verdict"], causes, error, untried, confirmed, triable, len(said["trials"]), said["run"]["total_seconds"] or 0.0
    )


def look(case: Case, python: str) -> Outcome:
    """What is said of a script without any trial. `python` runs it; several processes, and the command, are for `run`."""
    here = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="nndoctor-case-") as temporary:
        shutil.copy(case.script, f"{temporary}/train.py")
        os.chdir(temporary)
        try:
            recording = watch(Target("train.py", python=python), Limits(), None, None)
        finally:
            os.chdir(here)
    diagnosis = diagnose(recording)
    causes = [s.cause.id for s in diagnosis.suspects if s.severity in GRAVE]
    error = "" if diagnosis.verdict != "inconclusive" else "; ".join(diagnosis.reasons)
    return Outcome(case, recording.end.total_seconds if recording.end is not None else 0.0, diagnosis.verdict, causes, error, causes)


def _last_line(words: str) -> str:
    lines = [line for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """One line a cause: hits among its sick scripts, alarms among its healthy ones, and the misses by name."""
    lines = [f"{'':26} top-1 untried  top-3  confirmed  alarms  seconds"]
    for folder in sorted({o.case.script.parent.name for o in outcomes}):
        here = [o for o in outcomes if o.case.script.parent.name == folder]
        sick, well = [o for o in here if o.case.sick], [o for o in here if not o.case.sick]
        hits = [
            f"{sum(o.top1 for o in sick)}/{len(sick)}", f"{sum(o.top1_untried for o in sick)}/{len(sick)}", f"{sum(o.top3 for o in sick)}/{len(sick)}",
            f"{sum(o.confirmed and o.top1 for o in sick)}/{sum(o.triable for o in sick)}",
        ] if sick else [""] * 4  # fmt: skip
        alarms = f"{sum(o.alarm for o in well)}/{len(well)}"
        lines.append(f"{folder:26} {hits[0]:>5} {hits[1]:>7}  {hits[2]:>5}  {hits[3]:>9}  {alarms:>6}  {sum(o.seconds for o in here):7.1f}")
    return lines


def misses(outcomes: Iterable[Outcome]) -> list[str]:
    """One line for every script of which something else was said than is right."""
    lines = []
    for o in outcomes:
        said = ", ".join(o.causes[:3]) or o.verdict or "no report"
        if o.error:
            lines.append(f"{o.case.name}: no diagnosis: {o.error}")
        elif o.case.sick and not o.top1:
            place = "among the first three" if o.top3 else "not among the first three"
            lines.append(f"{o.case.name}: {place}: {said}")
        elif o.alarm:
            lines.append(f"{o.case.name}: false alarm: {said}")
        if o.confirmed and o.case.sick and not o.top1:
            lines.append(f"{o.case.name}: WRONGLY CONFIRMED: {o.causes[0]}")
        if o.trials and not o.case.sick:
            lines.append(f"{o.case.name}: {o.trials} trials of a healthy script")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return the exit code."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", metavar="PREFIX", action="append", help="only cases whose folder/name begins so; may be repeated")
    parser.add_argument("--save", metavar="DIR", type=Path, help="keep recordings and outcomes in this folder")
    parser.add_argument("--jobs", metavar="N", type=int, default=2, help="scripts at a time (default 2)")
    options = parser.parse_args(arguments)
    try:
        cases = load()
    except Malformed as mistakes:
        print(mistakes, file=sys.stderr)
        return 1
    cases = [c for c in cases if not options.only or c.name.startswith(tuple(options.only))]
    if not cases:
        print(f"no case begins with {' or '.join(options.only)}", file=sys.stderr)
        return 1
    if options.save is not None:
        options.save.mkdir(parents=True, exist_ok=True)
        options.save = options.save.resolve()
    started = time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(lambda case: run(case, options.save), cases))
    if options.save is not None:
        rows = [{"name": o.case.name, "right": sorted(o.case.accept), **_plain(o)} for o in outcomes]
        (options.save / "outcomes.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(outcomes)))
    print(*misses(outcomes), sep="\n")
    return _totals(outcomes, time.monotonic() - started)


def _plain(outcome: Outcome) -> dict[str, object]:
    return {"seconds": round(outcome.seconds, 1), "verdict": outcome.verdict, "causes": outcome.causes, "error": outcome.error}


def _totals(outcomes: Sequence[Outcome], seconds: float) -> int:
    sick, well = [o for o in outcomes if o.case.sick], [o for o in outcomes if not o.case.sick]
    top1, untried, top3 = (_share(sick, name) for name in ("top1", "top1_untried", "top3"))
    alarms = sum(o.alarm for o in well)
    slowest = max(outcomes, key=lambda o: o.seconds)
    triable = [o for o in sick if o.triable]
    print(
        f"{len(sick)} sick: top-1 {top1:.1%} ({untried:.1%} without trials), top-3 {top3:.1%}; {len(well)} healthy: {alarms} false alarms; "
        f"{seconds:.0f} s in all, {slowest.seconds:.0f} s the longest ({slowest.case.name})"
    )
    if triable:
        wrong = sum(o.confirmed and not o.top1 for o in sick)
        times = sorted(o.seconds / o.probe for o in sick if o.probe and o.trials)
        print(
            f"confirmed by a trial: {sum(o.confirmed and o.top1 for o in triable)} of {len(triable)} whose right cause could be tried, "
            f"{wrong} wrongly; a sick diagnosis takes {times[len(times) // 2]:.1f} times the probe (median; {times[-1]:.1f} at most)"
        )
    # A healthy script of which nothing can be said is no alarm, and yet wrong.
    return int(top1 < LEAST_TOP1 or top3 < LEAST_TOP3 or alarms > 0 or any(o.error for o in outcomes))


def _share(outcomes: Sequence[Outcome], name: str) -> float:
    return sum(getattr(o, name) for o in outcomes) / len(outcomes) if outcomes else 1.0


if __name__ == "__main__":
    sys.exit(main())
