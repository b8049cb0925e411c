"""The watched run is the user's run: the same bits, nothing drawn, nothing kept alive, nothing left behind."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nndoctor.probe.attach import Watch, attached
from tests.probe.torch_state import callables_of_torch, hooks_of_torch, train

# --- the same bits ------------------------------------------------------------------------------------------------

# Each script tells what it is: every loss as exact digits, the weights, and the state in which it leaves the process.
HEAD = """\
import hashlib, json, os, pickle, random, sys
import numpy, torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

random.seed(1), numpy.random.seed(2), torch.manual_seed(3)
losses = []


def note(loss):
    losses.append(float(loss).hex())
    print("loss", losses[-1], flush=True)


def digest(value):
    return hashlib.sha256(pickle.dumps(value)).hexdigest()


def bits(tensors):
    return digest([t.detach().numpy().tobytes() for t in tensors])


def tell(tensors, optimizers=()):
    print("told " + json.dumps({
        "losses": losses,
        "weights": bits(tensors),
        "optimizers": [bits([v for s in o.state.values() for v in s.values() if torch.is_tensor(v)]) for o in optimizers],
        "torch random": bits([torch.get_rng_state()]), "next": torch.rand(1).item().hex(),
        "random": digest(random.getstate()), "numpy random": digest(numpy.random.get_state()),
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "gradients": torch.is_grad_enabled(), "type": str(torch.get_default_dtype()),
        "path": sys.path, "argv": sys.argv, "folder": sorted(os.listdir()),
    }))


"""

SCRIPTS = {
    # Dropout, and a loader that shuffles: both draw from torch's generator.
    "mlp": """\
x = torch.randn(512, 20)
y = (x[:, :3].sum(1) > 0).long() + (x[:, 3] > 1).long()
net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 64), nn.Tanh(), nn.Dropout(0.1), nn.Linear(64, 3))
optimizer = torch.optim.Adam(net.parameters(), lr=0.003, weight_decay=1e-4)
loss_of = nn.CrossEntropyLoss()
for epoch in range(4):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = loss_of(net(a), b)
        loss.backward()
        optimizer.step()
        note(loss)
tell(net.state_dict().values(), [optimizer])
""",
    # Augmentation drawn in two workers, batch normalisation, a schedule, validation, and a local module.
    "conv": """\
import shapes

class Images(Dataset):
    def __init__(self, count):
        self.images, self.labels = shapes.draw(count)
    def __len__(self):
        return len(self.images)
    def __getitem__(self, i):
        image = self.images[i]
        if torch.rand(()) < 0.5:
            image = image.flip(-1)
        return image + 0.05 * torch.randn_like(image), self.labels[i]

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second, self.out = nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.Linear(16, 4)
    def forward(self, x):
        x = F.relu(self.norm(self.first(x)))
        x = F.relu(self.second(F.dropout2d(x, 0.2, self.training)))
        return self.out(F.adaptive_avg_pool2d(x, 1).flatten(1))

if __name__ == "__main__":
    loader = DataLoader(Images(256), batch_size=16, shuffle=True, num_workers=2, persistent_workers=True)
    held_out = DataLoader(Images(64), batch_size=32, num_workers=2)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 48)
    for epoch in range(3):
        net.train()
        for x, y in loader:
            loss = F.cross_entropy(net(x), y, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            note(loss)
        net.eval()
        with torch.no_grad():
            for x, y in held_out:
                note(F.cross_entropy(net(x), y))
    tell(net.state_dict().values(), [optimizer])
""",
    # A closure that the optimiser calls as often as it likes.
    "lbfgs": """\
x = torch.linspace(-2, 2, 200).unsqueeze(1)
y = torch.sin(3 * x) + 0.1 * torch.randn_like(x)
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=5, line_search_fn="strong_wolfe")

def closure():
    optimizer.zero_grad()
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    note(loss)
    return loss

for step in range(20):
    optimizer.step(closure)
tell(net.state_dict().values())
""",
    # Batches made by hand with Python's and numpy's generators, weights without modules, a rule written by hand.
    "by hand": """\
data = numpy.random.rand(400, 6).astype(numpy.float32)
truth = data @ numpy.random.randn(6, 2).astype(numpy.float32)
w = [torch.randn(6, 24, requires_grad=True), torch.zeros(24, requires_grad=True), torch.randn(24, 2, requires_grad=True)]
for step in range(60):
    rows = [random.randrange(400) for _ in range(25)]
    x = torch.from_numpy(data[rows] * numpy.random.normal(1, 0.01, (25, 1)).astype(numpy.float32))
    y = torch.from_numpy(truth[rows])
    hidden = torch.relu(x @ w[0] * 0.4 + w[1])
    if step % 3 == 0:
        hidden = hidden * (torch.rand_like(hidden) > 0.1)
    loss = (hidden @ w[2] * 0.2 - y).abs().mean()
    loss.backward()
    with torch.no_grad():
        for p in w:
            p -= 0.05 * p.grad
            p.grad = None
    note(loss)
