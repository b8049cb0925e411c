"""Rows that are trained on and evaluated: the share that the watch finds in real runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nndoctor.probe.launch import Limits, Target, watch
from nndoctor.probe.overlap import _checksums, _is_called_validation, _thinned
from nndoctor.record.model import Overlap
from tests.probe.conftest import recorded

SCRIPT = """\
import torch
from torch import nn

torch.manual_seed(0)
x = {rows}
y = (x.float().sum(1) > x.float().sum(1).median()).long()
order = torch.randperm(240)
train, val = {train}, {val}
model = nn.Sequential({first}nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(5):
    for i in train[torch.randperm(len(train))].split(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[i]), y[i]).backward()
        optimizer.step()
    with torch.no_grad():
        for i in val.split(25):
            hits = (model(x[i]).argmax(1) == y[i]).float().mean()
"""
REALS, BITS = "torch.randn(240, 8)", "torch.randint(0, 2, (240, 8)).float()"


def overlap(path: Path, rows: str, train: str, val: str, first: str = "") -> Overlap:
    """What the watch of such a run writes."""
    (path / "train.py").write_text(SCRIPT.format(rows=rows, train=train, val=val, first=first))
    recording = watch(Target("train.py"), Limits(timeout=120), None, None)
    assert [] == recording.problems
    assert 1 == len(recording.overlaps)
    return recording.overlaps[0]


def test_disjoint_sets_share_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training set was seen whole, each row as often as the others."""
    monkeypatch.chdir(tmp_path)

    o = overlap(tmp_path, REALS, "order[:180]", "order[180:]")

    assert (0.0, 60, 180, 0.0, True, 18) == (o.known, o.rows, o.trained, o.fresh, o.even, o.place.line if o.place else None)
    assert o.chance < 1e-6


def test_overlapping_indices_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the validation rows were trained on, whatever batch they came in."""
    monkeypatch.chdir(tmp_path)

    o = overlap(tmp_path, REALS, "order[:200]", "order[160:][torch.randperm(80)]")

    assert (0.5, 80, 200) == (o.known, o.rows, o.trained)


def test_a_validation_with_gradients_on_is_none_of_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluation mode before the next batch in training mode tells it; where the whole run evaluates, its rows are trained on."""
    monkeypatch.chdir(tmp_path)
    switched = SCRIPT.replace("    for i in train[", "    model.train()\n    for i in train[").replace("with torch.no_grad()", "if model.eval()")
    (tmp_path / "train.py").write_text(switched.format(rows=REALS, train="order[:200]", val="order[160:][torch.randperm(80)]", first="nn.Dropout(0.1), "))
    (tmp_path / "off.py").write_text(SCRIPT.replace("optimizer =", "model.eval()\noptimizer =").format(rows=REALS, train="order[:200]", val="order[160:][torch.randperm(80)]", first=""))

    seen = watch(Target("train.py"), Limits(timeout=120), None, None)
    off = watch(Target("off.py"), Limits(timeout=120), None, None)

    assert [(0.5, 80, 200)] == [(o.known, o.rows, o.trained) for o in seen.overlaps]
    assert [200] == [t.distinct for t in seen.rows]
    assert [(0.5, 80, 200)] == [(o.known, o.rows, o.trained) for o in off.overlaps]


def test_the_training_set_itself_is_known_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left that was not trained on."""
    monkeypatch.chdir(tmp_path)

    o = overlap(tmp_path, REALS, "order[:200]", "order[:100]")

    assert (1.0, 0.5) == (o.known, o.covered)


def test_rows_of_few_values_meet_by_chance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight bits have 256 values: twins are to be expected, and are said to be."""
    monkeypatch.chdir(tmp_path)

    o = overlap(tmp_path, BITS, "order[:180]", "order[180:]")

    assert o.known > 0.2
    assert o.chance > 0.4


