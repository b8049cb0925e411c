"""nndoctor from Python: a script is checked as the command checks it, and the report shows itself in every format."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import nndoctor
from nndoctor.outcome import working_in
from nndoctor.record import codec
from nndoctor.report.formats import FORMATS
from nndoctor.report.page import Look
from tests.readme import python_block
from tests.report import samples

SCRIPT = """\
import sys
import torch
from torch import nn

print("said", sys.argv[1:])
torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3), nn.Softmax(1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for i in range(200):
    rows = torch.randperm(256)[:32]
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
    optimizer.step()
"""
USE = """\
import contextlib, io, json, sys
import nndoctor

loaded = sorted({"torch", "numpy", "rich"} & set(sys.modules))
report = nndoctor.check("work/train.py", ["--lr", 1], directory="project", steps=60, trials=0, quiet=False)
report.save("kept.jsonl")
report.save("project/page.html")
print(json.dumps([loaded, "torch" in sys.modules, repr(report), report.to_json(), report.text()]))
"""
# What the README's loop takes for granted.
GIVEN = """import torch
import torch.nn.functional as F

torch.manual_seed(0)
data = torch.randn(480, 8)
loader = [(x, (x[:, 0] > 0).long()) for x in data.split(8)] * 4
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sick script, and settings beside it."""
    folder = tmp_path_factory.mktemp("elsewhere") / "project"
    (folder / "work").mkdir(parents=True)
    (folder / "work" / "train.py").write_text(SCRIPT, encoding="utf-8")
    (folder / "pyproject.toml").write_text('[tool.nndoctor]\nsteps = 500\nfail-on = "error"\ntrials = 0\n', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def used(project: Path) -> subprocess.CompletedProcess[str]:
    """A program that checks the script of the project from the folder above it."""
    return subprocess.run([sys.executable, "-c", USE], cwd=project.parent, capture_output=True, text=True, check=True)


def report_of(name: str) -> nndoctor.Report:
    """The report of a diagnosis made by hand."""
    return nndoctor.Report(samples.SAMPLES[name]())


# --- check --------------------------------------------------------------------------------------------------------


def test_a_script_is_checked_as_the_command_does(used: subprocess.CompletedProcess[str], project: Path) -> None:
    """In the directory that was named, with its settings under those of the call, and with the script's lines in the report."""
    _, _, shown, json_text, text = json.loads(used.stdout)
    report = json.loads(json_text)

    assert "<nndoctor.Report of work/train.py: sick: loss-input>" == shown
    assert ("work/train.py", "error", 60) == (report["script"], report["fail_on"], report["run"]["steps"])
    assert {"file": "work/train.py", "line": 9}.items() <= report["causes"][0]["location"].items()
    assert "▸  9 │ net = nn.Sequential(" in text
    assert "said ['--lr', '1']" in used.stderr
    assert ["page.html", "pyproject.toml", "work"] == sorted(os.listdir(project))
    assert ["train.py"] == os.listdir(project / "work")


def test_torch_stays_out(used: subprocess.CompletedProcess[str]) -> None:
    """`import nndoctor` loads nothing heavy, and a check loads torch in the child alone."""
    loaded, torch_after, *_ = json.loads(used.stdout)

    assert ([], False) == (loaded, torch_after)


def test_what_is_kept_can_be_judged_again(used: subprocess.CompletedProcess[str], project: Path) -> None:
    """A recording is saved as the command saves it."""
    recording = codec.load(project.parent / "kept.jsonl")

    assert ("work/train.py", ["--lr", "1"], 60) == (recording.header.script, recording.header.arguments, len(recording.steps))


def test_mistakes_are_errors_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each says where and what, and ends the program with one frame of ours at most."""
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("", encoding="utf-8")
    mistakes = {
        "gone.py: no such file; name the script that you would give to python": lambda: nndoctor.check("gone.py"),
        f"{tmp_path}: is a directory; name the script in it": lambda: nndoctor.check(tmp_path),
        "nndoctor.check: steps must be a whole number from 1, not 0; seconds must be above 0, not -1": lambda: nndoctor.check("train.py", steps=0, seconds=-1),
        "nndoctor.check: select names no cause: 'lr-to-high' (did you mean 'lr-too-high'?); `nndoctor causes` lists them": lambda: nndoctor.check("train.py", select=["lr-to-high"]),
        "nndoctor.check: arguments are a list, for example ['--lr', '1'], and not one string": lambda: nndoctor.check("train.py", "--lr 1"),
        "none.yaml: cannot be read: No such file or directory": lambda: nndoctor.check("train.py", config="none.yaml"),
        "known.json: cannot be read: No such file or directory; `nndoctor check --write-baseline known.json` writes one": lambda: nndoctor.check("train.py", baseline="known.json"),
        f"{tmp_path}/none: cannot be worked in: No such file or directory; name a directory": lambda: nndoctor.check("train.py", directory="none"),
    }
    for words, call in mistakes.items():
        with pytest.raises(nndoctor.UsageError) as caught:
            call()
        frames = [entry for entry in caught.traceback if "nndoctor" in Path(entry.path).parts[-2:]]

        assert words == str(caught.value)
        assert len(frames) <= 1
    assert tmp_path == Path.cwd()


def test_an_interrupted_run_interrupts(tmp_path: Path) -> None:
    """Ctrl-C goes to the script and to who checks it: the latter does not go on as if nothing had been."""
    (tmp_path / "train.py").write_text("raise KeyboardInterrupt", encoding="utf-8")

    with pytest.raises(KeyboardInterrupt):
        nndoctor.check("train.py", directory=tmp_path)


def test_a_place_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose working directory was removed is told so."""
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    for call in (lambda: nndoctor.check("train.py"), nndoctor.watch):
        with pytest.raises(nndoctor.FileError, match="the working directory of this process is gone"):
            call()


def test_one_rank_of_several_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A launcher's ranks would each wait for the others."""
    for name, value in {"RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(nndoctor.UsageError, match="start it without the launcher"):
        nndoctor.check("train.py")


def test_the_readme(project: Path) -> None:
    """Its examples do what stands beside them."""
    lines = [python_block("nndoctor.check("), "assert report.verdict == 'sick' and report.suspects"]
    lines += [GIVEN, python_block("nndoctor.watch("), "assert watch.report.verdict == 'healthy' and len(watch.report.recording.steps) == 200, watch.report"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=project / "work", capture_output=True, text=True, check=False)
    made = project / "work" / "report.html"

    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("SICK  Output in another form than the loss expects")
    assert made.read_text(encoding="utf-8").startswith("<!doctype html>")
    made.unlink()


# --- the report ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_every_format_is_the_command_s(name: str) -> None:
    """What Python gets is what the command writes."""
    report = report_of(name)
    made = {"text": str(report), "markdown": report.markdown(), "html": report.html(), "json": report.to_json()}

    assert {name: FORMATS[name](report.diagnosis, Look()) for name in made} == made
    assert FORMATS["text"](report.diagnosis, Look(100, True, True)) == report.text(100, verbose=True, color=True)


@pytest.mark.parametrize(("name", "verdict", "code"), [("healthy", "healthy", 0), ("sick", "sick", 1), ("inconclusive", "inconclusive", 3)])
def test_verdict_and_code(name: str, verdict: str, code: int) -> None:
    """They are the command's; only a clean diagnosis is ok, and passes the assertion."""
    report = report_of(name)

    assert (verdict, code, code == 0) == (report.verdict, report.exit_code, report.ok)
    assert bool(report.findings) == (code == 1)
    if report.ok:
        report.assert_healthy()
        return
    with pytest.raises(AssertionError) as failed:
        report.assert_healthy()
    assert str(failed.value).startswith(verdict.upper())


def test_what_counts_is_what_the_settings_say() -> None:
    """Findings below `fail_on` and those that a baseline knows are suspects, and no findings."""
    sick = samples.sick()
    mild = nndoctor.Report(dataclasses.replace(sick, fail_on="never"))
    known = nndoctor.Report(dataclasses.replace(sick, suspects=[dataclasses.replace(s, known=True) for s in sick.suspects]))
    strict = nndoctor.Report(dataclasses.replace(samples.healthy(), fail_on="note", suspects=[dataclasses.replace(sick.suspects[0], severity="note")]))

    assert [True, True, False] == [report.ok for report in (mild, known, strict)]
    assert len(sick.suspects) == len(known.suspects)
    with pytest.raises(AssertionError, match=rf"^1  .*\n? *{sick.suspects[0].cause.id} · note"):
        strict.assert_healthy()


def test_a_report_cannot_be_changed() -> None:
    """It is what was found."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        report_of("sick").verdict = "healthy"  # type: ignore[misc]


def test_the_ending_names_the_format(tmp_path: Path) -> None:
    """Each file holds what `--format` would have written; an ending that stands for none is refused, as is a place that is none."""
    report = report_of("sick")
    for ending, name in {"html": "html", "md": "markdown", "json": "json", "sarif": "sarif", "xml": "junit", "txt": "text"}.items():
        report.save(tmp_path / f"report.{ending}")

        assert FORMATS[name](report.diagnosis, Look()) == (tmp_path / f"report.{ending}").read_text(encoding="utf-8")
    with pytest.raises(nndoctor.UsageError, match=r"no format is known by the ending '\.pdf'; one of \.html, .*\.jsonl is"):
        report.save(tmp_path / "report.pdf")
    with pytest.raises(nndoctor.FileError, match="does not exist"):
        report.save(tmp_path / "none" / "report.html")


def test_lines_are_found_from_elsewhere(tmp_path: Path) -> None:
    """A report is made where its run began, wherever the program is by then; without lines where that is gone."""
    began = tmp_path / "began"
    began.mkdir()
    (began / "train.py").write_text("\n".join(f"line_{i} = {i}" for i in range(1, 60)), encoding="utf-8")
    here = Path.cwd()
    with working_in(began):
        report = report_of("sick")
    found = report.text()
    (began / "train.py").unlink()
    began.rmdir()

    assert here == Path.cwd()
    assert "▸ " in found
    assert "▸ " not in report.text()


def test_only_public_names_are_there() -> None:
    """What is listed is there, and nothing else is made up."""
    assert all(getattr(nndoctor, name) is not None for name in nndoctor.__all__)
    assert set(nndoctor.__all__) <= set(dir(nndoctor))
    with pytest.raises(AttributeError, match="module 'nndoctor' has no attribute 'chek'"):
        nndoctor.chek  # type: ignore[attr-defined] # noqa: B018
