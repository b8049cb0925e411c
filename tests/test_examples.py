"""Every example is run, and gets the diagnosis that it is an example of; the README shows a report that is one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
# What comes first; None for the run with which nothing is wrong.
EXPECTED = {
    "gradients_never_cleared.py": ("missing-zero-grad", "loss.backward()"),
    "healthy.py": None,
    "inputs_unscaled.py": ("input-not-normalized", "pixels"),
    "rate_too_high.py": ("lr-too-high", "torch.optim.SGD("),
    "softmax_before_loss.py": ("loss-input", "nn.Softmax("),
}


def check(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The real command, as for a terminal of eighty columns without colour."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "nndoctor", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)


def test_every_example_is_tested() -> None:
    """None is forgotten."""
    assert set(EXPECTED) == {path.name for path in EXAMPLES.glob("*.py")}


@pytest.mark.parametrize("name", EXPECTED)
def test_example_gets_its_diagnosis(tmp_path: Path, name: str) -> None:
    """The cause comes first, at the line that is to blame, and nothing is written beside the example."""
    before = sorted(EXAMPLES.iterdir())
    expected = EXPECTED[name]
    done = check("check", "--format", "json", "--quiet", str(EXAMPLES / name), cwd=tmp_path)
    report = json.loads(done.stdout)
    grave = [c for c in report["causes"] if c["severity"] in ("error", "warning")]

    if expected is None:
        assert (0, "healthy", []) == (done.returncode, report["verdict"], grave)
    else:
        cause, blamed = expected
        assert (1, "sick") == (done.returncode, report["verdict"])
        assert cause == grave[0]["id"]
        lines = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()
        assert blamed in lines[grave[0]["location"]["line"] - 1]
    assert before == sorted(EXAMPLES.iterdir())


# --- the README ---------------------------------------------------------------------------------------------------


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def shown_report() -> list[str]:
    """The report that the README shows, which is the one of `make demo`."""
    blocks = re.findall(r"^```text\n(.*?)^```$", readme(), re.MULTILINE | re.DOTALL)
    reports = [block for block in blocks if block.startswith(("SICK", "HEALTHY"))]
    assert len(reports) == 1
    return [line.rstrip() for line in reports[0].splitlines()]


def telling(lines: list[str]) -> list[str]:
    """The lines that say what is wrong and where: the verdict, the suspects and the code frame; numbers may differ."""
    kept = [line for line in lines if re.match(r"SICK|\d  |   where|   change|\s+▸ ", line)]
    return [re.sub(r"\d+ %", "N %", line) for line in kept]


def test_readme_shows_a_true_report() -> None:
    """Whoever runs `make demo` sees what the README shows. If this fails: `make picture`, and look at it."""
    done = check("check", "examples/softmax_before_loss.py", cwd=ROOT)
    actual = [line.rstrip() for line in done.stdout.splitlines()]

    assert len(telling(actual)) >= 5
    assert telling(shown_report()) == telling(actual)


def test_readme_names_what_exists() -> None:
    """Each command, option, file and make target that the README mentions is there."""
    words = readme()
    commands = set(re.findall(r"(?<=`nndoctor )[a-z]+\b|(?<=^nndoctor )[a-z]+\b|(?<=^    nndoctor )[a-z]+\b", words, re.MULTILINE))
    helps = {name: check(name, "--help", cwd=ROOT) for name in commands}
    known = set(re.findall(r"--[a-z-]+", "".join(h.stdout for h in helps.values())))
    theirs = {"--epochs", "--lr", "--nproc-per-node"}  # of scripts that are checked, and of torchrun
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert {"check", "try", "diagnose", "explain"} <= commands
    assert {0} == {h.returncode for h in helps.values()}
    assert set() == set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", words)) - known - theirs
    for target in re.findall(r"`?make ([a-z]+)`?", words):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"\]\(([^)#:]+)\)", words):
        assert (ROOT / path).exists(), path
