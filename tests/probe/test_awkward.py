"""Scripts that do unusual things with torch: the watch sees what it can, never fails, and never makes the script fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from nndoctor.probe.launch import Limits, Target, watch
from nndoctor.record.model import Recording
from nndoctor.symptoms.view import View

HEAD = """\
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long()
"""
LOOP = """
for _ in range(20):
    optimizer.zero_grad()
    {loss}
    loss.backward()
    optimizer.step()
print("done")
"""
PLAIN = LOOP.format(loss="loss = F.cross_entropy(model(x), y)")
NET = "model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))\n"
ADAM = "optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)\n"
SCRIPTS = {
    "compiled": NET + "model = torch.compile(model)\n" + ADAM + PLAIN,
    "compiled in place": NET + "model.compile()\n" + ADAM + PLAIN,
    "scripted loss": NET + ADAM + "criterion = torch.jit.script(nn.CrossEntropyLoss())\n" + LOOP.format(loss="loss = criterion(model(x), y)"),
    "autocast and scaler": NET
    + ADAM
    + "scaler = torch.amp.GradScaler('cpu')\n"
    + "for _ in range(20):\n    with torch.autocast('cpu', dtype=torch.bfloat16):\n        loss = F.cross_entropy(model(x), y)\n"
    + "    optimizer.zero_grad()\n    scaler.scale(loss).backward()\n    scaler.step(optimizer)\n    scaler.update()\nprint('done')\n",
    "device context": NET + ADAM + "with torch.device('cpu'):\n" + "".join("    " + line + "\n" for line in PLAIN.splitlines()),
    "parameters by hand": "w = torch.zeros(8, 2, requires_grad=True)\noptimizer = torch.optim.SGD([w], lr=0.1)\n"
    + LOOP.format(loss="loss = F.cross_entropy(x @ w, y)"),
    "relu of one number a sample": "w = torch.zeros(8, requires_grad=True)\noptimizer = torch.optim.SGD([w], lr=0.1)\n"
    + LOOP.format(loss="loss = (torch.relu(x @ w + 1) - y).square().mean()"),
    "lazy layers": "model = nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.LazyLinear(2))\nmodel(x)\n" + ADAM + PLAIN,
    "copied and pickled": "import copy, pickle\n" + NET + "twin = copy.deepcopy(model)\npickle.loads(pickle.dumps(model))\n" + ADAM + PLAIN,
    "optimiser anew at every step": NET
    + "for _ in range(20):\n    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n    optimizer.zero_grad()\n"
    + "    loss = F.cross_entropy(model(x), y)\n    loss.backward()\n    optimizer.step()\nprint('done')\n",
    "closure": NET
    + "optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)\n"
    + "def closure():\n    optimizer.zero_grad()\n    loss = F.cross_entropy(model(x), y)\n    loss.backward()\n    return loss\n"
    + "for _ in range(20):\n    optimizer.step(closure)\nprint('done')\n",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_unusual_script_is_seen_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Twenty steps are counted, the script prints its last line, and no part of the watch failed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(HEAD + SCRIPTS[name])
    printed: list[bytes] = []

    recording: Recording = watch(Target("train.py"), Limits(timeout=120), None, printed.append)

    assert b"done" in b"".join(printed)
    assert recording.end is not None
    assert "finished" == recording.end.reason
    assert [] == recording.problems
    assert 20 == len(recording.steps)
    assert all(s.loss is not None for s in recording.steps)
    assert ([3, 3] if name == "closure" else [0, 0]) == [len(s.evaluations) for s in recording.steps[:2]]


QUESTIONS = {
    "isfinite": "if not torch.isfinite(loss): continue",
    "method": "if loss.isnan(): continue",
    "item": "if math.isnan(loss.item()): continue",
    "float": "if not math.isfinite(float(loss)): continue",
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_losses_that_are_thrown_away_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """However the script asks; every fourth is no number."""
    monkeypatch.chdir(tmp_path)
    loop = "for i in range(40):\n    loss = F.cross_entropy(model(x), y) * (float('nan') if i % 4 == 3 else 1.0)\n"
    loop += f"    {QUESTIONS[name]}\n    optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()\nprint('done')\n"
    (tmp_path / "train.py").write_text("import math\n" + HEAD + NET + ADAM + loop)
    recording = watch(Target("train.py"), Limits(timeout=60), None, None)

    assert (30, []) == (len(recording.steps), recording.problems)
    assert [("loss", 10, 40)] == [(n.where, n.count, n.batches) for n in recording.nonfinite if n.name == "the loss"]


@pytest.mark.parametrize(
    ("between", "undone", "coarse"),
    [
        ("", 0.0, False),
        ("    with torch.no_grad():\n        for p in model.parameters(): p.copy_(p.to(torch.bfloat16))\n", None, True),
        ("    model.load_state_dict(first)\n", 1.0, False),
    ],
    ids=["left alone", "rounded", "restored"],
)  # fmt: skip
def test_what_is_done_to_weights_between_steps_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, between: str, undone: float | None, coarse: bool) -> None:
    """Rounded to half precision, or put back."""
    monkeypatch.chdir(tmp_path)
    loop = "import copy\nfirst = copy.deepcopy(model.state_dict())\nfor _ in range(20):\n    optimizer.zero_grad()\n    F.cross_entropy(model(x), y).backward()\n    optimizer.step()\n"
    (tmp_path / "train.py").write_text(HEAD + NET + "optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)\n" + loop + between)
    recording = watch(Target("train.py"), Limits(timeout=60), None, None)
    seen = [p for s in recording.samples for p in s.parameters if p.coarse is not None]

    assert seen and [] == recording.problems
    assert coarse == all(p.coarse == 1.0 for p in seen)
    if undone is not None:
        assert {undone} == {p.undone for p in seen if p.undone is not None}


BY_HAND = "w = torch.zeros(8, requires_grad=True)\ntruth = x @ torch.arange(1.0, 9.0)\n"
DOWN = "torch.nn.utils.clip_grad_norm_([w], 1e6)\n    with torch.no_grad():\n        w -= 0.1 * w.grad\n        w.grad = None\n"


def test_loops_without_an_optimiser_are_scored_at_every_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a loss that is written by hand, each look has the score of its own step: 0 at first, and better from look to look. Each
    step has its clipping, also those that come after the first are written.
    """
    monkeypatch.chdir(tmp_path)
    script = HEAD + BY_HAND + f"for _ in range(90):\n    loss = (x @ w - truth).pow(2).mean()\n    loss.backward()\n    {DOWN}"
    (tmp_path / "train.py").write_text(script)
    recording = watch(Target("train.py"), Limits(timeout=60), None, None)
    scores = [s.r2 for s in recording.samples]

    assert [] == recording.problems
    assert [2, 3, 5, 7, 10, 20, 30, 40] == [s.step for s in recording.samples][:8]
    assert None not in scores
    assert sorted(scores) == scores and scores[-1] > 0.99
    assert 90 == len(recording.steps) and {1e6} == {s.clip for s in recording.steps}
    assert None not in [s.unclipped_norm for s in recording.steps]
    assert 1.0 - recording.steps[1].loss / recording.steps[0].loss == pytest.approx(scores[0], abs=0.05)


