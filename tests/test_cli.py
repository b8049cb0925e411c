"""The command: what it takes, what it prints where, and what it returns."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from nndoctor import cli
from nndoctor.cli import EXIT_CLEAN, EXIT_FOUND, EXIT_NO_DIAGNOSIS, EXIT_USAGE, run
from nndoctor.diagnosis.model import Diagnosis
from nndoctor.record import codec
from nndoctor.record.cut import cut
from nndoctor.record.model import Recording, Step
from nndoctor.report.json import schema_text
from nndoctor.version import __version__
from tests.report import samples
from tests.symptoms import build

COMMANDS = ("check", "curves", "diagnose", "diff", "explain", "causes", "schema", "symptoms", "try")
SCRIPT = """
import sys
import torch
from torch import nn

print("arguments", sys.argv[1:])
torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] + x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(40):
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("done")
"""


@dataclass
class Watched:
    """What the command asked for, and what it is given back."""

    diagnosis: Diagnosis
    calls: list[tuple[Any, Any]] = field(default_factory=list)
    options: list[Any] = field(default_factory=list)
    recordings: list[Recording] = field(default_factory=list)
    budgets: list[Any] = field(default_factory=list)
    forks: list[bool] = field(default_factory=list)
    causes: list[Any] = field(default_factory=list)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Watched:
    """Nothing runs: the watch and the diagnosis are those of a sample."""
    state = Watched(samples.sick())

    def watch(
        target: Any, limits: Any, on_record: Callable[[Any], None], on_output: Callable[[bytes], None], ranks: Path
    ) -> Recording:
        state.calls.append((target, limits))
        on_output(b"printed by the script\n")
        on_record(Step(1, 0.1, 2.0))
        return state.diagnosis.recording

    def diagnose(recording: Recording, options: Any) -> Diagnosis:
        state.options.append(options)
        state.recordings.append(recording)
        return state.diagnosis

    def try_suspects(diagnosis: Diagnosis, causes: Any, laboratory: Any, budget: Any, shown: Any) -> Diagnosis:
        state.budgets.append(budget)
        state.causes.append(causes)
        state.forks.append(laboratory._fork)
        return diagnosis

    monkeypatch.setattr("nndoctor.trials.run.try_suspects", try_suspects)
    monkeypatch.setattr("nndoctor.probe.launch.watch", watch)
    monkeypatch.setattr("nndoctor.diagnosis.engine.diagnose", diagnose)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("", encoding="utf-8")
    return state


def nndoctor(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "nndoctor", *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent.parent), "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on stderr of a command that returns 2."""
    code = run(arguments)
    out, err = capsys.readouterr()

    assert (EXIT_USAGE, "", 1) == (code, out, err.count("\n"))
    assert err.startswith("nndoctor: ")
    return err.removeprefix("nndoctor: ").rstrip()


# --- exit codes


@pytest.mark.parametrize(
    ("sample", "fail_on", "code"),
    [
        ("sick", "error", EXIT_FOUND), ("sick", "warning", EXIT_FOUND), ("sick", "note", EXIT_FOUND), ("sick", "never", EXIT_CLEAN),
        ("healthy", "error", EXIT_CLEAN), ("healthy", "warning", EXIT_CLEAN), ("healthy", "note", EXIT_FOUND),
        ("diverged", "warning", EXIT_FOUND), ("inconclusive", "warning", EXIT_NO_DIAGNOSIS),
        ("inconclusive", "never", EXIT_NO_DIAGNOSIS),
    ],
)  # fmt: skip
def test_exit_code(watched: Watched, sample: str, fail_on: str, code: int) -> None:
    """A finding at or above --fail-on is 1; a run that raised and can be judged is judged; too little seen is 3."""
    watched.diagnosis = samples.SAMPLES[sample]()

    assert code == run(["check", "--quiet", "--fail-on", fail_on, "train.py"])


def test_exit_codes_are_those_of_the_contract() -> None:
    """The numbers are public."""
    assert (0, 1, 2, 3) == (EXIT_CLEAN, EXIT_FOUND, EXIT_USAGE, EXIT_NO_DIAGNOSIS)


