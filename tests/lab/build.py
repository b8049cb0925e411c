"""Writes the mutants, runs each as it is for its score, and records it under the real command.

    python -m tests.lab.build [--each N] [--seeds N] [--jobs N]

Everything lands in a cache outside the repository (NNDOCTOR_LAB, or ~/.cache/nndoctor/lab) and is made once; scripts that
have changed are made anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import re
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nndoctor.probe import launch
from nndoctor.record import codec
from tests.lab.bases import BASES, Base
from tests.lab.operators import FAULTS, HARMLESS, Operator
from tests.nursery import nursery

CACHE = Path(os.environ.get("NNDOCTOR_LAB", Path.home() / ".cache" / "nndoctor" / "lab"))
_METRIC = re.compile(r"^METRIC val=(\S+)$", re.MULTILINE)
_TIMEOUT = 300.0


@dataclass(frozen=True)
class Mutant:
    """A base script with one change in it."""

    base: Base
    operator: Operator
    seed: int

    @property
    def name(self) -> str:
        """The stem of its files."""
        return f"{self.base.name}--{self.operator.name.replace('/', 'over')}--{self.seed}"

    @property
    def script(self) -> str:
        """Its text."""
        changed = self.operator.change(self.base)
        assert changed is not None
        return changed.script(self.seed)

    def file(self, kind: str) -> Path:
        """Its script, score ("json") or recording ("jsonl")."""
        return CACHE / f"{self.name}.{kind}"


def mutants(each: int, seeds: int) -> Iterator[Mutant]:
    """Every base as it is, and every operator on `each` of the bases that it can change, drawn once and for all."""
    for operator in (*HARMLESS, *FAULTS):
        fitting = [b for b in BASES if operator.change(b) is not None]
        chosen = fitting if operator.name == "as-it-is" else random.Random(operator.name).sample(fitting, min(each, len(fitting)))
        for base in chosen:
            for seed in range(seeds):
                yield Mutant(base, operator, seed)


def make(mutant: Mutant, python: str) -> None:
    """Record and score one mutant, unless that was done with the same text.

    The score is what the script prints at its end; one that the probe cuts short is run again as it is.
    """
    text = mutant.script
    digest = hashlib.sha256(text.encode()).hexdigest()
    known = json.loads(mutant.file("json").read_text()) if mutant.file("json").exists() else {}
    if known.get("script") == digest and mutant.file("jsonl").exists():
        return
    mutant.file("py").write_text(text, encoding="utf-8")
    printed: list[bytes] = []
    recording = launch.watch(launch.Target(str(mutant.file("py")), python=python), launch.Limits(timeout=_TIMEOUT), None, printed.append)
    codec.save(recording, mutant.file("jsonl"))
    end, output, error = recording.end, b"".join(printed).decode(errors="replace"), ""
    if end is None or end.reason != "finished":
        command = [python, str(mutant.file("py"))]
        plain = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, cwd=CACHE, check=False)
        output, error = plain.stdout, plain.stderr[-300:] if plain.returncode else ""
    found = _METRIC.search(output)
    score = float(found.group(1)) if found else math.nan
    result = {"script": digest, "score": score if math.isfinite(score) else None, "error": error}
    mutant.file("json").write_text(json.dumps(result), encoding="utf-8")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=3, help="bases for each operator")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    every = list(mutants(options.each, options.seeds))
    with tempfile.TemporaryDirectory() as folder, nursery(Path(folder), "sklearn.datasets") as python, ThreadPoolExecutor(options.jobs) as pool:
        for i, (mutant, _) in enumerate(zip(every, pool.map(lambda m: _made(m, python), every), strict=True), 1):
            print(f"{i}/{len(every)} {mutant.name}", flush=True)


def _made(mutant: Mutant, python: str) -> None:
    try:
        make(mutant, python)
    except subprocess.TimeoutExpired:
        print(f"{mutant.name}: over {_TIMEOUT:g} s, left out", flush=True)


if __name__ == "__main__":
    main()