def test_optimisers_that_take_turns_are_looked_at_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is at two steps in a row, one of either."""
    monkeypatch.chdir(tmp_path)
    script = NET + "judge = nn.Linear(2, 1)\none = torch.optim.SGD(judge.parameters(), lr=0.01)\ntwo = torch.optim.SGD(model.parameters(), lr=0.01)\n"
    script += "for _ in range(25):\n    one.zero_grad()\n    judge(model(x).detach()).square().mean().backward()\n    one.step()\n"
    script += "    two.zero_grad()\n    judge(model(x)).mean().backward()\n    two.step()\n"
    (tmp_path / "train.py").write_text(HEAD + script)
    recording = watch(Target("train.py"), Limits(timeout=60), None, None)
    looks = {s.step for s in recording.samples}

    assert [] == recording.problems
    assert {10, 11, 20, 21, 30, 31, 40, 41, 50} == {step for step in looks if step >= 10}
    assert 0 == View(recording).judge


def test_gates_are_told_from_activations_in_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention, dropout between, a GELU by hand and a sigmoid that scales are gates; a tanh and a softmax before a layer are none."""
    monkeypatch.chdir(tmp_path)
    forward = "h = x.view(-1, 4, 2)\n    q, k, v = (f(h) for f in (one, two, three))\n    a = F.softmax(q @ k.mT, -1)\n    h = (F.dropout(a, 0.5) @ v).flatten(1)\n"
    forward += "    h = h + 0.5 * h * (1 + torch.tanh(h))\n    h = h * torch.sigmoid(four(h))\n    h = five(torch.tanh(h) * scale)\n    loss = F.cross_entropy(six(F.softmax(h, 1)), y)"
    net = "one, two, three, four, five, six = net = nn.ModuleList(nn.Linear(n, m) for n, m in ((2, 3), (2, 3), (2, 3), (12, 12), (12, 5), (5, 2)))\n"
    net += "scale = nn.Parameter(torch.ones(12))\noptimizer = torch.optim.SGD([*net.parameters(), scale], lr=0.01)\n"
    (tmp_path / "train.py").write_text(HEAD + net + LOOP.format(loss=forward))
    recording = watch(Target("train.py"), Limits(timeout=60), None, None)
    found = [(s.function, s.gate) for s in recording.sites if s.function in ("softmax", "tanh", "sigmoid")]

    assert [] == recording.problems
    assert [("softmax", True), ("tanh", True), ("sigmoid", True), ("tanh", False), ("softmax", False)] == found


