"""A notebook: cells that IPython runs, a block under watch in one of them, and what Jupyter is given to show."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

CELLS = [
    """\
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
""",
    """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, x):
        return self.layers(x).softmax(1)
""",
    """\
import nndoctor

net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
with nndoctor.watch() as watch:
    for _ in range(8):
        for i in range(0, 256, 32):
            optimizer.zero_grad
            F.cross_entropy(net(x[i : i + 32]), y[i : i + 32]).backward()
            optimizer.step()
""",
    "watch.report",
    "print(watch.report)",
    """\
with nndoctor.watch(steps=12) as broken:
    for i in range(20):
        F.cross_entropy(net(x), y).backward()  # nndoctor: ignore[missing-zero-grad]
        optimizer.step()
    raise ValueError("by the cell itself")
""",
]
KERNEL = """\
import json, sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance(colors="nocolor")
results = [shell.run_cell(cell, store_history=True) for cell in json.load(sys.stdin)]
shown, _ = shell.display_formatter.format(results[3].result)
report, broken = shell.user_ns["watch"].report, shell.user_ns["broken"].report
with open("seen.json", "w") as file:
    json.dump({
        "raised": [type(r.error_in_exec).__name__ for r in results],
        "shown": shown,
        "report": json.loads(report.to_json()),
        "hints": [[h.what, h.place.file, h.place.line] for h in report.recording.hints],
        "broken": [broken.recording.end.reason, len(broken.recording.steps), [s.cause.id for s in broken.diagnosis.silenced]],
    }, file)
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """What came of the cells, and what they printed."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "kernel.py").write_text(KERNEL, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "kernel.py"], input=json.dumps(CELLS), cwd=folder, capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin:/bin", "IPYTHONDIR": str(folder / "ipython"), "HOME": str(folder), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return json.loads((folder / "seen.json").read_text(encoding="utf-8")), done.stdout


def test_lines_are_those_of_cells(notebook: tuple[dict[str, Any], str]) -> None:
    """A finding names the cell as IPython does, and its code is shown."""
    seen, printed = notebook
    found = {cause["id"]: (cause["location"]["file"], cause["location"]["line"]) for cause in seen["report"]["causes"]}

    assert "sick" == seen["report"]["verdict"]
    assert {"missing-zero-grad": ("In[3]", 8), "loss-input": ("In[2]", 7)}.items() <= found.items()
    assert "notebook" == seen["report"]["script"]
    assert "▸  8 │         optimizer.zero_grad\n" in printed
    assert ["uncalled:zero_grad", "In[3]", 8] in seen["hints"]


def test_jupyter_shows_the_page(notebook: tuple[dict[str, Any], str]) -> None:
    """The page stands in a frame of its own, from which nothing reaches the notebook; the text is there for those who show none."""
    shown = notebook[0]["shown"]

    assert {"text/plain", "text/html"} == set(shown)
    assert shown["text/plain"].startswith("SICK")
    assert shown["text/html"].startswith('<iframe sandbox="allow-scripts"')
    assert 2 == shown["text/html"].count("<")  # it begins and ends; the page itself is an attribute, escaped
    assert "&lt;!doctype html&gt;" in shown["text/html"]


def test_a_cell_that_raises(notebook: tuple[dict[str, Any], str]) -> None:
    """The exception is the cell's own, past a limit that was reached before; a comment in the cell silences its line."""
    seen, printed = notebook
    reason, steps, silenced = seen["broken"]

    assert ["NoneType"] * 5 + ["ValueError"] == seen["raised"]
    assert ("steps", 12, ["missing-zero-grad"]) == (reason, steps, silenced)
    assert "by the cell itself" in printed
    assert "nndoctor/" not in printed
