"""The pytest plugin in a repository of a model: its tests train, and fail with the report where the model does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.readme import python_block

pytest_plugins = ["pytester"]

HEALTHY = """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
epochs = parser.parse_args().epochs

import torch
from torch import nn

from model import Net

torch.manual_seed(0)
x = torch.randn(512, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
assert open("data.txt").read() == "here"
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=32, shuffle=True)
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(epochs):
    for a, b in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(a), b).backward()
        optimizer.step()
"""
MODEL = """\
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
"""
TESTS = """\
import sys
import nndoctor


def test_before():
    assert "torch" not in sys.modules


def test_trains_no_more(nndoctor_check):
    nndoctor_check("broken.py", ["--epochs", 8], steps=100, trials=0).assert_healthy()


def test_does_not_train(nndoctor_check):
    nndoctor_check("train.py", ["--epochs", "none"]).assert_healthy()


def test_is_not_there(nndoctor_check):
    nndoctor_check("tain.py")


def test_after():
    assert "torch" not in sys.modules
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a model, a script that trains it, and one in which a step was lost in an edit."""
    root = tmp_path_factory.mktemp("repository")
    (root / "tests").mkdir()
    files = {
        "train.py": HEALTHY, "broken.py": HEALTHY.replace("        optimizer.zero_grad()\n", ""), "model.py": MODEL, "data.txt": "here",
        "pytest.ini": "[pytest]\n", "tests/test_model.py": f"{TESTS}\n\n{python_block('nndoctor_check')}",
    }  # fmt: skip
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def output(repository: Path) -> str:
    """What pytest prints there, started in the folder of the tests, with the plugin as it is installed."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-ra", "--color=no"]
    done = subprocess.run(command, cwd=repository / "tests", capture_output=True, text=True, check=False)

    assert (1, "") == (done.returncode, done.stderr)
    return done.stdout


def failure(output: str, test: str) -> str:
    """The part of the output that tells of one failure."""
    return output.partition(f" {test} ___")[2].partition("\n_____")[0].partition("\n=====")[0]


def test_a_model_that_trains_passes(output: str) -> None:
    """The script is run in the root of the repository, whose other files it finds; no torch comes into the tests' process."""
    assert "3 failed, 3 passed" in output


def test_a_model_that_does_not_fails_with_the_report(output: str) -> None:
    """The message is the report's: the cause, the evidence, the line and the change. None of our lines is shown."""
    lines = failure(output, "test_trains_no_more").splitlines()
    words = [line[1:].strip() for line in lines if line.startswith("E")]

    assert words[0].startswith("AssertionError: SICK  Gradients")
    assert any("missing-zero-grad · error" in line for line in words)
    assert "where    broken.py:21" in words
    assert "▸ 21 │         nn.functional.cross_entropy(net(a), b).backward()" in words
    assert any(line.startswith("change ") for line in words)
    assert 'nndoctor_check("broken.py"' in "".join(lines)
    assert "nndoctor/" not in "".join(lines)
    assert len(words) < 40


def test_a_script_that_fails_is_told(output: str) -> None:
    """No diagnosis is a failure, too: with the reason."""
    told = failure(output, "test_does_not_train")

    assert "INCONCLUSIVE" in told
    assert "exited with code 2" in told
    assert "nndoctor/" not in told


def test_a_script_that_is_not_there(output: str) -> None:
    """A wrong name is one line."""
    told = failure(output, "test_is_not_there")

    assert "E       nndoctor.errors.FileError: tain.py: no such file; name the script that you would give to python" in told
    assert "nndoctor/" not in told


def test_the_plugin_costs_nothing(pytester: pytest.Pytester) -> None:
    """A process of pytest's that uses no fixture of ours loads the plugin alone: no numpy, no rich, no other room."""
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            ours = {m for m in sys.modules if m.startswith("nndoctor")}
            assert ours == {"nndoctor", "nndoctor.version", "nndoctor.pytest_plugin"}
            assert not {"torch", "numpy", "rich", "yaml", "click"} & set(sys.modules)
        """
    )

    pytester.runpytest_subprocess("-p", "no:xdist").assert_outcomes(passed=1)


def test_the_fixture_is_listed(pytester: pytest.Pytester) -> None:
    """`pytest --fixtures` shows it with what it is for."""
    shown = pytester.runpytest_subprocess("--fixtures", "-p", "no:xdist")

    shown.stdout.fnmatch_lines(["nndoctor_check -- *pytest_plugin.py:*", "    Check a training script as `nndoctor.check` does*"])