def test_a_target_that_is_given_first_is_a_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Squared errors are the same either way round; also in a validation, where nothing has a gradient."""
    monkeypatch.chdir(tmp_path)
    loop = LOOP.format(loss="loss = F.mse_loss(truth, model(x))") + "with torch.no_grad():\n    F.mse_loss(truth, model(x))\n"
    (tmp_path / "train.py").write_text(HEAD + "truth = 5 + x[:, :2]\nmodel = nn.Linear(8, 2)\noptimizer = torch.optim.SGD(model.parameters(), lr=0.5)\n" + loop)
    recording = watch(Target("train.py"), Limits(timeout=60), None, None)

    assert [] == recording.problems
    assert [5.0, 5.0] == pytest.approx(recording.labels[0].mean, abs=0.3)
    assert (recording.samples[-1].r2 or 0) > 0.5
    assert (recording.evaluations[-1].r2 or 0) > 0.5


@pytest.mark.parametrize(
    ("score", "known"),
    [
        ("F.cross_entropy(out, y); (y == out.argmax(1)).sum()", True),
        ("(torch.max(out, 1)[1].view_as(y) == y).sum()", True),
        ("(y == torch.tensor(out.numpy().argmax(1))).sum()", False),
    ],
)
def test_validation_counts_its_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, score: str, known: bool) -> None:
    """Predictions are what was chosen by its score; where that is not seen, the more various side are the labels."""
    monkeypatch.chdir(tmp_path)
    last = f"with torch.no_grad():\n    out = model(x) * 0 + torch.tensor([0.0, 9.0, 0.0, 0.0])\n    y = torch.arange(256) % 4\n    {score}\n"
    head = HEAD + "truth = 5 + x[:, :2]\nmodel = nn.Linear(8, 4)\noptimizer = torch.optim.SGD(model.parameters(), lr=0.5)\n"
    (tmp_path / "train.py").write_text(head + LOOP.format(loss="loss = F.mse_loss(model(x)[:, :2], truth)") + last)
    recording = watch(Target("train.py"), Limits(timeout=60), None, None)
    seen = recording.evaluations[-1]

    assert [] == recording.problems
    assert 0.25 == seen.accuracy
    assert [64] * 4 == list(seen.labels.values())
    assert ([256] if known else []) == list(seen.predicted.values())


def test_the_line_that_makes_the_loss_makes_that_of_validation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of the script's own serves both; another number of its is no loss, and of a line the last number counts."""
    monkeypatch.chdir(tmp_path)
    ranked = """
def ranked(scores, y):
    spread = scores.logsumexp(0).mean()
    return (
        spread - scores[y == 1].mean()
    ) / 2

model = nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
"""
    check = "with torch.no_grad():\n    for part in (x[:100], x[:100]):\n        out = model(part)\n        last = ranked(out.squeeze(1), y[:100])\nprint(float(last))\n"
    (tmp_path / "train.py").write_text(HEAD + ranked + LOOP.format(loss="loss = ranked(model(x).squeeze(1), y)") + check)
    printed: list[bytes] = []
    recording = watch(Target("train.py"), Limits(timeout=60), None, printed.append)

    assert [] == recording.problems
    assert "by-hand" == recording.evaluations[-1].function
    assert float(b"".join(printed).split()[-1]) == pytest.approx(recording.evaluations[-1].loss, rel=1e-5)


