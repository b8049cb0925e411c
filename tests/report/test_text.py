"""The text report, whole, against gold files; and what must hold whatever it says."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from nndoctor.diagnosis.engine import diagnose
from nndoctor.diagnosis.model import Curve, Diagnosis
from nndoctor.record.model import End, Evaluation, Header, ModelInfo, Place, RankInfo, Recording, Step
from nndoctor.report.facts import watched
from nndoctor.report.page import Look
from nndoctor.report.text import render
from nndoctor.symptoms.model import Symptom
from tests.report import samples
from tests.symptoms.build import header, spread

_CODES = re.compile(r"\x1b\[[0-9;]*m")
WIDTHS = (80, 120)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", samples.SAMPLES)
def test_report(name: str, width: int, gold: Callable[[str, str], None], at_script: Path) -> None:
    """The short report is the gold file's."""
    gold(f"{name}-{width}.txt", render(samples.SAMPLES[name](), Look(width)))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["sick", "healthy"])
def test_verbose_report(name: str, width: int, gold: Callable[[str, str], None], at_script: Path) -> None:
    """The long report is the gold file's."""
    gold(f"{name}-verbose-{width}.txt", render(samples.SAMPLES[name](), Look(width, verbose=True)))


def test_coloured_report(gold: Callable[[str, str], None], at_script: Path) -> None:
    """The coloured report is the gold file's, codes and all."""
    gold("sick-80.ansi", render(samples.sick(), Look(80, color=True)))


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("width", [60, 80, 99, 120])
@pytest.mark.parametrize("name", samples.SAMPLES)
def test_every_line_fits(name: str, width: int, verbose: bool, at_script: Path) -> None:
    """No line is wider than the page, ends in a blank, or is one of two empty ones."""
    report = render(samples.SAMPLES[name](), Look(width, verbose=verbose))

    assert [] == [line for line in report.splitlines() if cell_len(line) > width or line != line.rstrip()]
    assert "\n\n\n" not in report


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_colour_changes_no_word(name: str, at_script: Path) -> None:
    """Without its colour codes, the coloured report is the plain one; and the plain one has no codes."""
    plain = render(samples.SAMPLES[name](), Look(80, verbose=True))
    coloured = render(samples.SAMPLES[name](), Look(80, color=True, verbose=True))

    assert "\x1b" not in plain
    assert "\x1b[" in coloured
    assert plain == "\n".join(line.rstrip() for line in _CODES.sub("", coloured).split("\n"))


def test_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch, at_script: Path) -> None:
    """What rich would read from the environment has no say: width and colour are the caller's."""
    plain = render(samples.sick(), Look(80))
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "40", "TERM": "dumb", "JUPYTER_COLUMNS": "33"}.items():
        monkeypatch.setenv(name, value)

    assert plain == render(samples.sick(), Look(80))


def test_first_line_is_the_verdict(at_script: Path) -> None:
    """The first line says sick or healthy, and the first suspect with its place."""
    first = {name: render(make(), Look(80)).splitlines()[0] for name, make in samples.SAMPLES.items()}

    assert first["sick"] == "SICK  Softmax before a loss that applies its own · proved by trial · train.py:14"
    assert first["healthy"] == "HEALTHY  nothing is wrong as far as 300 steps show"
    assert first["diverged"] == "SICK  Learning rate too high · 99 % sure · runs/train [v2].py:22"
    assert first["inconclusive"].startswith("INCONCLUSIVE  no diagnosis: the script raised FileNotFoundError")


def test_a_caution_stands_before_the_reasons(at_script: Path) -> None:
    """Who reads "healthy" of a run that learns nothing would not believe the next line."""
    careful = replace(samples.healthy(), caution="Nothing has been learnt so far.")
    report = render(careful, Look(80))

    assert "HEALTHY  no known fault as far as 300 steps show" == report.splitlines()[0]
    assert report.index("! Nothing has been learnt so far.") < report.index("✓ ")


def test_only_the_first_suspect_in_full(at_script: Path) -> None:
    """Code frame, document titles and the fix's code are the first suspect's alone; --verbose gives the fixes' code."""
    short, long = (render(samples.sick(), Look(80, verbose=v)) for v in (False, True))

    assert short.count("▸") == 1
    assert short.count("says so") == 1
    assert "lr=0.5" not in short
    assert "lr=0.5" in long


