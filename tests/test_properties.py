"""What holds for any network and any loop: the watch changes nothing, and whatever it saw can be loaded, judged and told."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nndoctor.cli import EXIT_CLEAN, EXIT_FOUND, EXIT_NO_DIAGNOSIS, EXIT_USAGE, run
from nndoctor.diagnosis.engine import diagnose
from nndoctor.probe.attach import Watch, attached
from nndoctor.record import codec
from nndoctor.record.model import Recording
from nndoctor.report import json as json_report
from nndoctor.report import text as text_report
from nndoctor.report.page import Look

# Derandomised: the same examples in every run, so that a failure is found by whoever caused it. Nothing is written.
TRIED = settings(deadline=None, derandomize=True, database=None)

# --- networks and loops -------------------------------------------------------------------------------------------

WIDTH = 6
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(WIDTH, WIDTH),
    "no bias": lambda: nn.Linear(WIDTH, WIDTH, bias=False),
    "frozen": lambda: nn.Linear(WIDTH, WIDTH).requires_grad_(False),
    "relu": nn.ReLU,
    "in place": lambda: nn.ReLU(inplace=True),
    "tanh": nn.Tanh,
    "softmax": lambda: nn.Softmax(dim=1),
    "dropout": lambda: nn.Dropout(0.3),
    "batch norm": lambda: nn.BatchNorm1d(WIDTH),
    "layer norm": lambda: nn.LayerNorm(WIDTH),
    "nested": lambda: nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Sequential(nn.GELU())),
}
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "classes": lambda out, t: F.cross_entropy(out, t.long().clamp(0, WIDTH - 1)),
    "squared": lambda out, t: F.mse_loss(out[:, 0], t),
    "broadcast": lambda out, t: (out - t[:, None]).square().mean(),
    "binary": lambda out, t: F.binary_cross_entropy_with_logits(out[:, 0], (t > 0).to(out.dtype)),
    "summed": lambda out, t: F.l1_loss(out[:, 0], t, reduction="sum") - out.mean(),
    "by row": lambda out, t: F.mse_loss(out[:, 0], t, reduction="none"),
}
OPTIMIZERS: dict[str, Callable[[list[nn.Parameter]], torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "huge": lambda p: torch.optim.SGD(p, lr=1e12),
    "groups": lambda p: torch.optim.RMSprop([{"params": [q], "lr": 0.001 * i} for i, q in enumerate(p)]),
    "maximising": lambda p: torch.optim.SGD(p, lr=0.01, maximize=True),
}
DATA = ["normal", "zeros", "nan", "huge", "whole numbers", "one row", "no rows"]
# What a pass of the loop may do besides the forward and the loss, in this order or another.
ACTS = ["clear", "backward", "step", "clip", "validate", "evaluating", "training", "draw", "twice", "hook", "refuse", "by hand"]


@dataclass(frozen=True)
class Program:
    """A network and a loop, in words."""

    layers: tuple[str, ...]
    loss: str
    optimizer: str
    data: str
    double: bool
    acts: tuple[str, ...]
    steps: int


ORDINARY = ("clear", "backward", "step")
PROGRAMS = st.builds(
    Program,
    st.lists(st.sampled_from(sorted(LAYERS)), max_size=4).map(tuple),
    st.sampled_from(sorted(LOSSES)),
    st.sampled_from(sorted(OPTIMIZERS)),
    st.sampled_from(DATA),
    st.booleans(),
    st.one_of(
        st.lists(st.sampled_from(ACTS), max_size=3).map(lambda more: (*ORDINARY, *more)),
        st.lists(st.sampled_from(ACTS), min_size=1, max_size=6).map(tuple),
    ),
    st.integers(1, 14),
)


def _inputs(kind: str) -> Tensor:
    if kind == "whole numbers":
        return torch.randint(-3, 4, (8, WIDTH)).float()
    x = torch.randn({"one row": 1, "no rows": 0}.get(kind, 8), WIDTH)
    return x * {"zeros": 0.0, "nan": float("nan"), "huge": 1e30}.get(kind, 1.0)


def execute(program: Program) -> dict[str, Any]:
    """Run a program as a script would: its losses, weights, errors and random numbers, to the last bit."""
    torch.manual_seed(7)
    random.seed(7)
    net = nn.Sequential(*[LAYERS[name]() for name in program.layers], nn.Linear(WIDTH, WIDTH))
    kind = torch.float64 if program.double else torch.float32
    net.to(kind)
    optimizer = OPTIMIZERS[program.optimizer]([p for p in net.parameters() if p.requires_grad])
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    told: list[str] = []
    for _ in range(program.steps):
        x = _inputs(program.data).to(kind)
        target = x.sum(1).detach()
        try:
            loss = LOSSES[program.loss](net(x), target)
            told.append(repr(loss.detach().tolist()))
            for act in program.acts:
                _act(act, net, optimizer, loss, x)
            scheduler.step()
        except (RuntimeError, ValueError, ArithmeticError) as error:  # as a plain run would meet them
            told.append(f"{type(error).__name__}: {error}")
    weights = b"".join(t.detach().numpy().tobytes() for t in [*net.state_dict().values()])
    return {
        "told": told,
        "weights": hashlib.sha256(weights).hexdigest(),
        "torch": hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest(),
        "python": random.getstate(),
        "modes": [m.training for m in net.modules()],
        "hooks": [len(m._forward_hooks) for m in net.modules()],
    }


def _act(act: str, net: nn.Sequential, optimizer: torch.optim.Optimizer, loss: Tensor, x: Tensor) -> None:
    if act == "clear":
        optimizer.zero_grad()
    elif act == "backward":
        loss.backward(torch.ones_like(loss), retain_graph=True)
    elif act == "twice":
        torch.autograd.backward([loss.sum()], retain_graph=True)
    elif act == "step":
        optimizer.step()
    elif act == "clip":
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
    elif act == "validate":
        with torch.no_grad():
            (net(x).argmax(1) == 0).float().mean()
    elif act == "evaluating":
        net.eval()
    elif act == "training":
        net.train()
    elif act == "draw":
        torch.rand(3), random.random()
    elif act == "hook":
        handle = net[-1].register_forward_hook(lambda *_: handle.remove())
    elif act == "refuse":
        raise ArithmeticError("refused")
    elif act == "by hand":
        with torch.no_grad():
            for p in net.parameters():
                if p.grad is not None:
                    p -= 0.01 * p.grad


def _stop(reason: str) -> None:
    raise AssertionError(f"no limit is reached here: {reason}")


def execute_watched(program: Program) -> tuple[dict[str, Any], list[str]]:
    """The same under watch, and the lines that were recorded."""
    lines: list[str] = []
    with attached(Watch(lambda record: lines.append(codec.encode(record)), 10_000, 1000.0, 10.0, 0.0, _stop)) as watch:
        found = execute(program)
    watch.finish()
    lines.append(codec.encode(watch.end("finished")))
    return found, lines


def told(recording: Recording) -> None:
    """Judge a recording and tell of it in every form."""
    diagnosis = diagnose(recording)
    json.loads(json_report.render(diagnosis))
    for look in (Look(80, False, False), Look(120, True, True)):
        text_report.render(diagnosis, look).encode()


@given(PROGRAMS)
@settings(TRIED, max_examples=30)
def test_watched_program_computes_what_the_plain_one_does(program: Program) -> None:
    """Losses, weights, errors, modes, hooks and random states are the same bits; no part of the watch fails; the recording is told."""
    plain = execute(program)
    found, lines = execute_watched(program)
    recording = codec.assemble(codec.decode(line) for line in lines)

    assert plain == found
    assert [] == recording.problems
    told(recording)


# --- damaged recordings -------------------------------------------------------------------------------------------


@cache
def whole() -> tuple[str, ...]:
    """The lines of a run in which much is to be seen."""
    acts = ("clear", "backward", "clip", "step", "validate", "training")
    return tuple(execute_watched(Program(("linear", "batch norm", "relu", "dropout"), "classes", "adam", "normal", False, acts, 60))[1])


@cache
def kinds() -> list[str]:
    """The kinds of its lines but the header."""
    return sorted({json.loads(line)["kind"] for line in whole()} - {"header"})


VALUES = st.sampled_from(["nan", "inf", "-inf", None, 0, -1, 1e308, 10**30, "x", True, [], {}])


def _damage(value: Any, at: random.Random, new: Any) -> None:
    """Put something else in the place of one field, somewhere in a record; now and then, nothing."""
    keys = [k for k in value if k != "kind"] if isinstance(value, dict) else list(range(len(value)))
    if not keys:
        return
    key = at.choice(keys)
    if isinstance(value[key], (dict, list)) and value[key] and at.random() < 0.7:
        _damage(value[key], at, new)
    elif isinstance(value, dict) and at.random() < 0.2:
        del value[key]
    else:
        value[key] = new


def judged(text: str) -> int:
    """What `nndoctor diagnose` makes of a file with this text: its exit code."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        path.write_text(text)
        return run(["diagnose", str(path), "--verbose", "--output", str(Path(folder) / "report.txt")])


