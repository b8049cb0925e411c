"""A block of this very process under watch: seen as a script is, and left as if nobody had looked."""

from __future__ import annotations

import hashlib
import pickle
import random
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import nndoctor
from nndoctor.probe.attach import watches
from tests.probe.conftest import Outcome
from tests.probe.torch_state import callables_of_torch, hooks_of_torch, train

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def digest(value: Any) -> str:
    return hashlib.sha256(pickle.dumps(value)).hexdigest()


def randomness() -> list[str]:
    """The state of every generator that a program is likely to draw from."""
    return [digest(torch.get_rng_state().numpy()), digest(random.getstate()), digest(np.random.get_state())]


def state_of_process() -> dict[str, Any]:
    """What a watch might leave behind outside of torch."""
    return {
        "signals": [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)],
        "hooks": [sys.excepthook, sys.displayhook, threading.excepthook, sys.gettrace(), sys.getprofile()],
        "streams": [sys.stdout, sys.stderr],
        "import": [list(sys.meta_path), list(sys.path)],
        "warnings": [list(warnings.filters), warnings.showwarning],
        "limits": [sys.getrecursionlimit(), torch.get_num_threads()],
        "threads": threading.active_count(),
        "watches": watches(),
    }


class Dice(nn.Module):
    """Draws from every generator as it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.second = nn.Linear(8, 32), nn.Dropout(0.2), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x + 0.01 * random.random() + 0.01 * float(np.random.rand())
        return self.second(self.drop(torch.relu(self.first(x))))  # type: ignore[no-any-return]


def play(steps: int = 40) -> list[Any]:
    """A run with validation, clipping and a schedule: each loss, the weights, the optimiser, and the generators afterwards."""
    random.seed(1), np.random.seed(2), torch.manual_seed(3)
    data = TensorDataset(torch.randn(160, 8), torch.randint(0, 3, (160,)))
    net = Dice()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5)
    losses = []
    while len(losses) < steps:
        for x, y in DataLoader(data, batch_size=16, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item().hex())
        scheduler.step()
        net.eval()
        with torch.no_grad():
            losses.append(F.cross_entropy(net(x), y).item().hex())
        net.train()
    moments = [v for s in optimizer.state.values() for v in s.values()]
    return [losses, *(digest(t.detach().numpy()) for t in [*net.parameters(), *moments]), *randomness()]


# --- nothing is changed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [12, 1000])
def test_every_bit_is_the_same(limit: int) -> None:
    """Losses, weights, optimiser and every generator, whether the watch ends in the midst of the loop or with it."""
    plain = play()
    with nndoctor.watch(steps=limit) as watch:
        watched = play()
    drawn = randomness()
    assert watch.report.recording.steps  # to make a report draws nothing either

    assert plain == watched
    assert drawn == randomness() == plain[-3:]
    assert min(limit, 40) == len(watch.report.recording.steps)


def test_nothing_stays() -> None:
    """After a block, and after its limit within it, all of torch and of the process is as it was."""
    train()
    process, functions, hooks = state_of_process(), callables_of_torch(), hooks_of_torch()
    with nndoctor.watch(steps=5) as watch:
        patched = callables_of_torch()
        train()
        within = callables_of_torch()
    after = callables_of_torch()

    assert len({key for key in functions if functions[key] != patched.get(key)}) >= 20  # the comparison sees patches
    assert [] == [key for key in functions if functions[key] != within.get(key)]
    assert [] == [key for key in functions if functions[key] != after.get(key)]
    assert hooks == hooks_of_torch()
    assert process == state_of_process()
    assert "steps" == watch.report.recording.end.reason  # type: ignore[union-attr]


def test_an_exception_passes() -> None:
    """The program's own exception leaves the block as it is, with the program's lines alone; the report tells of it."""
    process, functions, hooks = state_of_process(), callables_of_torch(), hooks_of_torch()
    error = RuntimeError("out of luck")

    def fail(module: nn.Module, args: Any, output: Any) -> None:
        raise error

    net = nn.Sequential(nn.Linear(8, 4))
    net[0].register_forward_hook(fail)
    watch = nndoctor.watch()
    with pytest.raises(RuntimeError) as caught, watch:
        net(torch.randn(2, 8))
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]

    assert error is caught.value
    assert [] == [file for file in files if file.startswith(str(Path(nndoctor.__file__).parent))]
    assert 3 == watch.report.exit_code
    assert "RuntimeError: out of luck" in watch.report.text()
    assert process == state_of_process()
    assert hooks == hooks_of_torch()
    assert [] == [key for key, value in callables_of_torch().items() if functions.get(key, value) != value]


def test_what_the_program_patches_stays() -> None:
    """A function that the program puts into torch within the block is not taken out by the watch that began before it."""
    ours = F.cross_entropy
    calls = []

    def counted(*args: Any, **kwargs: Any) -> Tensor:
        calls.append(args)
        return inner(*args, **kwargs)

    try:
        with nndoctor.watch():
            inner = F.cross_entropy
            F.cross_entropy = counted
        loss = F.cross_entropy(torch.zeros(2, 3), torch.tensor([0, 1]))

        assert F.cross_entropy is counted
        assert 1 == len(calls)
        assert loss.item() == pytest.approx(1.0986, abs=1e-4)
    finally:
        F.cross_entropy = ours


def test_what_is_compiled_is_compiled_afterwards() -> None:
    """The compiler waits for the end of the block, also with what was compiled in it and before it."""
    graphs = []

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    before, x = torch.compile(nn.Linear(4, 4), backend=backend), torch.randn(2, 4)
    before(x)
    made = len(graphs)
    with nndoctor.watch() as watch:
        within = torch.compile(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), backend=backend)
        for model in (before, within):
            model(x).sum().backward()
        held = len(graphs)
    before(x), within(x)

    assert (1, 1, 2) == (made, held, len(graphs))
    assert {"backward": 2, "compile": 1} == {c.what: c.count for c in watch.report.recording.calls if c.what in ("compile", "backward")}


# --- what is seen -------------------------------------------------------------------------------------------------

SCRIPT = """\
import torch, torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(512, 20)
y = (x[:, :3].sum(1) > 0).long() + (x[:, 3] > 1).long()
net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3), nn.Softmax(1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(8):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(a), b)
        loss.backward()
        optimizer.step()