def test_fixes_made_for_the_evidence_come_first(at_script: Path) -> None:
    """A fix for a symptom that was not seen is not shown; one for a symptom that was seen is the first."""
    diagnosis = samples.sick()
    assert "Normalise the inputs." not in render(diagnosis, Look(80))
    seen = replace(diagnosis.suspects[0], evidence=[Symptom("input-scale", "Inputs reach 255.")])
    report = render(replace(diagnosis, suspects=[seen]), Look(80))

    assert "change   Normalise the inputs." in report


def test_at_most_three_notes_and_three_further_suspects(at_script: Path) -> None:
    """The rest is counted, and shown by --verbose."""
    diagnosis = samples.sick()
    note, mild = diagnosis.suspects[3], diagnosis.suspects[1]
    many = replace(diagnosis, suspects=[diagnosis.suspects[0], *[mild] * 6, *[note] * 5])
    short, long = (render(many, Look(80, verbose=v)) for v in (False, True))

    assert (3, 6) == (short.count("Learning rate too low"), long.count("Learning rate too low"))
    assert (3, 5) == (short.count("note  "), long.count("note  "))
    assert "and 3 less likely suspects with --verbose" in short
    assert "and 2 more notes with --verbose" in short


def test_escape_sequences_of_the_script_stay_out(at_script: Path) -> None:
    """Names and messages of the user's program cannot colour, move or clear the screen."""
    diagnosis = samples.sick()
    evil = "\x1b[2J\x1b[31mevil\x1b]0;named\x07\r\b"
    diagnosis.recording.models[0].name = evil
    diagnosis.recording.modules[1].name = diagnosis.recording.parameters[0].module = evil
    diagnosis.recording.end = End("error", 9, 9, 9, 1.0, 1.0, 1, f"ValueError: {evil}", f"Traceback\n{evil}\n")
    suspect = replace(diagnosis.suspects[0], module=evil, evidence=[Symptom("x", evil, where=evil)])
    report = render(replace(diagnosis, suspects=[suspect], symptoms=suspect.evidence), Look(80, verbose=True))

    assert [] == [c for c in report if ord(c) < 32 and c != "\n"]
    assert "named" not in report
    assert "evil" in report


@pytest.mark.parametrize(
    ("end", "said", "advice"),
    [
        (None, "the recording breaks off", "python SCRIPT"),
        (End("exit", 0, 0, 0, 0, 1, 2, "no data"), "the script exited with code 2: no data", "arguments of its own"),
        (End("finished", 3, 3, 3, 0.1, 1), "the script ended by itself", "train longer"),
        (End("timeout", 0, 0, 0, 0, 600), "the time for the whole run was over", "--timeout"),
        (End("signal", 0, 0, 0, 0, 1, 137), "the script was killed by SIGKILL", "memory"),
        (End("signal", 0, 0, 0, 0, 1, -11), "the script was killed by SIGSEGV", "SIGSEGV a fault"),
        (End("interrupt", 1, 1, 1, 0, 1, 130), "it was interrupted", "Let it run on"),
        (End("steps", 5, 5, 5, 0, 1), "stopped at the limit of steps", "--steps"),
        (End("lost", 0, 0, 0, 0, 1), "the script went away without a word", "python SCRIPT"),
        (End("something-new", 0, 0, 0, 0, 1), "it ended (something-new)", "python SCRIPT"),
    ],
)
def test_no_diagnosis_says_why_and_what_to_do(end: End | None, said: str, advice: str) -> None:
    """Each way to end without a diagnosis has its words and its advice."""
    recording = Recording(Header(1, "0.1.0", "train.py"), end=end)
    report = render(Diagnosis("inconclusive", [], [], [], Curve("", None, None, None), [], recording), Look(100))

    assert report.startswith(f"INCONCLUSIVE  no diagnosis: {said}\n")
    assert advice in report


def test_a_watch_that_waited_says_for_what() -> None:
    """Beyond the limit of steps it went on for the first validation pass, which came or did not."""
    words = []
    for passes in ([], [Evaluation(400, 0, 1, 10, False, False, 0.1)]):
        recording = Recording(Header(1, "0.1.0", "train.py", steps_limit=300), end=End("steps", 400, 400, 400, 5.0, 6.0), evaluations=passes)
        words.append(dict(watched(recording))["watched"])

    assert words[0].endswith("stopped: 300 steps and more without a validation pass")
    assert words[1].endswith("stopped after its first validation pass")


@pytest.mark.parametrize(("file", "told"), [("src/train.py", " · src/train.py:14"), ("src/" * 5 + "train.py", " · train.py:14"), ("x" * 30 + ".py", "")])
def test_a_place_that_does_not_fit_the_headline_is_left_out(file: str, told: str) -> None:
    """Without its folders where that is enough, else whole: half a name would lead nowhere, and `where` tells it below."""
    sick = samples.sick()
    sick.suspects[0] = replace(sick.suspects[0], location=Place(file, 14))

    assert f"SICK  Softmax before a loss that applies its own · proved by trial{told}" == render(sick, Look(86)).splitlines()[0]