@given(st.data())
@settings(TRIED, max_examples=15)
def test_recording_with_lines_missing_is_judged(data: st.DataObject) -> None:
    """Whatever lines are missing, single ones or all of a kind, there is a diagnosis, or word that too little was seen."""
    gone = data.draw(st.sets(st.sampled_from(kinds())))
    kept = random.Random(data.draw(st.integers(0, 10_000)))
    share = data.draw(st.sampled_from([0.2, 0.7, 1.0]))
    lines = [x for x in whole()[1:] if json.loads(x)["kind"] not in gone and kept.random() < share]

    assert judged("\n".join([whole()[0], *lines]) + "\n") in (EXIT_CLEAN, EXIT_FOUND, EXIT_NO_DIAGNOSIS)


@given(st.floats(0.05, 1.0))
@settings(TRIED, max_examples=6)
def test_recording_that_breaks_off_is_judged(share: float) -> None:
    """A file that ends in the middle of a line is judged by the lines before it."""
    text = "\n".join(whole()) + "\n"
    end = max(int(share * len(text)), len(whole()[0]) + 1)

    assert judged(text[:end]) in (EXIT_CLEAN, EXIT_FOUND, EXIT_NO_DIAGNOSIS)


@given(st.integers(0, 10_000), st.lists(VALUES, min_size=1, max_size=40))
@settings(TRIED, max_examples=30)
def test_recording_with_odd_values_is_judged_or_refused(seed: int, values: list[Any]) -> None:
    """Fields that hold something else, or are missing, make a diagnosis or a refusal in one line: never a traceback."""
    at, lines = random.Random(seed), list(whole())
    for value in values:
        i = at.randrange(1, len(lines))
        record = json.loads(lines[i])
        _damage(record, at, value)
        lines[i] = json.dumps(record)
    try:
        codec.assemble(codec.decode(line) for line in lines)
        allowed = (EXIT_CLEAN, EXIT_FOUND, EXIT_NO_DIAGNOSIS)
    except codec.MALFORMED:
        allowed = (EXIT_USAGE,)

    assert judged("\n".join(lines) + "\n") in allowed