@pytest.mark.parametrize(("head", "task"), [("nn.Linear(16, 1)", "binary"), ("nn.Flatten(1), nn.Linear(16 * 8, 8)", "multilabel")])
def test_one_unit_that_answers_for_many_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str, task: str) -> None:
    """Two axes of yes and no are samples and places, or samples and questions."""
    monkeypatch.chdir(tmp_path)
    squeeze = ".squeeze(2)" if task == "binary" else ""
    net = f"marks = (x > 1).float()\nmodel = nn.Sequential(nn.Unflatten(1, (8, 1)), nn.Linear(1, 16), nn.ReLU(), {head})\noptimizer = torch.optim.SGD(model.parameters(), lr=0.5)\n"
    loss = f"loss = F.binary_cross_entropy_with_logits(model(x){squeeze}, marks)"
    (tmp_path / "train.py").write_text(HEAD + net + LOOP.format(loss=loss))
    recording = watch(Target("train.py"), Limits(timeout=60), None, None)

    assert [] == recording.problems
    assert [task] == [labels.task for labels in recording.labels]


def test_a_sigmoid_that_is_written_out_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its quotient is the site; a reciprocal of something else is none."""
    monkeypatch.chdir(tmp_path)
    net = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])

    def forward(self, x):
        first, second, third = self.layers
        x = 1 / (1 + torch.exp(-first(x)))
        x = (1 + (-second(x)).exp()).reciprocal()
        x = torch.ones(1).div(1 + torch.exp(-third(x)))
        return x / (1 + x * x)

model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
"""
    (tmp_path / "train.py").write_text(HEAD + net + PLAIN)
    recording = watch(Target("train.py"), Limits(timeout=60), None, None)

    assert [] == recording.problems
    assert 3 == sum(s.function == "sigmoid" for s in recording.sites)


def test_padding_is_neither_right_nor_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the loss ignores in training does not count in validation, wherever the script leaves it out."""
    monkeypatch.chdir(tmp_path)
    net = "y[::2] = 7\nmodel = nn.Linear(8, 2)\noptimizer = torch.optim.SGD(model.parameters(), lr=0.5)\n"
    check = "with torch.no_grad():\n    hits = model(x).argmax(1) == y\nprint(float(hits[y != 7].float().mean()))\n"
    (tmp_path / "train.py").write_text(HEAD + net + LOOP.format(loss="loss = F.cross_entropy(model(x), y, ignore_index=7)") + check)
    printed: list[bytes] = []
    recording = watch(Target("train.py"), Limits(timeout=60), None, printed.append)

    assert [] == recording.problems
    assert float(b"".join(printed).split()[-1]) == pytest.approx(recording.evaluations[-1].accuracy)
    assert {"0", "1"} == set(recording.evaluations[-1].labels)