def test_the_first_reason_is_the_headline() -> None:
    """The engine's reason for saying nothing comes first, its further ones below; no advice on reading curves."""
    end = End("exit", 3, 3, 3, 0.1, 1, 1, "no such data set\nsecond line")
    recording = Recording(Header(1, "0.1.0", "train.py"), steps=[Step(1, 0.1, 2.0)], end=end)
    reasons = ["The script left after 3 steps.", "It has no data."]
    report = render(
        Diagnosis("inconclusive", [], [], [], Curve("A reading.", 2, 2, None), reasons, recording), Look(80)
    )

    assert report.startswith("INCONCLUSIVE  no diagnosis: the script left after 3 steps.\n\n  · It has no data.\n")
    assert "it said     no such data set\n" in report
    assert "A reading." not in report


def test_a_hang_shows_where_the_script_was() -> None:
    """After a timeout the stack that the child saw is shown, and not called a traceback."""
    end = End("timeout", 0, 0, 0, 0, 600, traceback='  File "train.py", line 3, in <module>\n    wait()\n')
    recording = Recording(Header(1, "0.1.0", "train.py"), end=end)
    report = render(Diagnosis("inconclusive", [], [], [], Curve("", None, None, None), [], recording), Look(80))

    assert "Where the script was" in report
    assert "wait()" in report


def test_long_traceback_keeps_both_ends() -> None:
    """Of a traceback of hundreds of lines the first and the last remain, with a count of the rest."""
    lines = [f"line {i}" for i in range(200)]
    end = End("error", 0, 0, 0, 0, 1, 1, "RecursionError: deep", "\n".join(lines))
    recording = Recording(Header(1, "0.1.0", "train.py"), end=end)
    report = render(Diagnosis("inconclusive", [], [], [], Curve("", None, None, None), [], recording), Look(80))

    assert "  line 0\n" in report
    assert "  line 199\n" in report
    assert "... 170 lines ..." in report
    assert 30 == report.count("  line ")


def test_bare_recording_is_no_trouble() -> None:
    """Everything that a recording may lack, it may lack: the report has fewer lines."""
    recording = Recording(Header(1, "0.1.0", "train.py"), steps=[Step(1, 0.0, math.nan), Step(2, 0.1, None)])
    diagnosis = Diagnosis("healthy", [], [], [], Curve("", None, None, None), [], recording)
    report = render(diagnosis, Look(80, verbose=True))

    assert report.startswith("HEALTHY  nothing is wrong as far as 2 steps show")
    assert "model       none seen" in report


def test_many_models_are_counted() -> None:
    """A run with five models names three."""
    recording = Recording(
        Header(1, "0.1.0", "gan.py"),
        models=[ModelInfo(i, f"net{i}", "Net", 10, 4, Place("gan.py", i)) for i in range(5)],
    )
    report = render(Diagnosis("healthy", [], [], [], Curve("", None, None, None), [], recording), Look(120))

    assert "net0 (Net), 10 parameters, 4 trainable; net1" in report
    assert "and 2 more models" in report
    assert "net3" not in report


def test_processes_are_told_with_what_became_of_them() -> None:
    """A rank that was killed is named with its signal, one that said nothing by its number; advice begins with them."""
    recording = spread(ranks=4)
    recording.ranks[1].ended, recording.ranks[1].error, recording.ranks[1].steps = "signal", "SIGKILL", 12
    recording.ranks[3].watched = False
    recording.end = End("error", 100, 100, 100, 1.0, 2.0, 1, "RuntimeError: connection closed by peer")
    said = " ".join(render(diagnose(recording), Look(width=200)).split())

    assert "Rank 1 was killed by SIGKILL after 12 recorded steps".lower() in said.lower()
    assert "4 ranks, gloo; rank 1 was killed by SIGKILL after 12 recorded steps; no word came from rank 3, which is not compared" in said
    assert "next Find what killed it" in said


def test_unseen_processes_have_an_advice_of_their_own() -> None:
    """Forked processes trained, and there is nothing to judge by."""
    recording = Recording(header(), ranks=[RankInfo(-1, 0, watched=False)], end=End("finished", 0, 0, 0, 0.0, 1.0))
    said = " ".join(render(diagnose(recording), Look(width=200)).split())

    assert "training went on in 1 forked process of the script" in said
    assert "Start the processes by spawn" in said
