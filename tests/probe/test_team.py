"""Several processes of one training meet in a folder, hand over what they saw, and leave nothing behind; no torch is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from nndoctor.cli import run
from nndoctor.probe import team as team_module
from nndoctor.probe.patches import Patches
from nndoctor.probe.team import Team, ended_politely, meeting
from nndoctor.probe.workers import Workers
from nndoctor.record import codec
from nndoctor.record.model import FORMAT, End, Header, RankInfo, Recording, Step


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a temporary folder of its own, in which it can be seen what is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def launched(rank: int, world: int = 2, **more: str) -> Mapping[str, str]:
    """What torchrun puts into the environment."""
    return {"RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world), "MASTER_PORT": "29500", **more}


def recording(rank: int, reason: str = "steps", exit_code: int = 0) -> Recording:
    """What one of them saw."""
    return Recording(
        Header(FORMAT, "0.1.0", "train.py"), steps=[Step(1, 0.1, 1.0)], ranks=[RankInfo(rank, 2, "gloo")],
        end=End(reason, 1, 1, 1, 0.1, 1.0, exit_code),
    )  # fmt: skip


def test_one_process_makes_no_folder(temporary: Path) -> None:
    """The usual run gets its recording back as it is."""
    with meeting({}) as team:
        own = Recording(Header(FORMAT, "0.1.0", "train.py"))

        assert (True, 1) == (team.leads, team.size)
        assert own is team.whole(own)
        assert [] == list(temporary.iterdir())


def test_ranks_meet_and_the_first_has_it_all(temporary: Path) -> None:
    """Rank 1 hands over and is gone before rank 0 is done; the folder goes with rank 0."""
    with meeting(launched(0)) as first:
        with meeting(launched(1)) as second:
            assert first.folder == second.folder
            assert not second.leads
            second.whole(recording(1))
        made = first.whole(recording(0))

    assert [0, 1] == [r.rank for r in made.ranks]
    assert [] == list(temporary.iterdir())


def test_two_launches_do_not_meet() -> None:
    """Another port is another training."""
    with meeting(launched(0)) as one, meeting(launched(0, MASTER_PORT="29501")) as other:
        assert one.folder != other.folder


def test_rank_that_died_is_not_waited_for(temporary: Path) -> None:
    """Its process is gone and has handed nothing over; patience would be half a minute."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with meeting(launched(0)) as team:
        (team.folder / "rank-1.pid").write_text(str(dead.pid))
        made = team.whole(recording(0))

    assert [(0, True), (1, False)] == [(r.rank, r.watched) for r in made.ranks]
    assert [] == list(temporary.iterdir())


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rank that lives and says nothing is named in the report."""
    monkeypatch.setattr(team_module, "_PATIENCE", 0.2)
    with meeting(launched(0)) as team:
        (team.folder / "rank-1.pid").write_text(str(os.getpid()))
        made = team.whole(recording(0))

    assert [(0, True), (1, False)] == [(r.rank, r.watched) for r in made.ranks]


def test_rank_whose_leader_is_gone_leaves_nothing(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or is on another machine, where its folder is."""
    monkeypatch.setattr(team_module, "_MEETING", 0.0)
    for more in ({}, {"GROUP_RANK": "1"}):
        with meeting(launched(1, **more)) as team:
            team.whole(recording(1, "error", 1))

    assert [] == list(temporary.iterdir())


@pytest.mark.parametrize(("reason", "code", "told"), [("steps", 0, "steps"), ("signal", 137, "signal"), ("finished", 0, ""), ("exit", 0, "")])
def test_first_to_end_says_why(temporary: Path, reason: str, code: int, told: str) -> None:
    """The others are ended soon after, unless it has simply come to its end."""
    with meeting(launched(0)) as first, meeting(launched(1)) as second:
        second.whole(recording(1, reason, code))

        assert told == team_module._first_reason(first.folder)


def test_broken_last_line_is_dropped() -> None:
    """A process that is killed over a line has still written the others."""
    with meeting({}) as team:
        team.folder.mkdir()
        (team.folder / "7.jsonl").write_text('{"kind":"header","format":1,"nndoctor":"0.1.0","script":""}\n{"kind":"rank","rank":0,"world":1}\n{"kind":"st')
        (team.folder / "8.jsonl").write_text("")
        (team.folder / "9.forked").write_text("")
        made = team.whole(Recording(Header(FORMAT, "0.1.0", "train.py")))

    assert [(0, True, "lost"), (-1, False, "")] == [(r.rank, r.watched, r.ended) for r in made.ranks]


