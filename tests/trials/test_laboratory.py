"""Trials of real scripts: by fork and afresh they come to the same, end early when told to, and leave nothing behind."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nndoctor.probe import launch
from nndoctor.probe.changes.names import parse
from nndoctor.record.model import Recording, Step
from nndoctor.trials.laboratory import Laboratory

_SCRIPT = """
import os, sys
import torch
from torch import nn
torch.manual_seed(0)
torch.set_num_threads(1)
x = torch.randn(512, 8)
y = (x[:, :4].sum(1) > 0).long() + (x[:, 4:].sum(1) > 0).long()
model = nn.Sequential(nn.Linear(8, 32), nn.Sigmoid(), nn.Dropout(0.1), nn.Linear(32, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=32, shuffle=True, num_workers=WORKERS)
steps = 0
while steps < STEPS:
    for a, b in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(a), b)
        loss.backward()
        optimizer.step()
        steps += 1
        with open("log.txt", "a") as f:
            f.write(f"{steps} {loss.item()}\\n")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory; afterwards no process of a trial is left."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path

    assert [] == [p for p in _processes() if str(tmp_path) in p]


def _processes() -> list[str]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "child.py" in line:
            lines.append(line)
    return lines


def write(folder: Path, workers: int = 0, steps: int = 96) -> launch.Target:
    (folder / "train.py").write_text(_SCRIPT.replace("WORKERS", str(workers)).replace("STEPS", str(steps)))
    return launch.Target(str(folder / "train.py"))


def losses(recording: Recording) -> list[float | None]:
    return [s.loss for s in recording.steps]


def _ignore(record: Any) -> None: ...


@pytest.mark.parametrize("change", ["lr*100", "activation=relu", "optimizer=adam"])
def test_a_fork_comes_to_the_same_as_a_fresh_run(folder: Path, change: str) -> None:
    """Step by step, and whether the change took hold."""
    target = write(folder)
    with Laboratory(target, launch.Limits(), None) as forked:
        one, way = forked.run(parse(change), _ignore, threading.Event())
    with Laboratory(target, launch.Limits(), None, fork=False) as afresh:
        two, other = afresh.run(parse(change), _ignore, threading.Event())

    assert ("fork", "fresh") == (way, other)
    assert 96 == len(one.steps)
    assert losses(two) == losses(one)
    assert two.changes == one.changes
    assert one.changes[0].applied > 0
    assert [s.accuracy for s in two.samples] == [s.accuracy for s in one.samples]
    assert ["train.py"] == sorted(os.listdir(folder))


def test_forks_do_not_disturb_one_another(folder: Path) -> None:
    """Two at a time from one trunk, and a third after them, are what each is alone; a trial's log is its own."""
    target = write(folder)
    found: dict[str, Recording] = {}
    with Laboratory(target, launch.Limits(), None) as laboratory:

        def make(change: str) -> None:
            found[change] = laboratory.run(parse(change), _ignore, threading.Event())[0]

        both = [threading.Thread(target=make, args=(c,)) for c in ("lr*100", "lr*10")]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        make("lr*1")
    with Laboratory(target, launch.Limits(), None, fork=False) as laboratory:
        control = laboratory.control()

    assert losses(control) == losses(found["lr*1"])
    assert len({tuple(losses(r)) for r in found.values()}) == 3


def test_what_cannot_be_forked_is_run_afresh(folder: Path) -> None:
    """A loader's workers answer one process only; the reason is kept."""
    with Laboratory(write(folder, workers=1), launch.Limits(), None) as laboratory:
        recording, way = laboratory.run(parse("lr*100"), _ignore, threading.Event())

    assert ("fresh", "the script has worker processes") == (way, laboratory.refusal)
    assert recording.changes[0].applied == 96


def test_what_takes_hold_at_the_start_is_run_afresh(folder: Path) -> None:
    """A loader is built before the first forward."""
    with Laboratory(write(folder), launch.Limits(), None) as laboratory:
        recording, way = laboratory.run(parse("batch*0.5"), _ignore, threading.Event())

    assert "fresh" == way
    assert 16 == recording.steps[0].batch


@pytest.mark.parametrize("fork", [True, False])
def test_a_trial_ends_when_enough_was_seen(folder: Path, fork: bool) -> None:
    """With everything summed up that a comparison needs."""
    enough = threading.Event()

    def see(record: Any) -> None:
        if isinstance(record, Step) and record.index >= 40:
            enough.set()

    started = time.monotonic()
    with Laboratory(write(folder, steps=1_000_000), launch.Limits(steps=1_000_000, seconds=60), None, fork) as laboratory:
        recording, _ = laboratory.run(parse("lr*10"), see, enough)

    assert "enough" == recording.end.reason  # type: ignore[union-attr]
    assert len(recording.steps) >= 40
    assert recording.labels and recording.changes
    assert time.monotonic() - started < 50


def test_a_script_that_fails_under_a_change_says_so(folder: Path) -> None:
    """Its own error, as the end of the trial."""
    (folder / "train.py").write_text(_SCRIPT.replace("WORKERS", "0").replace("STEPS", "96").replace("steps += 1", "steps += 1\n        assert loss.item() < 5"))
    with Laboratory(launch.Target(str(folder / "train.py")), launch.Limits(), None) as laboratory:
        recording, _ = laboratory.run(parse("lr*1e6"), _ignore, threading.Event())

    assert "error" == recording.end.reason  # type: ignore[union-attr]
    assert "AssertionError" in recording.end.error  # type: ignore[union-attr]


def test_a_script_that_never_trains_is_run_afresh(folder: Path) -> None:
    """And its trial sees no more than the run did."""
    (folder / "train.py").write_text("import torch\nprint(torch.ones(1))\n")
    with Laboratory(launch.Target(str(folder / "train.py")), launch.Limits(), None) as laboratory:
        recording, way = laboratory.run(parse("lr*10"), _ignore, threading.Event())

    assert "fresh" == way
    assert "did not come" in laboratory.refusal
    assert [] == recording.steps