def test_whole_numbers_are_compared_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens above the precision of float32 are told apart."""
    monkeypatch.chdir(tmp_path)

    o = overlap(tmp_path, "torch.arange(240 * 8).view(240, 8) + 2**40", "order[:180]", "order[180:]", "type('S', (nn.Module,), {'forward': lambda s, x: (x - 2**40).float() / 1000})(), ")

    assert (0.0, False) == (o.known, o.real)


def trained(model: nn.Module, given: Callable[[Tensor], list[Tensor]], train: Tensor, evaluated: list[Tensor]) -> Overlap:
    """Two epochs over some rows, after which one line evaluates several sets."""

    def run() -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(2):
            for rows in train.split(20):
                optimizer.zero_grad()
                model(*given(rows)).square().mean().backward()
                optimizer.step()
        with torch.no_grad():
            for rows in evaluated:
                model(*given(rows))

    (found,) = recorded(run).overlaps
    return found


def test_a_line_that_scores_the_training_set_too() -> None:
    """Its forward over all that was trained on counts for nothing: of the other one half is known, which is a sixth of the training rows."""
    x = torch.randn(240, 8, generator=torch.Generator().manual_seed(0))
    order = torch.arange(240)

    o = trained(nn.Linear(8, 1), lambda rows: [x[rows]], order[:180], [order[:180], order[150:210]])

    assert (60, 0.5) == (o.rows, o.known)
    assert abs(o.covered - 30 / 180) < 1e-9


def test_ids_that_are_arguments_of_their_own_are_one_row() -> None:
    """A user and a book: every user and every book was trained on, and of the pairs a third."""

    class Taste(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.users, self.books = nn.Embedding(40, 4), nn.Embedding(40, 4)

        def forward(self, user: Tensor, book: Tensor) -> Tensor:
            return torch.mul(self.users(user), self.books(book)).sum(1)

    pairs = torch.randperm(1600, generator=torch.Generator().manual_seed(0))

    o = trained(Taste(), lambda rows: [rows // 40, rows % 40], pairs[:400], [pairs[380:440]])

    assert (60, 400, False) == (o.rows, o.trained, o.real)
    assert abs(o.known - 1 / 3) < 1e-9


def test_a_row_is_known_by_columns_from_all_over() -> None:
    """Rows of sixty times six values that differ in one channel alone are told apart."""
    x = torch.zeros(32, 60, 6)
    x[..., 5] = torch.randn(32, 60, generator=torch.Generator().manual_seed(0))

    assert 32 == len(np.unique(_checksums(_thinned(x))))


@pytest.mark.parametrize(
    ("calls", "named"),
    [
        (["model(x)", "accuracy(model, x[val], y[val])", "train_fold(x, y, train, val)"], True),
        (["model(x)", "accuracy(model, x[train])", "validate(model)"], False),
        (["model(x)", "validate(model, x)"], True),
        (["model(batch)", "test_step(batch)", "evaluate(train_loader)"], False),
        (["model(x)", "score(model, x)  # validation"], False),
        (["model(x)", "fit(train, val)"], False),
    ],
)
def test_the_calls_say_what_is_evaluated(calls: list[str], named: bool) -> None:
    """What is given says more than what is called, and the innermost call most; comments say nothing."""
    assert named == _is_called_validation(calls)


def test_features_for_training_are_no_validation() -> None:
    """A frozen network is fed the training rows without gradient, and its outputs, reshaped, are what the head learns from."""
    body, head = nn.Linear(8, 16), nn.Linear(16, 1)
    x = torch.randn(120, 8, generator=torch.Generator().manual_seed(0))

    def run() -> None:
        whole = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.01)
        for rows in x.split(20):
            whole.zero_grad()
            head(body(rows)).square().mean().backward()
            whole.step()
        body.requires_grad_(False)
        optimizer = torch.optim.SGD(head.parameters(), lr=0.01)
        for rows in x.split(20):
            with torch.no_grad():
                features = body(rows)
            optimizer.zero_grad()
            head(features.flatten(1)).square().mean().backward()
            optimizer.step()

    assert [] == recorded(run).overlaps
