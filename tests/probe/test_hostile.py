"""Hostile and unlucky scripts: each ends as it would unwatched, with the documented exit code, a clear word and what was seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from nndoctor.cli import EXIT_CLEAN, EXIT_FOUND, EXIT_NO_DIAGNOSIS
from nndoctor.probe.launch import Limits
from tests.probe.conftest import Outcome

HEAD = """\
import hashlib, os, signal, sys, threading, time
import torch
from torch import nn
import torch.nn.functional as F
torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
def step(i=0):
    rows = slice(32 * (i % 8), 32 * (i % 8) + 32)
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x[rows]), y[rows])
    loss.backward()
    optimizer.step()
    return loss.item()
def train(n=60):
    for i in range(n): value = step(i)
    return value
def tell():
    weights = b"".join(p.detach().double().numpy().tobytes() for p in model.parameters())
    print(hashlib.sha256(weights).hexdigest(), torch.get_rng_state().sum().item())
"""
END = "print(train())\ntell()\n"


@dataclass(frozen=True)
class Case:
    """A script, how its run ends, and what of it the report says. `same`: it prints what it prints unwatched."""

    script: str
    reason: str = "finished"
    code: int = EXIT_CLEAN
    says: str = ""
    steps: int | None = 60
    timeout: float = 120.0
    same: bool = True


CASES = {
    # --- how it ends
    "os._exit": Case(HEAD + "print(train(), flush=True)\nos._exit(3)\n", "exit", says="the script exited with code 3"),
    "os._exit in a child": Case(HEAD + "if not os.fork():\n    train(3)\n    os._exit(4)\nprint(os.wait()[1])\n" + END),
    "abort": Case(HEAD + "train()\ntime.sleep(0.5)\nos.abort()\n", "signal", EXIT_NO_DIAGNOSIS, "was killed by SIGABRT", steps=None),
    "killed for its memory": Case(HEAD + "train()\ntime.sleep(0.5)\nos.kill(os.getpid(), signal.SIGKILL)\n", "signal", EXIT_NO_DIAGNOSIS, "SIGKILL is often a lack of memory", steps=None),
    "no memory left": Case(
        HEAD + "train()\nimport resource\nsize = int(open('/proc/self/statm').read().split()[0]) * os.sysconf('SC_PAGE_SIZE')\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 28),) * 2)\nbig = torch.ones(1 << 28)\n",
        "error", EXIT_NO_DIAGNOSIS, "can't allocate memory", same=False,
    ),
    "own handler of a signal": Case(HEAD + "signal.signal(signal.SIGTERM, lambda *_: sys.exit('saved'))\ntrain()\nos.kill(os.getpid(), signal.SIGTERM)\n", "exit"),
    "timer": Case(HEAD + "signal.signal(signal.SIGALRM, lambda *_: None)\nsignal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)\nprint(train())\nsignal.setitimer(signal.ITIMER_REAL, 0)\ntell()\n"),
    "endless recursion": Case(HEAD + "train()\ndef deeper(n): return deeper(n + 1)\ndeeper(0)\n", "error", EXIT_NO_DIAGNOSIS, "RecursionError", same=False),  # at another depth: the watch stands above the script
    "loss of many numbers": Case(HEAD + "F.cross_entropy(model(x), y, reduction='none').backward()\n", "error", EXIT_NO_DIAGNOSIS, "after 0 training steps", steps=0),
    "loss printed that is many": Case(HEAD + "F.cross_entropy(model(x), y, reduction='none').item()\n", "error", EXIT_NO_DIAGNOSIS, "cannot be converted to Scalar", steps=0),
    "half a character in an error": Case(HEAD + "train()\nraise ValueError('\\udc80 [bold]x[/nope] \\x00')\n", "error", EXIT_NO_DIAGNOSIS, r"\udc80 [bold]x[/nope]"),
    # --- what never trains
    "for ever without a step": Case(HEAD + "with torch.no_grad():\n    while True: model(x)\n", "timeout", EXIT_NO_DIAGNOSIS, "without gradients: that is an evaluation", 0, 2.0, same=False),
    "empty loader": Case(
        HEAD + "from torch.utils.data import DataLoader, TensorDataset\nfor _ in range(9):\n    for rows in DataLoader(TensorDataset(x[:0])): step()\n",
        code=EXIT_NO_DIAGNOSIS, says="train.py:25 has no samples", steps=0,
    ),
    "trains in a fork": Case(HEAD + "if not os.fork():\n    train()\n    os._exit(0)\nos.wait()\n", code=EXIT_NO_DIAGNOSIS, says="The script forked once", steps=0),
    "meta device": Case("import torch\ntorch.set_default_device('meta')\n" + HEAD + "for _ in range(9):\n    F.cross_entropy(model(x), y).backward()\n    optimizer.step()\n", code=EXIT_NO_DIAGNOSIS, says="It trained on the meta device", steps=0),
    "two billion parameters": Case(
        HEAD + "with torch.device('meta'):\n    big = nn.Sequential(*[nn.Linear(8192, 8192) for _ in range(30)])\n    big(torch.empty(4, 8192)).sum().backward()\n",
        code=EXIT_NO_DIAGNOSIS, says="2,013,511,680 parameters", steps=0,
    ),
    # --- what it replaces
    "backward rebound": Case(HEAD + "old, n = torch.Tensor.backward, []\ndef backward(t, *a, **k):\n    n.append(1)\n    return old(t, *a, **k)\ntorch.Tensor.backward = backward\n" + END + "print(len(n))\n"),
    "backward by hand": Case(
        HEAD + "def backward(t, *a, **k):\n    ps = list(model.parameters())\n    for p, g in zip(ps, torch.autograd.grad(t, ps)): p.grad = g\ntorch.Tensor.backward = backward\n" + END,
    ),
    "step rebound": Case(HEAD + "old, n = torch.optim.Adam.step, []\ndef fresh(o, *a, **k):\n    n.append(1)\n    return old(o, *a, **k)\ntorch.optim.Adam.step = fresh\n" + END + "print(len(n))\n"),
    "calls rebound": Case(HEAD + "old = nn.Module.__call__\nnn.Module.__call__ = lambda m, *a, **k: old(m, *a, **k)\n" + END),
    "loss rebound": Case(HEAD + "old = F.cross_entropy\nF.cross_entropy = lambda *a, **k: 2 * old(*a, **k)\n" + END),
    "json and time rebound": Case(HEAD + "import json\njson.dumps = None\ntime.monotonic = time.perf_counter = lambda: 0.0\n" + END),
    "traced": Case(HEAD + "def trace(*_): return trace\nsys.settrace(trace)\nprint(train(5), sys.gettrace() is trace)\n", code=EXIT_NO_DIAGNOSIS, steps=5),
    "warnings are errors": Case("import warnings\nwarnings.simplefilter('error')\n" + HEAD + END),
    # --- settings
    "double by default": Case("import torch\ntorch.set_default_dtype(torch.float64)\n" + HEAD + END),
    "bfloat16 by default": Case("import torch\ntorch.set_default_dtype(torch.bfloat16)\n" + HEAD + END),
    "meta by default, once all is made": Case(HEAD + "torch.set_default_device('meta')\nprint(train(), torch.ones(1).device)\n"),
    "deterministic": Case("import torch\ntorch.use_deterministic_algorithms(True)\n" + HEAD + "torch.autograd.set_detect_anomaly(True)\n" + END),
    # --- where and with what it runs
    "reads what is typed": Case(HEAD + "print(repr(sys.stdin.read()))\n" + END, same=False),
    "changes the folder": Case(HEAD + "import tempfile\nfolder = tempfile.mkdtemp()\nos.chdir(folder)\nos.rmdir(folder)\n" + END),
    "deletes itself": Case("import os\nos.remove(__file__)\n" + HEAD.replace("3e-2", "50.0") + END, code=EXIT_FOUND, says="train.py:11", same=False),
    "output that fails": Case(HEAD + "class Out:\n    def write(self, text): raise OSError('full')\n    flush = write\nsys.stdout = Out()\ntrain()\nos._exit(0)\n", "exit"),
    "bytes as output": Case(HEAD + "train()\nsys.stdout.buffer.write(bytes(range(256)) * 9)\nprint('\\x1b[2J[bold]')\n"),
    "threads beside": Case(HEAD + "def idle():\n    while True: time.sleep(0.001)\nthreading.Thread(target=idle, daemon=True).start()\n" + END),
    "a thread trains": Case(HEAD + "thread = threading.Thread(target=train, daemon=True)\nthread.start()\nthread.join()\ntell()\n"),
    # --- large
    "deep in its own calls": Case(HEAD + "def down(n): return down(n - 1) if n else train()\nprint(down(955))\ntell()\n"),
    "a network that calls itself": Case(
        HEAD + "class Tree(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 2)\n"
        "    def forward(self, x, n=230): return self(torch.tanh(self.a(x)), n - 1) if n else self.b(x)\n"
        "model = Tree()\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)\nprint(train(9))\ntell()\n",
        steps=9,
    ),
    "ten thousand modules": Case(
        HEAD + "model = nn.Sequential(*[nn.Identity() for _ in range(10_000)], nn.Linear(8, 2))\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)\nprint(train(9))\ntell()\n",
        code=EXIT_FOUND, steps=9,
    ),
    "a thousand groups": Case(
        HEAD + "class Wide(nn.ModuleList):\n    def forward(self, x): return sum(m(x) for m in self) / len(self)\nmodel = Wide(nn.Linear(8, 2) for _ in range(500))\n"
        "optimizer = torch.optim.SGD([{'params': [p], 'lr': 1e-2} for p in model.parameters()])\nprint(train(12), len(optimizer.param_groups))\n",
        code=EXIT_FOUND, steps=12,
    ),
    # --- names
    "names like markup": Case(
        HEAD + "class Нейрон(nn.Module):\n    def __init__(self):\n        super().__init__()\n        for i, name in enumerate(('[bold red]層[/]', 'a\\n\\x1b[31m', '<script>')):\n"
        "            self.add_module(name, nn.Linear(8, 8))\n        self.out = nn.Linear(8, 2)\n"
        "    def forward(self, x):\n        for m in self.children(): x = torch.tanh(x) if m is self.out else m(x)\n        return self.out(x)\n"
        "модель = model = Нейрон()\noptimizer = torch.optim.Adam(model.parameters(), lr=3e-2)\n" + END,
        says="[bold red]層[/]",
    ),
    "a parameter named like a path": Case(
        HEAD + "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.register_parameter('/etc/passwd', nn.Parameter(torch.zeros(8, 2)))\n"
        "    def forward(self, x): return x @ self._parameters['/etc/passwd']\nmodel = Net()\noptimizer = torch.optim.Adam(model.parameters(), lr=0.3)\n" + END,
    ),
    # --- numbers
    "nothing but NaN": Case(HEAD + "x = x * float('nan')\nwith torch.no_grad():\n    for p in model.parameters(): p.fill_(float('nan'))\n" + END, code=EXIT_FOUND, says="input-nonfinite"),
    "targets of 300 axes": Case(
        HEAD + "y = y.double().float().reshape(256, *[1] * 299)\ndef step(i=0):\n    optimizer.zero_grad()\n    loss = F.mse_loss(model(x)[:, 0].reshape(y.shape), y)\n"
        "    loss.backward()\n    optimizer.step()\n    return loss.item()\n" + END,
    ),
    "empty batches": Case(HEAD + "x, y = x[:0], y[:0]\n" + END, code=EXIT_NO_DIAGNOSIS, says="60 of 60 steps were made on an empty batch"),
    "batches of one": Case(HEAD + "whole, labels = x, y\noptimizer = torch.optim.Adam(model.parameters(), lr=3e-3)\nfor i in range(200):\n    x, y = whole[i:i + 1], labels[i:i + 1]\n    step()\ntell()\n", steps=200),
    "loss weighted by row": Case(
        HEAD + "def step(i=0):\n    optimizer.zero_grad()\n    loss = F.cross_entropy(model(x), y, reduction='none')\n    loss.backward(torch.full_like(loss, 1 / 256))\n    optimizer.step()\n    return loss.mean().item()\n" + END,
    ),
    "graph kept": Case(HEAD + "def step(i=0):\n    optimizer.zero_grad()\n    loss = F.cross_entropy(model(x), y)\n    loss.backward(retain_graph=True)\n    loss.backward()\n    optimizer.step()\n    return loss.item()\n" + END),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_hostile_script_is_judged_or_refused_in_words(name: str, examined: Callable[..., Outcome], plain: Callable[..., tuple[int, str]]) -> None:
    """The run ends as it should, nothing of the watch failed, and the script printed what it prints unwatched."""
    case = CASES[name]
    outcome = examined(case.script, Limits(timeout=case.timeout)) if case.same or "remove(__file__)" not in case.script else _deleting(examined, case)

    if case.same:
        # Plain Python holds back what it prints into a pipe, so the order of the two streams is another.
        assert sorted(plain()[1].splitlines()) == sorted(outcome.output.splitlines())
    assert (case.reason, case.code) == (outcome.end.reason, outcome.code), [(s.cause.id, s.confidence) for s in outcome.diagnosis.suspects]
    assert case.says in " ".join(outcome.report.split())
    assert [] == outcome.recording.problems
    assert case.steps is None or case.steps == len(outcome.recording.steps)


def _deleting(examined: Callable[..., Outcome], case: Case) -> Outcome:
    outcome = examined(case.script)
    assert not Path("train.py").exists()
    return outcome


def test_much_output_is_not_kept(python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred megabytes go through, and this process grows by less than twenty."""
    import resource

    from nndoctor.probe.launch import Target, watch

    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("import sys\nfor _ in range(2_000): sys.stdout.write(('x' * 999 + '\\n') * 100)\n")
    passed = [0]

    def take(chunk: bytes) -> None:
        passed[0] += len(chunk)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    watch(Target("train.py", python=python), Limits(timeout=120), None, take)

    assert 200_000_000 == passed[0]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kilobytes
