"""The real command on trainings of two processes (gloo, CPU): healthy, sick, and with a rank that is killed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nndoctor.record import codec

SCRIPT = """\
import os, signal, sys, torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

def main(rank, mode, place=None):
    if place:
        dist.init_process_group("gloo", init_method=place, rank=rank, world_size=2)
    else:
        dist.init_process_group("gloo")
        rank = dist.get_rank()
    torch.manual_seed(0)
    x = torch.randn(400, 8)
    y = (x @ torch.randn(8, 3)).argmax(1)
    net = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))
    net = DistributedDataParallel(net)
    model = net.module if mode == "inner" else net
    torch.manual_seed(1 if mode == "same" else 1 + rank)
    data = TensorDataset(x, y)
    sampler = DistributedSampler(data) if mode != "same" else None
    loader = DataLoader(data, batch_size=10, sampler=sampler, shuffle=sampler is None)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    step = 0
    for epoch in range(3):
        if sampler is not None:
            sampler.set_epoch(epoch)
        for a, b in loader:
            step += 1
            if mode == "killed" and rank == 1 and step == 12:
                os.kill(os.getpid(), signal.SIGKILL)
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(a), b)
            loss.backward()
            optimizer.step()
    dist.destroy_process_group()

if __name__ == "__main__":
    if len(sys.argv) > 2:
        torch.multiprocessing.spawn(main, sys.argv[1:3], nprocs=2)
    else:
        main(0, sys.argv[1])
"""
LAUNCHER = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]  # the other way round, in tests/cases
CHECK = ["nndoctor", "check", "--format", "json", "--quiet"]
PATIENCE = 400  # seconds, for a machine that is busy with other things


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script alone in the working directory, and a temporary folder in which it can be seen what is left."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    Path("train.py").write_text(SCRIPT, encoding="utf-8")
    return tmp_path


def said(command: list[str]) -> tuple[int, dict[str, Any]]:
    """Exit code and report of a command, after which no process and no file of ours is left."""
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert done.stdout, done.stderr[-2000:]
    nothing_is_left()
    return done.returncode, json.loads(done.stdout)


def nothing_is_left() -> None:
    """No folder of ours, and no process that was started from here."""
    assert [] == list(Path("tmp").glob("nndoctor-*"))
    here = str(Path.cwd())
    for process in Path("/proc").glob("[0-9]*"):
        try:
            assert os.getpid() == int(process.name) or os.readlink(process / "cwd") != here, (process / "cmdline").read_text()
        except OSError:
            continue


def test_torchrun_that_starts_nndoctor() -> None:
    """Healthy: each rank is watched, rank 0 reports, and the recording holds what both have seen."""
    code, report = said([*LAUNCHER, "-m", *CHECK, "--save", "run.jsonl", "train.py", "well"])
    recording = codec.load("run.jsonl")

    assert (0, "healthy", []) == (code, report["verdict"], report["causes"])
    assert [(0, 60, "finished"), (1, 60, "finished")] == [(r["rank"], r["steps"], r["reason"]) for r in report["run"]["ranks"]]
    weights = {rank: [r.weights for r in recording.replicas if r.rank == rank] for rank in (0, 1)}
    assert len(weights[0]) > 10
    assert weights[0] == weights[1]
    assert [0, 1] == [s.rank for s in recording.shards]
    assert set() == set(recording.shards[0].batches) & set(recording.shards[1].batches)


def test_script_that_spawns_its_ranks() -> None:
    """Sick: both processes train on the same rows; no launcher is there, the script calls mp.spawn."""
    code, report = said([*CHECK, "train.py", "same", f"file://{Path.cwd() / 'meeting'}"])

    assert (1, "ranks-diverge") == (code, report["causes"][0]["id"])
    assert ["same-batch-on-ranks"] == [e["symptom"] for e in report["causes"][0]["evidence"]]


def ranks(mode: str) -> tuple[list[int], dict[str, Any]]:
    """Exit codes of two ranks of nndoctor, started as a launcher does, and the report, which is rank 0's alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    several = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", *CHECK, "train.py", mode], stdout=subprocess.PIPE, text=True,
            env={**os.environ, **several, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in (0, 1)
    ]  # fmt: skip
    printed = [rank.communicate(timeout=PATIENCE)[0] for rank in started]

    assert "" == printed[1]
    nothing_is_left()
    return [rank.returncode for rank in started], json.loads(printed[0])


def test_model_inside_the_wrapper() -> None:
    """Sick: it is called in the wrapper's place, so that gradients stay in their process."""
    codes, report = ranks("inner")
    first = report["causes"][0]

    assert ([1, 0], "ranks-diverge") == (codes, first["id"])
    assert {"replicas-differ", "gradients-not-shared"} == {e["symptom"] for e in first["evidence"]}
    assert "not called through the wrapper" in first["evidence"][0]["text"]
    assert "train.py" == first["location"]["file"]


def test_rank_that_is_killed() -> None:
    """The report names it, the others do not hang, and the exit code is that of no diagnosis."""
    codes, report = ranks("killed")

    assert [3, 0] == codes
    assert report["reasons"][0].startswith("Rank 1 was killed by SIGKILL after ")
    assert "signal" == report["run"]["ranks"][1]["reason"]


def test_forked_processes_are_told() -> None:
    """A process that is forked trains unseen, and the report says so rather than that there was no training."""
    Path("forked.py").write_text(
        "import os, torch\nw = torch.nn.Parameter(torch.ones(2))\no = torch.optim.SGD([w], lr=0.1)\n"
        "if os.fork() == 0:\n    for _ in range(20):\n        o.zero_grad(); w.sum().backward(); o.step()\n    os._exit(0)\nos.wait()\n"
    )
    code, report = said([*CHECK, "forked.py"])

    assert 3 == code
    assert report["reasons"][0].startswith("Training went on in 1 forked process of the script")
