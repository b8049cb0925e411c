"""Which report goes where: formats, files and stdout, as the command line says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nndoctor import checkup, cli
from nndoctor.checkup import Delivery, Gate
from nndoctor.cli import EXIT_CLEAN, EXIT_FOUND, EXIT_USAGE, run
from nndoctor.config import Settings
from nndoctor.errors import UsageError
from nndoctor.options import paired
from nndoctor.record import codec
from nndoctor.report.formats import FORMATS
from tests.diagnosis.test_engine import double_softmax
from tests.report import samples
from tests.symptoms.build import stuck

STARTS = {
    "text": r"SICK  ", "json": r"\{\n  \"schema_version\"", "sarif": r"\{\n  \"\$schema\"", "junit": r"<\?xml ", "markdown": r"# nndoctor: ",
    "github": r"::error ",
}  # fmt: skip
A, B = Path("a"), Path("b")


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sick recording in the working directory, with its script: loss-input is at line 30."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "train.py").write_text("\n".join(f"x{i} = {i}" for i in range(1, 41)), encoding="utf-8")
    codec.save(double_softmax(stuck()), tmp_path / "run.jsonl")
    return tmp_path


def kind(text: str) -> str:
    """The format of a report, by how it begins."""
    return next((name for name, start in STARTS.items() if re.match(start, text)), text[:40])


# --- pairs


@pytest.mark.parametrize(
    ("order", "formats", "outputs", "expected"),
    [
        ([], [], [], [("text", None)]),
        (["output"], [], [A], [("text", A)]),
        (["output", "format"], ["json"], [A], [("json", A)]),
        (["format", "output"], ["json"], [A], [("json", A)]),
        (["format", "output", "format"], ["sarif", "text"], [A], [("sarif", A), ("text", None)]),
        (["format", "format", "output"], ["text", "sarif"], [A], [("text", None), ("sarif", A)]),
        (["format", "output"] * 2, ["json", "json"], [A, B], [("json", A), ("json", B)]),
        (["format", "format"], ["text", "github"], [], [("text", None), ("github", None)]),
    ],
)
def test_pairs(order: list[str], formats: list[str], outputs: list[Path], expected: list[tuple[str, Path | None]]) -> None:
    """An output belongs to the format before it; one of each may stand in any order."""
    assert expected == paired(order, formats, outputs, "text")


@pytest.mark.parametrize(
    ("order", "formats", "outputs", "said"),
    [
        (["output", "format", "format"], ["json", "text"], [A], "--output a: give each --output after its own --format, as in --format sarif --output a"),
        (["format", "output", "output"], ["json"], [A, B], "--output b: give each --output after its own --format"),
        (["output", "output"], [], [A, B], "--output a: give each"),
        (["format", "format"], ["json", "text"], [], "json and text cannot share stdout: give an --output after each --format but one"),
        (["format", "format"], ["text", "text"], [], "text and text cannot share stdout"),
    ],
)
def test_what_has_no_pair(order: list[str], formats: list[str], outputs: list[Path], said: str) -> None:
    """Files without a format or with two, and two documents on stdout, are refused with what to do."""
    with pytest.raises(UsageError, match="^" + re.escape(said)):
        paired(order, formats, outputs, "text")


# --- reports


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_on_stdout(name: str, recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Alone there, and the same to the last byte for the same recording."""
    assert EXIT_FOUND == run(["diagnose", "run.jsonl", "--format", name])
    first = capsys.readouterr().out
    run(["diagnose", "run.jsonl", "--format", name])

    assert first == capsys.readouterr().out
    assert name == kind(first) if name in STARTS else first