"""


def test_the_same_is_seen_as_of_a_script(examined: Callable[..., Outcome]) -> None:
    """The same program gives the same losses, symptoms and suspects, at the same lines, in a block and in a process of its own."""
    script = examined(SCRIPT)
    with nndoctor.watch() as watch:
        exec(compile(SCRIPT, str(Path("train.py").absolute()), "exec"), {"__name__": "__main__"})
    block = watch.report

    assert [s.loss for s in script.recording.steps] == [s.loss for s in block.recording.steps]
    assert [(s.cause.id, s.location) for s in script.diagnosis.suspects] == [(s.cause.id, s.location) for s in block.suspects]
    assert {s.name: s.value for s in script.diagnosis.symptoms if s.name != "ended-falling"} == {s.name: s.value for s in block.diagnosis.symptoms}
    assert "loss-input" == block.findings[0].cause.id
    assert ("train.py", 8) == (block.findings[0].location.file, block.findings[0].location.line)  # type: ignore[union-attr]


def test_what_was_built_before_the_block_is_known() -> None:
    """In a notebook the model, the loader, the optimiser and even the loss come from earlier cells: they are seen when they are used."""
    torch.manual_seed(0)
    x = torch.randn(256, 8)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3), nn.Softmax(1))
    first, second = (torch.optim.SGD(net.parameters(), lr=lr) for lr in (0.1, 0.05))
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    with nndoctor.watch() as watch:
        for optimizer in (first, second):
            for _ in range(5):
                for a, b in loader:
                    optimizer.zero_grad()
                    cross_entropy(net(a), b).backward()
                    optimizer.step()
            if optimizer is first:  # a further one for the same weights: the same training goes on
                torch.optim.SGD(net.parameters(), lr=0.01)
    recording = watch.report.recording

    assert [(256, 32, True)] == [(loader.length, loader.batch_size, loader.shuffled) for loader in recording.loaders]
    assert [0.1, 0.05] == [o.groups[0].settings["lr"] for o in recording.optimizers if o.stepped]
    assert [] == recording.trainings == recording.problems
    assert "loss-input" in [s.cause.id for s in watch.report.findings]


def test_one_of_several_trainings() -> None:
    """`run` judges one training of those in the block, and the rest goes on unwatched."""

    def training() -> None:
        net = nn.Linear(4, 2)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(12):
            optimizer.zero_grad()
            F.cross_entropy(net(torch.randn(8, 4)), torch.randint(0, 2, (8,))).backward()
            optimizer.step()

    with nndoctor.watch(run=2) as watch:
        for _ in range(3):
            training()
    recording = watch.report.recording

    assert (2, "next") == (recording.header.run, recording.end.reason)  # type: ignore[union-attr]
    assert 12 == len(recording.steps)


# --- use and misuse -----------------------------------------------------------------------------------------------


def test_blocks_within_blocks_are_refused() -> None:
    """The inner one raises before it changes anything, and the outer one goes on."""
    with nndoctor.watch(steps=1000) as outer:
        with pytest.raises(nndoctor.UsageError, match="watched already"), nndoctor.watch():
            pass
        train(12)

    assert 12 == len(outer.report.recording.steps)


def test_a_block_after_another() -> None:
    """Each has a report of its own; a watch is not used twice, and has none to give before its end."""
    reports = []
    for steps in (4, 8):
        watch = nndoctor.watch()
        with pytest.raises(nndoctor.UsageError, match="once the `with` block is left"):
            _ = watch.report
        with watch:
            train(steps)
        reports.append(watch.report)
    with pytest.raises(nndoctor.UsageError, match=r"a new nndoctor\.watch\(\) for each block"), watch:
        pass

    assert [4, 8] == [len(r.recording.steps) for r in reports]
    assert watch.report is reports[-1]


def test_a_block_without_training() -> None:
    """There is nothing to judge: the report says so, and what to do."""
    with nndoctor.watch() as watch:
        nn.Linear(2, 2)(torch.ones(1, 2))

    assert ("inconclusive", 3, False) == (watch.report.verdict, watch.report.exit_code, watch.report.ok)
    assert "Put the loop that trains into the block" in watch.report.text()


def test_a_short_block_is_no_short_training() -> None:
    """What is left after some steps may go on in the next cell: it is not called too short."""
    with nndoctor.watch() as watch:
        train(24)

    assert set() == {"short-run", "ended-falling"} & {s.name for s in watch.report.diagnosis.symptoms}
    assert "left" == watch.report.recording.end.reason  # type: ignore[union-attr]


def test_wrong_settings_are_refused() -> None:
    """At once, in words that name the place, and without our lines in the traceback."""
    with pytest.raises(nndoctor.UsageError, match=r"^nndoctor\.watch: steps must be a whole number from 1, not 0$") as caught:
        nndoctor.watch(steps=0)

    assert 2 == len(traceback.extract_tb(caught.value.__traceback__))
