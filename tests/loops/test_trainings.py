"""Several trainings in one script: the last is judged, or the one that is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nndoctor.probe.trainings import Trainings
from tests.loops.scripts import SEVERAL


def check(folder: Path, run: int) -> tuple[int, dict[str, Any]]:
    """Exit code and report on one of the three trainings: at a rate of 1e-7, with a softmax too many, and a healthy one."""
    (folder / "train.py").write_text(SEVERAL, encoding="utf-8")
    command = [sys.executable, "-m", "nndoctor", "check", "--quiet", "--no-trials", "--run", str(run), "--format", "json", "--output", "report.json", "train.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (folder / "report.json").is_file(), done.stderr
    return done.returncode, json.loads((folder / "report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("run", "code", "cause", "reason"), [(1, 1, "lr-too-low", "next"), (2, 1, "loss-input", "next"), (3, 0, None, "finished")])
def test_training_that_is_asked_for_is_judged(tmp_path: Path, run: int, code: int, cause: str | None, reason: str) -> None:
    """Each by its own steps alone, and the run ends where the next training begins."""
    actual, report = check(tmp_path, run)

    assert code == actual
    assert (60, reason) == (report["run"]["steps"], report["run"]["reason"])
    assert cause == next((c["id"] for c in report["causes"] if c["severity"] != "note"), None)


def test_training_that_is_not_there_is_missed(tmp_path: Path) -> None:
    """Exit code 3, and the report says how many there are."""
    code, report = check(tmp_path, 4)

    assert 3 == code
    assert "The script made 3 trainings, and training 4 was to be judged." in report["reasons"]


# --- where one ends and the next begins ---------------------------------------------------------------------------


class _Stopped(Exception):
    pass


def stop(reason: str) -> None:
    """As the child's, which does not return."""
    raise _Stopped(reason)


def sgd(net: nn.Module) -> torch.optim.Optimizer:
    """An optimiser of all its parameters."""
    return torch.optim.SGD(net.parameters(), lr=0.1)


def test_optimisers_built_before_any_step_belong_together() -> None:
    """Generator and critic are one training, and so are parameters that get another optimiser."""
    records: list[Any] = []
    trainings = Trainings(records.append, 0, stop)
    generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)

    assert not trainings.built(sgd(generator), 0, None)
    assert not trainings.built(sgd(critic), 0, None)
    trainings.stepped()
    assert not trainings.built(sgd(generator), 10, None)
    assert (1, []) == (trainings.current, records)


def test_new_parameters_after_steps_begin_a_training() -> None:
    """Also where those of the training before have died."""
    records: list[Any] = []
    trainings = Trainings(records.append, 0, stop)
    for steps in (0, 7, 20):
        begins = trainings.built(sgd(nn.Linear(2, 2)), steps, None)
        assert begins == (steps > 0)
        trainings.stepped()

    assert [(2, 7), (3, 20)] == [(r.index, r.step) for r in records]


def test_only_the_wanted_training_is_watched() -> None:
    """It is waited for, and its end is the end."""
    trainings = Trainings([].append, 2, stop)
    assert trainings.waiting
    trainings.built(sgd(nn.Linear(2, 2)), 0, None)
    trainings.stepped()
    assert trainings.built(sgd(nn.Linear(2, 2)), 0, None)
    assert not trainings.waiting
    trainings.stepped()
    with pytest.raises(_Stopped, match="next"):
        trainings.built(sgd(nn.Linear(2, 2)), 60, None)