def test_several_reports(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each in its file, and one on stdout."""
    code = run(["diagnose", "--format", "sarif", "--output", "a.sarif", "run.jsonl", "--format", "text", "--format", "junit", "--output", "a.xml"])

    assert (EXIT_FOUND, "text") == (code, kind(capsys.readouterr().out))
    assert ["sarif", "junit"] == [kind(Path(name).read_text(encoding="utf-8")) for name in ("a.sarif", "a.xml")]


def test_the_same_bytes_in_every_process(recorded: Path) -> None:
    """Whatever order Python's sets and the environment have: two runs of the command write the same files."""
    files = [part for name in FORMATS for part in ("--format", name, "--output", f"report.{name}")]
    written = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "COLUMNS": seed * 2, "PYTHONPATH": str(Path(cli.__file__).parent.parent)}
        command = [sys.executable, "-m", "nndoctor", "diagnose", "run.jsonl", *files, "--write-baseline", "known.json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (EXIT_CLEAN, "", "") == (done.returncode, done.stdout, done.stderr)
        written.append({path.name: path.read_bytes() for path in recorded.iterdir() if path.is_file()})

    assert {f"report.{name}" for name in FORMATS} | {"known.json"} <= set(written[0])
    assert written[0] == written[1]


def test_check_takes_what_diagnose_takes() -> None:
    """Reports, baselines and severities are the same options of both, and `check` leaves the script's own to it."""
    shared = {"format", "output", "baseline", "write_baseline", "fail_on", "select", "ignore", "verbose", "color", "config"}
    for command in ("check", "diagnose"):
        assert shared <= {option.name for option in cli.nndoctor.commands[command].params}
    page = CliRunner().invoke(cli.nndoctor, ["check", "--help"]).output

    assert all(name in page for name in FORMATS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "sarif", "--format", "json"], "sarif and json cannot share stdout"),
        (["--format", "json", "--output", "a", "--format", "sarif", "--output", "a"], "a: two things are to be written to it; name two files"),
        (["--baseline", "gone.json"], "gone.json: cannot be read"),
        (["--baseline", "train.py"], "train.py: not a baseline"),
        (["--write-baseline", "run.jsonl"], "run.jsonl: is what is to be read; name another file"),
        (["--write-baseline", "gone/b.json"], "gone/b.json: the directory gone does not exist"),
        (["--baseline", "known.json", "--output", "known.json"], "known.json: is what is to be read; name another file"),
    ],
)
def test_refusals(arguments: list[str], said: str, recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr and code 2; nothing is written."""
    Path("known.json").write_text('{"nndoctor_baseline": 1, "findings": []}', encoding="utf-8")
    before = {p.name: p.read_bytes() for p in recorded.iterdir() if p.is_file()}
    code = run(["diagnose", "run.jsonl", *arguments])
    out, err = capsys.readouterr()

    assert (EXIT_USAGE, "", 1) == (code, out, err.count("\n"))
    assert err.startswith(f"nndoctor: {said}")
    assert before == {p.name: p.read_bytes() for p in recorded.iterdir() if p.is_file()}


@pytest.mark.parametrize("name", FORMATS)
def test_names_that_utf8_cannot_hold(name: str, summary: Path) -> None:
    """A script whose name has undecodable bytes is reported on in every format, to a file and to the job's page."""
    sick = samples.sick()
    sick.recording.header.script = "tr\udce9in.py"
    weighed = checkup.weigh(sick, Settings(), frozenset())
    checkup.hand_over(weighed, [Delivery(name, Path("report")), Delivery("github", Path("annotations"))], Gate(write=Path("known.json")))

    for path in (Path("report"), summary, Path("known.json"), Path("annotations")):
        assert "\udce9" not in path.read_text(encoding="utf-8")


# --- builds


def test_a_baseline_lets_known_findings_pass(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Writing one passes, and so does every later run, until the line is edited."""
    assert EXIT_CLEAN == run(["diagnose", "run.jsonl", "--write-baseline", "known.json"])
    assert "· known" in capsys.readouterr().out
    (finding,) = json.loads(Path("known.json").read_text(encoding="utf-8"))["findings"]
    assert ("loss-input", "train.py", "x30 = 30") == (finding["cause"], finding["file"], finding["line"])

    again = ["diagnose", "run.jsonl", "--baseline", "known.json", "--format", "json"]
    assert EXIT_CLEAN == run(again)
    (cause,) = json.loads(capsys.readouterr().out)["causes"]
    assert ("error", True, False) == (cause["severity"], cause["known"], cause["fails"])

    source = Path("train.py").read_text(encoding="utf-8")
    Path("train.py").write_text(source.replace("x30 = 30", "x30 = 31"), encoding="utf-8")
    assert EXIT_FOUND == run(again)
    assert EXIT_CLEAN == run([*again, "--write-baseline", "known.json"])  # over itself
    assert EXIT_CLEAN == run(again)


def test_no_baseline_of_no_diagnosis(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An older one stays as it is, and stderr says so."""
    codec.save(samples.inconclusive().recording, "none.jsonl")
    Path("known.json").write_text("older", encoding="utf-8")

    assert 3 == run(["diagnose", "none.jsonl", "--write-baseline", "known.json"])
    assert "older" == Path("known.json").read_text(encoding="utf-8")
    assert "nndoctor: known.json: not written, as there is no diagnosis\n" == capsys.readouterr().err


def test_a_comment_lets_a_finding_pass(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The build is green, and the report says what was silenced, and by which line."""
    source = Path("train.py").read_text(encoding="utf-8")
    Path("train.py").write_text(source.replace("x30 = 30", "x30 = 30  # nndoctor: ignore[loss-input]"), encoding="utf-8")

    assert EXIT_CLEAN == run(["diagnose", "run.jsonl"])
    out = capsys.readouterr().out
    assert out.startswith("HEALTHY")
    assert "(loss-input), by a comment at train.py:30" in " ".join(out.split())


# --- GitHub


@pytest.fixture
def summary(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job of GitHub's, and the page that it shows; an earlier step has written to it."""
    page = recorded / "summary.md"
    page.write_text("earlier\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    return page


def test_text_annotates_by_itself(summary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a job the text report is followed by annotations, and the page gets the evidence."""
    run(["diagnose", "run.jsonl"])
    out = capsys.readouterr().out

    assert "text" == kind(out)
    assert "\n::error file=train.py,line=30,title=" in out
    assert summary.read_text(encoding="utf-8").startswith("earlier\n# nndoctor: `train.py` is sick")


@pytest.mark.parametrize(
    ("arguments", "annotations"),
    [(["--format", "json"], 0), (["--output", "report.txt"], 0), (["--format", "text", "--format", "github"], 1), (["--format", "github"], 1)],
)
def test_annotations_come_once_and_break_no_document(arguments: list[str], annotations: int, summary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """None beside a document or a file, one where they were asked for."""
    run(["diagnose", "run.jsonl", *arguments])

    assert annotations == capsys.readouterr().out.count("::error ")
    assert annotations == summary.read_text(encoding="utf-8").count("# nndoctor: ")


def test_a_summary_that_cannot_be_written(summary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Is told on stderr, and changes no exit code."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary.parent / "gone" / "summary.md"))

    assert EXIT_FOUND == run(["diagnose", "run.jsonl"])
    assert "GITHUB_STEP_SUMMARY: " in capsys.readouterr().err


def test_outside_of_a_job_nothing_is_added(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A text report is a text report."""
    run(["diagnose", "run.jsonl"])

    assert "::error" not in capsys.readouterr().out
