"""What watching costs: seconds a step and seconds in all, of the watched script against the plain one.

    python tests/bench/overhead.py                all networks, five pairs each
    python tests/bench/overhead.py --only mlp --pairs 9

Each measurement is a whole process on one thread. Plain and watched take turns, so that what else the machine does
falls on both; each pair gives one ratio. Steps are timed by the script itself, without the first twenty and the last.
The median step is one that is not looked at closely, the mean has its share of those that are. On a machine that is
busy, `--cpu` times steps by the processor time of the process, all its threads included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = """\
import json, statistics, sys, time
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
steps, file, now_is = int(sys.argv[1]), sys.argv[2], getattr(time, sys.argv[3])
{network}
seconds, last = [], now_is()
for step in range(steps):
    rows = torch.randint(0, len(x), (batch,))
    optimizer.zero_grad()
    loss = loss_of(net(x[rows]), y[rows])
    loss.backward()
    optimizer.step()
    now = now_is()
    seconds.append(now - last)
    last = now
kept = seconds[20:-1]
with open(file, "w") as out:
    json.dump({{"median": statistics.median(kept), "mean": statistics.mean(kept)}}, out)
"""

NETWORKS = {
    "digits": """\
batch, x, y = 64, torch.randn(1437, 64), torch.randint(0, 10, (1437,))
net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
loss_of = nn.CrossEntropyLoss()
""",
    "mlp": """\
batch, x, y = 128, torch.randn(4000, 784), torch.randint(0, 10, (4000,))
net = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.1), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
loss_of = nn.CrossEntropyLoss()
""",
    "conv": """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1), nn.Linear(32 * 64, 10)
        self.n, self.m = nn.BatchNorm2d(16), nn.BatchNorm2d(32)
    def forward(self, x):
        x = F.max_pool2d(F.relu(self.n(self.a(x))), 2)
        x = F.max_pool2d(F.relu(self.m(self.b(x))), 2)
        return self.c(x.flatten(1))

batch, x, y = 32, torch.randn(1000, 3, 32, 32), torch.randint(0, 10, (1000,))
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
loss_of = nn.CrossEntropyLoss()
""",
    "transformer": """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Embedding(100, 128), nn.Parameter(torch.randn(32, 128) * 0.02)
        self.body = nn.TransformerEncoder(nn.TransformerEncoderLayer(128, 4, 256, 0.1, batch_first=True, norm_first=True), 2, enable_nested_tensor=False)
        self.out = nn.Linear(128, 100)
    def forward(self, x):
        return self.out(self.body(self.embed(x) + self.place))

batch, x = 16, torch.randint(0, 100, (1000, 32))
y = x.flip(1)
net = Net()
optimizer = torch.optim.AdamW(net.parameters(), lr=0.0005)
def loss_of(output, target):
    return F.cross_entropy(output.flatten(0, 1), target.flatten())
""",
}
# Network and steps; the second one with many steps shows whether the cost grows.
RUNS = (("digits", 300), ("digits", 1200), ("mlp", 300), ("mlp", 1200), ("conv", 300), ("transformer", 300))


@dataclass(frozen=True)
class Timing:
    """Seconds of one process."""

    median: float  # a step
    mean: float
    whole: float  # from the command to its end


def measure(script: Path, steps: int, watched: bool, clock: str = "perf_counter") -> Timing:
    """Run the script once. Raises CalledProcessError where it fails."""
    file = script.with_name("seconds.json")
    file.unlink(missing_ok=True)
    watch = ["-m", "nndoctor", "check", "--quiet", "--fail-on", "never", "--steps", str(steps + 1), "--seconds", "600"]
    command = [sys.executable, *(watch if watched else []), script.name, str(steps), file.name, clock]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = time.perf_counter()
    subprocess.run(command, cwd=script.parent, env=environment, check=True, capture_output=True)
    whole = time.perf_counter() - started
    return Timing(**json.loads(file.read_text(encoding="utf-8")), whole=whole)


def compare(name: str, steps: int, pairs: int, clock: str) -> tuple[list[Timing], list[Timing]]:
    """Timings of plain and watched runs, in pairs whose order alternates."""
    plain: list[Timing] = []
    watched: list[Timing] = []
    with tempfile.TemporaryDirectory(prefix="nndoctor-bench-") as folder:
        script = Path(folder) / "train.py"
        script.write_text(SCRIPT.format(network=NETWORKS[name]), encoding="utf-8")
        measure(script, 30, watched=True)  # compiled modules and the disk's cache are warm after this one
        for i in range(pairs):
            for is_watched in (False, True) if i % 2 == 0 else (True, False):
                (watched if is_watched else plain).append(measure(script, steps, is_watched, clock))
    return plain, watched


def ratios(plain: Sequence[float], watched: Sequence[float]) -> str:
    """Smallest, median and largest ratio of the pairs."""
    found = sorted(w / p for p, w in zip(plain, watched, strict=True))
    return f"{found[0]:.2f} {statistics.median(found):.2f} {found[-1]:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", metavar="NETWORK", action="append", choices=list(NETWORKS), help="may be repeated")
    parser.add_argument("--pairs", metavar="N", type=int, default=5, help="of whole processes (default 5)")
    parser.add_argument("--cpu", action="store_true", help="time steps by processor time instead of the clock on the wall")
    options = parser.parse_args(arguments)
    clock = "process_time" if options.cpu else "perf_counter"
    print(f"{'':17} plain    watched / plain, a step: min median max      seconds in all")
    print(f"{'network':12}steps  ms/step  median step      mean step        plain  watched  more: min median max")
    for name, steps in RUNS:
        if options.only and name not in options.only:
            continue
        plain, watched = compare(name, steps, options.pairs, clock)
        more = sorted(w.whole - p.whole for p, w in zip(plain, watched, strict=True))
        print(
            f"{name:12}{steps:5}  {1000 * statistics.median(t.median for t in plain):7.2f}  "
            f"{ratios([t.median for t in plain], [t.median for t in watched]):15}  "
            f"{ratios([t.mean for t in plain], [t.mean for t in watched]):15}  "
            f"{statistics.median(t.whole for t in plain):5.1f}  {statistics.median(t.whole for t in watched):7.1f}  "
            f"{more[0]:.1f} {statistics.median(more):.1f} {more[-1]:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