def test_a_warning_is_no_error(watched: Watched) -> None:
    """--fail-on error lets warnings pass; by default they do not."""
    watched.diagnosis.suspects[:] = watched.diagnosis.suspects[1:]

    assert EXIT_CLEAN == run(["check", "--quiet", "--fail-on", "error", "train.py"])
    assert EXIT_FOUND == run(["check", "--quiet", "train.py"])


def test_a_fault_of_ours_is_no_finding(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception in nndoctor shows its traceback and returns 3; the recording has been saved by then."""

    def broken(recording: Recording, options: Any) -> Diagnosis:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("nndoctor.diagnosis.engine.diagnose", broken)

    assert EXIT_NO_DIAGNOSIS == run(["check", "--quiet", "--save", "run.jsonl", "train.py"])
    assert "ZeroDivisionError: ours" in (err := capsys.readouterr().err)
    assert err.endswith("this is a fault of nndoctor, not of your script; please report it\n")
    assert watched.diagnosis.recording == codec.load("run.jsonl")


# --- what it takes


def test_everything_after_the_script_is_the_scripts(watched: Watched) -> None:
    """Options that look like ours, `--`, help and version: all of it goes to the script, untouched."""
    theirs = ["--steps", "7", "--help", "--", "-m", "--version", "--lr=0.1", ""]
    run(["check", "--quiet", "--steps", "5", "train.py", *theirs])
    ((target, limits),) = watched.calls

    assert ("train.py", tuple(theirs), False, 5) == (target.script, target.arguments, target.module, limits.steps)


def test_module(watched: Watched) -> None:
    """`-m package.module` runs a module, and ends our options as it does python's."""
    run(["check", "--quiet", "-m", "package.train", "-m", "--quiet"])
    ((target, _),) = watched.calls

    assert ("package.train", ("-m", "--quiet"), True) == (target.script, target.arguments, target.module)


def test_options_reach_their_places(watched: Watched) -> None:
    """Limits go to the watch, causes to the diagnosis; lists are separated by commas or repeated."""
    run(
        ["check", "--quiet", "--steps", "5", "--seconds", "6.5", "--timeout", "7", "--select", "lr-too-low,lr-too-high",
         "--select", "loss-input", "--ignore", "not-shuffled", "train.py"]
    )  # fmt: skip
    ((_, limits),) = watched.calls
    (options,) = watched.options

    assert (5, 6.5, 7.0) == (limits.steps, limits.seconds, limits.timeout)
    assert {"lr-too-low", "lr-too-high", "loss-input"} == options.select
    assert {"not-shuffled"} == options.ignore


def test_how_much_is_tried(watched: Watched, tmp_path: Path) -> None:
    """By default a dozen trials in a minute; a healthy run costs none, nor one of which nothing can be said."""
    for options in ([], ["--trials", "3", "--budget", "20"], ["--no-fork"], ["--no-trials"], ["--trials", "0"]):
        run(["check", "--quiet", *options, "train.py"])
    for sample in (samples.healthy(), samples.inconclusive()):
        watched.diagnosis = sample
        run(["check", "--quiet", "train.py"])

    assert [(12, 60.0), (3, 20.0), (12, 60.0)] == [(b.most, b.seconds) for b in watched.budgets]
    assert [True, True, False] == watched.forks


def test_what_a_comment_silences_is_not_tried(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    """The suspect is gone from what is told and from what may be tried; the others are neither."""
    Path("train.py").write_text("\n" * 13 + "softmax = 1  # nndoctor: ignore[loss-input]\n", encoding="utf-8")

    assert EXIT_FOUND == run(["check", "--quiet", "--format", "json", "train.py"])
    document = json.loads(capsys.readouterr().out)
    assert (["loss-input"], "lr-too-low") == ([c["id"] for c in document["silenced"]], document["causes"][0]["id"])
    (causes,) = watched.causes
    assert "loss-input" not in causes and "lr-too-low" in causes


def test_pyproject_beside_the_script(watched: Watched, tmp_path: Path) -> None:
    """The table above the script is read, wherever the command is run; the command line and --config win."""
    (tmp_path / "project" / "src").mkdir(parents=True)
    (tmp_path / "project" / "src" / "train.py").write_text("", encoding="utf-8")
    table = "[tool.nndoctor]\nsteps = 11\nseconds = 12\nformat = 'json'\n"
    (tmp_path / "project" / "pyproject.toml").write_text(table, encoding="utf-8")
    (tmp_path / "own.yaml").write_text("steps: 21\n", encoding="utf-8")
    run(["check", "--quiet", "--seconds", "99", "project/src/train.py"])
    run(["check", "--quiet", "--config", "own.yaml", "project/src/train.py"])

    assert [(11, 99.0), (21, 60.0)] == [(limits.steps, limits.seconds) for _, limits in watched.calls]


# --- what it prints where


def test_text_report(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    """The report is on stdout, what the script prints on stderr."""
    run(["check", "train.py"])
    out, err = capsys.readouterr()

    assert out.startswith("SICK  Softmax before a loss that applies its own")
    assert "printed by the script\n" == err


def test_json_report_is_alone_on_stdout(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    """One document and nothing else; the script's output still on stderr."""
    run(["check", "--format", "json", "train.py"])
    out, err = capsys.readouterr()

    assert "sick" == json.loads(out)["verdict"]
    assert "printed by the script\n" == err


def test_quiet(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    """--quiet leaves the report and silences the script."""
    run(["check", "--quiet", "train.py"])
    out, err = capsys.readouterr()

    assert out.startswith("SICK")
    assert "" == err


@pytest.mark.parametrize("kind", ["text", "json", "html"])
def test_output_file(watched: Watched, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--output takes the whole report, without colour, and stdout stays empty; an older file is replaced."""
    Path("report").write_text("<older>" * 10_000, encoding="utf-8")
    run(["check", "--quiet", "--format", kind, "--output", "report", "train.py"])
    text = Path("report").read_text(encoding="utf-8")

    assert "" == capsys.readouterr().out
    assert "<older>" not in text
    assert "\x1b" not in text
    assert "loss-input" in text


def test_save_and_diagnose(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    """The saved recording is the one that was diagnosed, and gives the same report with the same options."""
    run(["check", "--quiet", "--save", "run.jsonl", "train.py"])
    first = capsys.readouterr().out
    code = run(["diagnose", "run.jsonl", "--ignore", "lr-too-low"])

    assert (EXIT_FOUND, first) == (code, capsys.readouterr().out)
    assert watched.recordings[0] == watched.recordings[1]
    assert {"lr-too-low"} == watched.options[1].ignore


def test_verbose(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    """--verbose adds the sections that the short report leaves out."""
    run(["check", "--quiet", "--verbose", "train.py"])
    out = capsys.readouterr().out

    assert all(section in out for section in ("Layers", "Settings", "Classes", "Symptoms", "Ruled out"))


@pytest.mark.parametrize(
    ("option", "terminal", "environment", "coloured"),
    [
        ("auto", True, {}, True), ("auto", False, {}, False), ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"TERM": "dumb"}, False), ("always", False, {"NO_COLOR": "1"}, True), ("never", True, {}, False),
    ],
)  # fmt: skip
def test_colour(
    option: str, terminal: bool, environment: dict[str, str], coloured: bool,
    watched: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Colour where stdout is a terminal that nobody objects for, or as told."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    run(["check", "--quiet", "--color", option, "train.py"])

    assert coloured == ("\x1b[" in capsys.readouterr().out)


def test_width_of_the_terminal(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report is as wide as the terminal, within reason."""
    widest = {}
    for columns in (20, 70, 100, 500):
        monkeypatch.setenv("COLUMNS", str(columns))
        run(["check", "--quiet", "train.py"])
        widest[columns] = max(len(line) for line in capsys.readouterr().out.splitlines())

    assert widest[20] <= 60
    assert 60 < widest[70] <= 70
    assert 80 < widest[100] <= 100
    assert widest[500] <= 120


# --- what it refuses


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing command; see `nndoctor --help`"),
        (["chek", "train.py"], "no such command 'chek'; did you mean `nndoctor check`?; see `nndoctor --help`"),
        (["train.py", "--lr", "1"], "no such command 'train.py'; did you mean `nndoctor check train.py`?"),
        (["check"], "Missing argument 'SCRIPT'; see `nndoctor check --help`"),
        (["check", "--step", "train.py"], "No such option '--step'"),
        (["check", "--steps", "many", "train.py"], "Invalid value for '--steps'"),
        (["check", "--steps", "0", "train.py"], "command line: steps must be a whole number from 1, not 0"),
        (["check", "--seconds", "nan", "train.py"], "command line: seconds must be a number, not nan"),
        (["check", "--timeout", "-1", "train.py"], "command line: timeout must be above 0, not -1.0"),
        (["check", "--format", "xml", "train.py"], "Invalid value for '--format'"),
        (["check", "gone.py"], "gone.py: no such file; name the script that you would give to python"),
        (["check", "package.train"], "package.train: no such file; `nndoctor check -m package.train`, if you meant a module"),
        (["check", "folder"], "folder: is a directory; name the script in it"),
        (["check", "--ignore", "lr-to-low", "train.py"], "ignore names no cause: 'lr-to-low' (did you mean 'lr-too-low'?)"),
        (["check", "--config", "gone.yaml", "train.py"], "gone.yaml: cannot be read: No such file or directory"),
        (["check", "--output", "gone/report", "train.py"], "gone/report: the directory gone does not exist"),
        (["check", "--output", "folder", "train.py"], "folder: is a directory; name a file"),
        (["check", "--output", "train.py", "train.py"], "train.py: is what is to be read; name another file"),
        (["check", "--save", "./train.py", "train.py"], "train.py: is what is to be read; name another file"),
        (["check", "--save", "a", "--output", "a", "train.py"], "a: two things are to be written to it; name two files"),
        (["diagnose", "gone.jsonl"], "gone.jsonl: cannot be read: No such file or directory"),
        (["diagnose", "train.py"], "train.py: not a recording"),
        (["explain", "lr-to-high"], "'lr-to-high' is no cause; did you mean 'lr-too-high'? `nndoctor causes` lists"),
        (["explain", "zzzzzz"], "'zzzzzz' is no cause; `nndoctor causes` lists all of them"),
        (["explain", "loss-flat"], "'loss-flat' is a symptom, not a cause; `nndoctor symptoms` explains it"),
        (["check", "--trials", "-1", "train.py"], "command line: trials must be a whole number from 0, not -1"),
        (["check", "--budget", "0", "train.py"], "command line: budget must be above 0, not 0.0"),
        (["try"], "missing --change; see `nndoctor try --help`"),
        (["try", "--change", "lr*10"], "missing SCRIPT"),
        (["try", "--change", "lr=10", "train.py"], "'lr=10': spelt lr*FACTOR"),
        (["try", "--change", "speed*10", "train.py"], "'speed*10': no change of this kind; `nndoctor try --list` shows all"),
        (["try", "--change", "activation=swoosh", "train.py"], "spelt activation=NAME, with one of relu, he-relu, leaky_relu, gelu, tanh"),
        (["try", "--change", "lr*10", "gone.py"], "gone.py: no such file"),
        (["causes", "extra"], "Got unexpected extra argument"),
    ],
)  # fmt: skip
def test_refusal(watched: Watched, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each mistake is one line on stderr and code 2, before anything runs."""
    Path("folder").mkdir()

    assert said in refused(capsys, *arguments)
    assert [] == watched.calls


def test_unwritable_output(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A directory in which nothing may be written is told before the run, not after it. (Root may write everywhere.)"""
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)

    assert "report: cannot be written: permission denied" == refused(capsys, "check", "--output", "report", "train.py")
    assert [] == watched.calls


def test_several_mistakes_of_a_file(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    """All mistakes of a configuration, on one line."""
    Path("bad.yaml").write_text("stepz: 3\nseconds: long\n", encoding="utf-8")
    said = refused(capsys, "check", "--config", "bad.yaml", "train.py")

    assert said.startswith("bad.yaml: 'stepz' is no setting (did you mean 'steps'?); valid are steps, ")
    assert "seconds must be a number, not 'long'" in said


# --- two recordings


def test_diff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording against itself gives 0; against one with a new finding 1, or 0 where that is mild enough; both reports name it."""
    monkeypatch.chdir(tmp_path)
    recording = build.healthy()
    codec.save(recording, "before.jsonl")
    for step in recording.steps[1:]:
        step.carried = step.held
    recording.calls = [c for c in recording.calls if c.what != "zero_grad"]
    codec.save(recording, "after.jsonl")

    assert EXIT_CLEAN == run(["diff", "before.jsonl", "before.jsonl"])
    assert EXIT_FOUND == run(["diff", "before.jsonl", "after.jsonl"])
    assert "missing-zero-grad" in capsys.readouterr().out
    assert EXIT_CLEAN == run(["diff", "before.jsonl", "after.jsonl", "--fail-on", "never"])
    assert EXIT_CLEAN == run(["diff", "after.jsonl", "before.jsonl", "--output", "report.json", "--format", "json"])
    assert "missing-zero-grad" in [s["id"] for s in json.loads(Path("report.json").read_text(encoding="utf-8"))["gone"]]


def test_diff_of_too_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where one of the two saw too little, the code says that nothing was compared."""
    monkeypatch.chdir(tmp_path)
    codec.save(build.healthy(), "long.jsonl")
    codec.save(cut(build.healthy(), 3), "short.jsonl")

    assert EXIT_NO_DIAGNOSIS == run(["diff", "long.jsonl", "short.jsonl"])
    assert "too little was seen to compare them" in capsys.readouterr().out


def test_diff_refuses_what_is_no_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is none, one that is missing, and a report over what is to be read are refused in one line."""
    monkeypatch.chdir(tmp_path)
    codec.save(build.healthy(), "run.jsonl")
    Path("other.jsonl").write_text("{}\n", encoding="utf-8")

    assert "not a line of a recording" in refused(capsys, "diff", "run.jsonl", "other.jsonl")
    assert "cannot be read" in refused(capsys, "diff", "missing.jsonl", "run.jsonl")
    assert "is what is to be read" in refused(capsys, "diff", "run.jsonl", "run.jsonl", "--output", "run.jsonl")


# --- a log


def test_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A log of overfitting gives 1, or 0 where that is mild enough; one that learns 0; one of two epochs 3."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{i},{2 * 0.7**i},{1 + 0.2 * i}" for i in range(12)]
    Path("overfits.csv").write_text("\n".join(["epoch,loss,val_loss", *rows]), encoding="utf-8")
    Path("learns.jsonl").write_text("".join(json.dumps({"loss": 2 * 0.7**i}) + "\n" for i in range(12)), encoding="utf-8")
    Path("short.csv").write_text("\n".join(["epoch,loss,val_loss", *rows[:2]]), encoding="utf-8")

    assert EXIT_FOUND == run(["curves", "overfits.csv"])
    assert "the network overfits" in capsys.readouterr().out
    assert EXIT_CLEAN == run(["curves", "overfits.csv", "--fail-on", "error"])
    assert EXIT_CLEAN == run(["curves", "learns.jsonl", "--format", "json", "--output", "report.json"])
    assert "unremarkable" == json.loads(Path("report.json").read_text(encoding="utf-8"))["verdict"]
    assert EXIT_NO_DIAGNOSIS == run(["curves", "short.csv"])
    assert EXIT_CLEAN == run(["curves", "overfits.csv", "--train", "loss", "--validation", "loss"])


def test_curves_refuses_what_is_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file, one that is none, a column that is not there, and a report over the log are refused in one line."""
    monkeypatch.chdir(tmp_path)
    Path("log.csv").write_text("epoch,loss\n1,2\n", encoding="utf-8")
    Path("words.txt").write_text("Once upon a time\nthere was a loss\n", encoding="utf-8")

    assert "no such file" in refused(capsys, "curves", "missing.csv")
    assert "no column of a loss" in refused(capsys, "curves", "words.txt")
    assert "no column 'x'" in refused(capsys, "curves", "log.csv", "--train", "x")
    assert "is what is to be read" in refused(capsys, "curves", "log.csv", "--output", "log.csv")


# --- lists and help


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command has a help page with examples that name it, and stands on the main one."""
    assert EXIT_CLEAN == run([command, "--help"])
    page = capsys.readouterr().out
    run(["--help"])

    assert f"Usage: nndoctor {command}" in page
    assert f"\n    nndoctor {command} " in page[page.index("Examples:") :] + " "
    assert f"  {command} " in capsys.readouterr().out


def test_all_commands_are_tested() -> None:
    """A new command is added to the list above."""
    assert sorted(COMMANDS) == sorted(cli.nndoctor.commands)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--version says which."""
    assert EXIT_CLEAN == run(["--version"])
    assert f"nndoctor {__version__}\n" == capsys.readouterr().out


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    """The page on a cause is on stdout."""
    assert EXIT_CLEAN == run(["explain", "loss-input"])
    out = capsys.readouterr().out

    assert "loss-input · error · stage: loss" in out
    assert "Known problems" in out


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    """Causes and symptoms as text and as JSON name the same ones."""
    for command in ("causes", "symptoms"):
        run([command])
        text = capsys.readouterr().out
        run([command, "--format", "json"])
        document = json.loads(capsys.readouterr().out)
        names = [entry.get("id", entry.get("name")) for entry in document[command]]

        assert 1 == document["schema_version"]
        assert len(names) > 20
        assert [] == [name for name in names if name not in text]


# --- the command in a process of its own


def test_both_spellings(tmp_path: Path) -> None:
    """`python -m nndoctor` is `nndoctor`."""
    ours = nndoctor("--version", cwd=tmp_path)
    installed = Path(sys.executable).with_name("nndoctor")

    assert (0, f"nndoctor {__version__}\n", "") == (ours.returncode, ours.stdout, ours.stderr)
    if installed.exists():
        assert ours.stdout == subprocess.check_output([installed, "--version"], text=True)


def test_help_is_quick(tmp_path: Path) -> None:
    """Help takes less than 0.3 s at the best of ten tries on a busy machine, and imports nothing heavy."""
    fastest = math.inf
    for _ in range(10):
        start = time.perf_counter()
        assert 0 == nndoctor("--help", cwd=tmp_path).returncode
        fastest = min(fastest, time.perf_counter() - start)
        if fastest < 0.3:
            break
    heavy = "{'torch', 'numpy', 'rich', 'yaml'}"
    check = f"import sys, nndoctor.cli as c; c.run(['check', '--help']); print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)

    assert fastest < 0.3
    assert "[]" == found.stdout.splitlines()[-1]


def test_diagnose_needs_no_torch(tmp_path: Path) -> None:
    """Where importing torch raises, a recording is still judged."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('no torch here')\n", encoding="utf-8")
    codec.save(samples.sick().recording, tmp_path / "run.jsonl")
    path = os.pathsep.join([str(tmp_path), str(Path(cli.__file__).parent.parent)])
    found = nndoctor("diagnose", "run.jsonl", "--format", "json", cwd=tmp_path, PYTHONPATH=path)

    assert "" == found.stderr
    assert found.returncode in (EXIT_CLEAN, EXIT_FOUND)
    assert 161 == json.loads(found.stdout)["run"]["steps"]


def test_check_for_real(tmp_path: Path) -> None:
    """A script is run with its arguments, its output is on stderr, and the saved recording gives the same report."""
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    found = nndoctor(
        "check", "--format", "json", "--save", "run.jsonl", "--steps", "30", "train.py", "--steps", "9", cwd=tmp_path
    )
    again = nndoctor("diagnose", "run.jsonl", "--format", "json", cwd=tmp_path)
    document = json.loads(found.stdout)

    assert "arguments ['--steps', '9']" in found.stderr
    assert "done" not in found.stderr
    assert ("train.py", 30, "steps") == (document["script"], document["run"]["steps"], document["run"]["reason"])
    assert ["--steps", "9"] == document["run"]["arguments"]
    assert (found.returncode, found.stdout) == (again.returncode, again.stdout)


SICK = SCRIPT.replace("nn.Linear(16, 2))", "nn.Linear(16, 2), nn.Softmax(dim=0))").replace("range(40)", "range(150)")


def test_a_cause_is_proved_for_real(tmp_path: Path) -> None:
    """The softmax is bypassed in a run that is otherwise the same, and the report says what came of it."""
    (tmp_path / "train.py").write_text(SICK, encoding="utf-8")
    found = nndoctor("check", "--format", "json", "train.py", cwd=tmp_path)
    document = json.loads(found.stdout)
    Draft202012Validator(json.loads(schema_text())).validate(document)
    first = document["causes"][0]

    assert EXIT_FOUND == found.returncode
    assert ("loss-input", True, "output=identity") == (first["id"], first["confirmed"], first["trial"]["spelling"])
    assert "nndoctor: tried output activation bypassed: accuracy" in found.stderr
    assert 1 == found.stderr.count("arguments []")  # what trials print is nobody's
    assert ["train.py"] == [p.name for p in tmp_path.iterdir()]


def test_a_change_is_tried_by_hand(tmp_path: Path) -> None:
    """Both curves, or both as numbers; code 3 where the change finds nothing to change."""
    (tmp_path / "train.py").write_text(SICK, encoding="utf-8")
    text = nndoctor("try", "--quiet", "--change", "output=identity", "train.py", cwd=tmp_path)
    document = json.loads(nndoctor("try", "--change", "lr*10", "--format", "json", "train.py", cwd=tmp_path).stdout)
    nothing = nndoctor("try", "--quiet", "--change", "dropout=off", "train.py", cwd=tmp_path)

    assert (EXIT_CLEAN, "") == (text.returncode, text.stderr)
    assert text.stdout.startswith("BETTER  train.py with output activation bypassed\n")
    assert ("lr*10", 150) == (document["spelling"], document["steps"])
    assert EXIT_NO_DIAGNOSIS == nothing.returncode
    assert "Nothing can be said: there was nothing in this run that it could change." in nothing.stdout


def test_changes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a script."""
    assert EXIT_CLEAN == run(["try", "--list"])
    assert "  lr*FACTOR\n" in capsys.readouterr().out


def test_check_a_module_quietly(tmp_path: Path) -> None:
    """`-m` finds a module from the working directory; --quiet leaves nothing but the report."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "train.py").write_text(SCRIPT, encoding="utf-8")
    found = nndoctor("check", "--quiet", "-m", "package.train", "--lr", "1", cwd=tmp_path)

    assert "" == found.stderr
    assert "package.train --lr 1: 40 steps" in " ".join(found.stdout.split())


def test_check_of_a_script_that_raises(tmp_path: Path) -> None:
    """No diagnosis is 3, and the report has the script's own traceback."""
    (tmp_path / "train.py").write_text(
        "import torch\n\ndef load():\n    raise KeyError('data')\n\nload()\n", encoding="utf-8"
    )
    found = nndoctor("check", "--quiet", "train.py", cwd=tmp_path)

    assert (EXIT_NO_DIAGNOSIS, "") == (found.returncode, found.stderr)
    assert "the script raised KeyError: 'data'" in found.stdout
    assert 'train.py",line4,inload' in "".join(found.stdout.split())  # a long path is broken over lines
    assert "nndoctor/" not in found.stdout


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    """`nndoctor causes | head -1` prints no traceback."""
    command = f"{sys.executable} -m nndoctor causes | head -1; {sys.executable} -m nndoctor symptoms | true"
    found = subprocess.run(
        ["bash", "-c", command], cwd=Path(cli.__file__).parent.parent, capture_output=True, text=True, check=False
    )

    assert ("data\n", "") == (found.stdout, found.stderr)


def test_a_terminal_without_our_characters(tmp_path: Path) -> None:
    """Where stdout is ASCII, the report is too."""
    codec.save(samples.sick().recording, tmp_path / "run.jsonl")
    found = nndoctor("diagnose", "run.jsonl", cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert "" == found.stderr
    assert found.stdout.isascii()
    assert "+----" in found.stdout