tell(w)
""",
    # Recurrent, packed sequences, gradients accumulated over two batches and clipped, validation in between.
    "rnn": """\
lengths = torch.randint(3, 12, (240,))
tokens = torch.randint(1, 30, (240, 12))
labels = (tokens[:, 0] > tokens[:, 1]).float()

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(30, 16, padding_idx=0)
        self.rnn = nn.GRU(16, 24, num_layers=2, dropout=0.2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(48, 1)
    def forward(self, t, n):
        packed = nn.utils.rnn.pack_padded_sequence(self.embed(t), n, batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        return self.out(states.mean(1)).squeeze(1)

net = Net()
optimizer = torch.optim.RMSprop(net.parameters(), lr=0.002)
for step in range(24):
    optimizer.zero_grad(set_to_none=step % 2 == 0)
    for part in torch.randperm(200)[:32].split(16):
        loss = F.binary_cross_entropy_with_logits(net(tokens[part], lengths[part]), labels[part]) / 2
        loss.backward()
        note(loss)
    nn.utils.clip_grad_norm_(net.parameters(), 0.25)
    optimizer.step()
    if step % 8 == 7:
        net.eval()
        with torch.inference_mode():
            note(F.binary_cross_entropy_with_logits(net(tokens[200:], lengths[200:]), labels[200:]))
        net.train()
tell(net.state_dict().values(), [optimizer])
""",
    # Attention, which takes another path of torch's in evaluation; averaged weights; two networks and two optimisers.
    "transformer": """\
x = torch.randint(0, 20, (256, 10))
y = x.flip(1)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Embedding(20, 32), nn.Parameter(torch.randn(10, 32) * 0.02)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True)
        self.body, self.out = nn.TransformerEncoder(layer, 2), nn.Linear(32, 20)
    def forward(self, t):
        return self.out(self.body(self.embed(t) + self.place))

net, critic = Net(), nn.Sequential(nn.Linear(20, 16), nn.LeakyReLU(), nn.Linear(16, 1))
average = torch.optim.swa_utils.AveragedModel(net)
first, second = torch.optim.AdamW(net.parameters(), 1e-3), torch.optim.Adagrad(critic.parameters(), 0.05)
for step in range(30):
    net.train()
    rows = torch.randint(0, 200, (24,))
    logits = net(x[rows])
    loss = F.cross_entropy(logits.flatten(0, 1), y[rows].flatten()) + 0.01 * critic(logits.mean(1)).mean()
    first.zero_grad()
    loss.backward()
    first.step()
    average.update_parameters(net)
    guess = F.mse_loss(critic(logits.detach().mean(1)), loss.detach().expand(24, 1))
    second.zero_grad()
    guess.backward()
    second.step()
    note(loss), note(guess)
    if step % 5 == 4:
        for model in (net, average):
            model.eval()
            with torch.no_grad():
                note(F.cross_entropy(model(x[200:]).flatten(0, 1), y[200:].flatten()))
tell([*net.state_dict().values(), *average.state_dict().values(), *critic.state_dict().values()], [first, second])
""",
    # A frozen encoder, which takes that other path while gradients are on; a deep copy of a network in use.
    "frozen": """\
import copy
encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2).eval().requires_grad_(False)
attention = nn.MultiheadAttention(16, 2, batch_first=True).eval().requires_grad_(False)
head = nn.Sequential(nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(head.parameters(), lr=0.05)
x = torch.randn(120, 7, 16)
y = x.amax((1, 2)).unsqueeze(1)
for step in range(50):
    rows = torch.randperm(120)[:12]
    seen = encoder(x[rows])
    loss = F.huber_loss(head((seen + attention(seen, seen, seen)[0]).mean(1)), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    note(loss)
    if step == 20:
        best = copy.deepcopy(head)
        note(F.huber_loss(best(encoder(x).mean(1)), y))
tell([*head.state_dict().values(), *best.state_dict().values(), *encoder.state_dict().values()], [optimizer])
""",
}
SHAPES = """\
import torch

def draw(count):
    images, labels = torch.zeros(count, 1, 12, 12), torch.randint(0, 4, (count,))
    for image, label in zip(images, labels):
        row, column = torch.randint(0, 6, (2,)).tolist()
        image[0, row:row + 3 + label, column:column + 6 - label] = 1.0
    return images, labels
"""


def told(output: str) -> dict[str, Any]:
    """What a script told of itself at its end."""
    lines = [line for line in output.splitlines() if line.startswith("told ")]
    assert len(lines) == 1, output
    found: dict[str, Any] = json.loads(lines[0].removeprefix("told "))
    return found


def plain(folder: Path) -> str:
    """What `python train.py` prints."""
    command = [sys.executable, "train.py", "--lr", "0.1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def watched(folder: Path, *options: str) -> tuple[str, dict[str, Any]]:
    """What the script prints under `nndoctor check`, and the report."""
    report = folder.parent / "report.json"
    command = ["-m", "nndoctor", "check", "--format", "json", "--output", str(report), *options, "train.py", "--lr", "0.1"]
    done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False)
    assert report.is_file(), done.stderr
    return done.stderr, json.loads(report.read_text(encoding="utf-8"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Puts one of the scripts into a folder of its own."""

    def put(name: str) -> Path:
        folder = tmp_path / "work"
        folder.mkdir()
        (folder / "train.py").write_text(HEAD + SCRIPTS[name], encoding="utf-8")
        (folder / "shapes.py").write_text(SHAPES, encoding="utf-8")
        return folder

    return put


@pytest.mark.parametrize("name", SCRIPTS)
def test_watched_run_is_bit_identical(write: Callable[[str], Path], name: str) -> None:
    """Losses, weights, optimisers, generators, threads, paths and files are those of `python train.py`."""
    folder = write(name)
    expected = told(plain(folder))
    files = sorted(os.listdir(folder))
    output, report = watched(folder, "--steps", "100000", "--seconds", "500")
    actual = told(output)

    assert report["run"]["reason"] == "finished"
    assert report["run"]["steps"] >= 20
    assert len(expected["losses"]) >= 40
    for subject, value in expected.items():
        if subject != "folder":
            assert value == actual[subject], subject
    assert files == actual["folder"] == sorted(os.listdir(folder))


def test_stopped_run_is_the_beginning_of_the_whole_one(write: Callable[[str], Path]) -> None:
    """With the limit reached, what was printed until then is what the whole run prints first."""
    folder = write("mlp")
    whole = plain(folder).splitlines()
    output, report = watched(folder, "--steps", "12")
    part = [line for line in output.splitlines() if line.startswith("loss ")]

    assert (12, "steps") == (report["run"]["steps"], report["run"]["reason"])
    assert len(part) in (12, 13)  # the run ends at the next backward call
    assert whole[: len(part)] == part


# --- nothing left in torch ----------------------------------------------------------------------------------------


def drop(record: Any) -> None:
    """Where a record goes in a test that is not about records."""


def stop(reason: str) -> None:
    """No limit is reached in these tests."""
    raise AssertionError(reason)


def new_watch() -> Watch:
    return Watch(drop, 100_000, 1000.0, 10.0, 0.0, stop)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # deprecated names of torch are looked at too
def test_nothing_stays_patched() -> None:
    """Once the watch is taken off, every function, class and hook of torch is the one that was there before."""
    train()  # what torch itself loads late or caches is there now
    functions, hooks = callables_of_torch(), hooks_of_torch()
    with attached(new_watch()) as watch:
        inside = callables_of_torch()
        train()
    watch.finish()
    after = callables_of_torch()

    assert len(functions) > 10_000
    assert len({key for key in functions if functions[key] != inside.get(key)}) >= 20  # the comparison sees patches
    assert [] == [key for key in functions if functions[key] != after.get(key)]
    assert hooks == hooks_of_torch()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_nothing_stays_patched_after_an_exception() -> None:
    """The same where the script raises in the middle of a step that is looked at."""
    train()
    functions, hooks = callables_of_torch(), hooks_of_torch()

    def fail(module: nn.Module, args: Any, output: Any) -> None:
        raise ZeroDivisionError

    def train_and_fail() -> None:
        with attached(new_watch()):
            net, _ = train(3)
            net[2].register_forward_hook(fail)  # type: ignore[index]
            net(torch.randn(4, 8))

    with pytest.raises(ZeroDivisionError):
        train_and_fail()
    after = callables_of_torch()

    assert [] == [key for key in functions if functions[key] != after.get(key)]
    assert hooks == hooks_of_torch()


def test_objects_of_the_user_are_left_as_they_are() -> None:
    """Modules, parameters and optimisers hold no attribute or hook that they would not hold unwatched."""

    def describe(net: nn.Module, optimizer: torch.optim.Optimizer) -> list[Any]:
        hooks = [{k: len(v) for k, v in vars(m).items() if "hooks" in k} for m in net.modules()]
        parameters = [(sorted(vars(p)), p._backward_hooks, p._post_accumulate_grad_hooks) for p in net.parameters()]
        names = [sorted(vars(m)) for m in net.modules()]
        own = {k: len(v) for k, v in vars(optimizer).items() if "hooks" in k}
        return [hooks, parameters, names, own, sorted(vars(optimizer))]

    expected = describe(*train())
    with attached(new_watch()):
        actual = describe(*train())

    assert expected == actual


# --- nothing kept alive -------------------------------------------------------------------------------------------


@pytest.fixture
def no_collection() -> Iterator[None]:
    """What dies, dies by its last reference: the watch may not leave cycles for the collector to find."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Net(nn.Module):
    """Remembers weakly what it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.second = nn.Linear(64, 128), nn.Dropout(0.1), nn.Linear(128, 10)
        self.seen: dict[str, weakref.ref[Any]] = {}

    def forward(self, x: Tensor) -> Tensor:
        inner = self.first(x)
        hidden = self.drop(torch.relu(inner))
        output: Tensor = self.second(hidden)
        self.seen.update(inner=weakref.ref(inner), hidden=weakref.ref(hidden), output=weakref.ref(output))
        return output


def batch(step: int) -> tuple[Tensor, Tensor, dict[str, weakref.ref[Any]]]:
    """Inputs and targets whose memory is a numpy array's, which dies with the last view of it."""
    rows = np.random.default_rng(step).standard_normal((32, 64)).astype(np.float32)
    codes = (rows[:, 0] > 0).astype(np.int64)
    return torch.from_numpy(rows), torch.from_numpy(codes), {"rows": weakref.ref(rows), "codes": weakref.ref(codes)}


STEPS = 45


@pytest.mark.usefixtures("no_collection")
def test_nothing_of_a_step_outlives_it() -> None:
    """Batches (their memory too), activations, losses and gradients of a step are gone when the next one is made."""
    # No assert in the loop: pytest's rewritten ones read locals(), and such a function's snapshot is left to it.
    alive: dict[int, list[str]] = {}

    def main() -> None:
        net = Net()
        optimizer = torch.optim.Adam(net.parameters())
        before: dict[str, weakref.ref[Any]] = {}
        for step in range(1, STEPS):
            x, y, seen = batch(step)
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            alive[step - 1] = [name for name, ref in before.items() if ref() is not None]
            seen.update(net.seen, x=weakref.ref(x), y=weakref.ref(y), loss=weakref.ref(loss))
            seen["gradient"] = weakref.ref(net.first.weight.grad)
            before = seen
            optimizer.step()

    main()
    assert {step: [] for step in range(STEPS - 1)} == alive  # the test itself keeps nothing

    with attached(new_watch()):
        main()

    assert {step: [] for step in range(STEPS - 1)} == alive


@pytest.mark.usefixtures("no_collection")
def test_nothing_of_a_validation_pass_outlives_it() -> None:
    """Batches and outputs of a validation pass are gone once it is over, whatever it compared."""
    alive: dict[int, list[str]] = {}

    def validate(net: Net, step: int) -> dict[str, weakref.ref[Any]]:
        x, y, seen = batch(1000 + step)
        with torch.no_grad():
            output = net(x)
            error = F.cross_entropy(output, y)
            right = (output.argmax(1) == y).float().mean()
        return {**seen, **net.seen, "error": weakref.ref(error), "right": weakref.ref(right)}

    with attached(new_watch()):
        net = Net()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for step in range(1, 25):
            x, y, _ = batch(step)
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
            if step % 4 == 0:
                alive[step] = [name for name, ref in validate(net, step).items() if ref() is not None]

    assert {step: [] for step in range(4, 25, 4)} == alive


@pytest.mark.usefixtures("no_collection")
def test_models_and_optimizers_can_die() -> None:
    """A script that makes many models in turn gets their memory back, watched or not."""
    refs = []
    with attached(new_watch()):
        for _ in range(3):
            net, optimizer = train(12)
            refs += [weakref.ref(net), weakref.ref(optimizer), *(weakref.ref(p) for p in net.parameters())]
            del net, optimizer
        gc.collect()  # modules and schedulers are cycles of torch's own making

    assert [] == [ref for ref in refs if ref() is not None]


def test_what_is_kept_does_not_grow() -> None:
    """After two hundred steps the process holds no more large tensors than after fifty."""

    def large() -> int:
        gc.collect()
        return sum(1 for thing in gc.get_objects() if type(thing) in (Tensor, nn.Parameter) and thing.numel() > 32)

    counts = {}
    with attached(new_watch()):
        net = Net()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
        for step in range(1, 203):
            x, y, _ = batch(step)
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
            if step % 50 == 2 and step > 50:
                counts[step] = large()

    assert len(counts) == 4
    assert len(set(counts.values())) == 1, counts