@pytest.mark.parametrize(("number", "reason", "error"), [(9, "signal", "SIGKILL"), (15, "peer", "")])
def test_signal_is_told_by_who_saw_it(number: int, reason: str, error: str) -> None:
    """The launcher, which itself sends SIGTERM to those that are left; backward calls are those of the steps."""
    with meeting({}) as team:
        team.folder.mkdir()
        (team.folder / "7.jsonl").write_text("".join(codec.encode(r) + "\n" for r in (recording(0).header, RankInfo(0, 2, "gloo"), Step(3, 0.5, 1.0, backwards=2))))
        (team.folder / "7.signal").write_text(str(number))
        made = team.whole(Recording(Header(FORMAT, "0.1.0", "train.py")))

    assert made.end is not None
    assert (reason, error, 3, 2) == (made.end.reason, made.end.error, made.end.steps, made.end.backwards)


def test_launcher_s_sigterm_is_an_interrupt() -> None:
    """While the script runs it ends the watch like Ctrl-C; while the report is made it is ignored."""
    kept = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(KeyboardInterrupt), ended_politely(Team(Path(), 0, 2)):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, kept)
    with ended_politely(Team(Path())):
        assert kept is signal.getsignal(signal.SIGTERM)


# --- processes that the run starts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "watched"),
    [
        (["-u", "train.py", "--lr", "1"], ["-u", "child.py", "file", "train.py", "--lr", "1"]),
        (["-m", "package.train", "x"], ["child.py", "module", "package.train", "x"]),
        (["-c", "print()"], None),
        (["-X", "dev", "train.py"], None),
        (["-m", "nndoctor", "check", "train.py"], None),
        ([], None),
    ],
    ids=lambda words: " ".join(words) if words else "nothing",
)
def test_command_of_a_rank_is_run_by_the_child(temporary: Path, command: list[str], watched: list[str] | None) -> None:
    """A script or a module; what cannot be read for certain runs as it is."""
    workers = Workers(str(temporary / "ranks"), ["child.py"])
    expected = [sys.executable, *watched] if watched else None

    assert expected == workers._watched([sys.executable, *command])
    assert (watched is not None) == (temporary / "ranks").is_dir()


def test_only_ranks_of_this_python_are_watched(temporary: Path) -> None:
    """Other programs that the script starts, and single processes, are none of ours; patches go without a trace."""
    patches = Patches()
    before = subprocess.Popen.__init__
    (temporary / "child.py").write_text("import sys; print(sys.argv[1:])")
    (temporary / "train.py").write_text("print('alone')")
    workers = Workers(str(temporary / "ranks"), [str(temporary / "child.py")])
    workers.install(patches)
    try:
        script = [sys.executable, str(temporary / "train.py")]
        said = [
            subprocess.run(command, env={**os.environ, **extra}, capture_output=True, text=True, check=True).stdout.strip()
            for command, extra in [(script, launched(0)), (script, {}), (["/bin/echo", "x"], launched(0))]
        ]
        (temporary / "child.py").write_text("import os; os.kill(os.getpid(), 9)")
        killed = subprocess.Popen(script, env={**os.environ, **launched(1)})
        killed.wait()
        workers.note_ends()
    finally:
        patches.remove()

    assert [str(["file", script[1]]), "alone", "x"] == said
    assert [(f"{killed.pid}.signal", "9")] == [(f.name, f.read_text()) for f in (temporary / "ranks").iterdir()]
    assert before is subprocess.Popen.__init__


def test_a_trial_is_no_rank(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`try` under a launcher would run each trial as many times as there are ranks."""
    for name, value in launched(0).items():
        monkeypatch.setenv(name, value)
    code = run(["try", "--change", "lr*0.1", __file__])

    assert 2 == code
    assert "start it without the launcher" in capsys.readouterr().err


def test_a_rank_starts_no_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a rank starts inherits its environment, and is something else."""
    patches = Patches()
    before = subprocess.Popen.__init__
    for name, value in launched(0).items():
        monkeypatch.setenv(name, value)
    Workers("ranks", ["child.py"]).install(patches)

    assert before is subprocess.Popen.__init__
