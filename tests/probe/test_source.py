"""What the text of a script shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from nndoctor.probe.source import hints
from nndoctor.record.model import Header, Recording


def shown(folder: Path, text: str) -> list[tuple[str, int]]:
    """What and line of each hint in a script of this text."""
    script = folder / "train.py"
    script.write_text(text, encoding="utf-8")
    return [(h.what, h.place.line) for h in hints(Recording(Header(1, "", str(script))))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("for b in c:\n    opt.zero_grad\n    loss.backward()\n    opt.step()", [("uncalled:zero_grad", 2)]),
        ("def f(m):\n    m.eval\n    self.opt.step", [("uncalled:eval", 2), ("uncalled:step", 3)]),
        ("step = opt.step\nm.eval()\nx = m.train", []),
        ("rng.shuffle(y)\nds = TensorDataset(x, y)", [("moved-apart", 1)]),
        ("random.shuffle(files)\nfor f in files: print(f)", []),
        ("random.shuffle(x)\nrandom.shuffle(y)\nfit(x, y)", []),
        ("order = torch.randperm(9)\nx, y = x[order], y[order]\nfit(x, y)", []),
        ("x = x[torch.randperm(9)]\nfit(x, y)", [("moved-apart", 1)]),
        ("def load():\n    y = np.sort(y)\n    return zip(x, y)", [("moved-apart", 2)]),
        ("y, _ = y.sort()\nfit(x, y)", [("moved-apart", 1)]),
        ("self.y = self.y.flip(0)\nfit(self.x, self.y)", [("moved-apart", 1)]),
        ("y = y[::-1]\nfit(x, y)", [("moved-apart", 1)]),
        ("y = np.roll(y, 1)\nfit(x, y)", [("moved-apart", 1)]),
        ("losses.sort()\nplot(times, losses)", [("moved-apart", 1)]),
        ("y = rng.permutation(n)\nfit(x, y)", []),
        ("x, y = shuffle(x, y)\nfit(x, y)", []),
        ("def f(", []),
        ("", []),
    ],
)  # fmt: skip
def test_a_text_shows_what_is_written_and_not_done(tmp_path: Path, text: str, expected: list[tuple[str, int]]) -> None:
    """By statement, in the script's order."""
    assert expected == shown(tmp_path, text)


def test_a_file_that_is_gone_shows_nothing(tmp_path: Path) -> None:
    """Scripts may delete themselves."""
    assert [] == hints(Recording(Header(1, "", str(tmp_path / "gone.py"))))
    assert [] == hints(Recording(Header(1, "", "package.module")))
