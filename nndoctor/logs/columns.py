"""Which columns of a log are the losses and accuracies of training and validation, by what they are called.

Names differ by tool: `loss` and `val_loss` (Keras), `train_loss_step` (Lightning), `loss` and `eval_loss` (Hugging Face),
`Loss/train` (TensorBoard by hand), `train/epoch_loss` (Keras in TensorBoard). A name is taken apart into words; a word for
a split, one for the measure, and as few others as possible.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nndoctor.errors import FileError
from nndoctor.logs.model import Log, Row, Series, Table

_TRAINING = frozenset({"train", "training", "tr", "trn"})
_HELD = ("val", "valid", "validation", "eval", "evaluation", "dev", "test", "testing", "holdout")  # the better to judge by first
_LOSSES = frozenset({"loss", "cost", "nll", "mse"})
_ACCURACIES = frozenset({"acc", "accuracy"})
_WHEN = frozenset({"step", "epoch", "avg", "mean", "average", "running", "per", "total", "metrics", "metric"})  # say nothing of what is measured
_STEPS = (("global", "step"), ("step",), ("steps",), ("iteration",), ("iter",), ("iterations",), ("train", "step"), ("trainer", "global", "step"))
_EPOCHS = (("epoch",), ("epochs",))
_MOST = 20  # names listed in a message
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class Column:
    """A name taken apart."""

    name: str
    split: str  # "" where no word tells
    rest: frozenset[str]  # words beside the split, the measure and the time
    entries: int


def words(name: str) -> list[str]:
    """`valLoss/top-1` as val, loss, top, 1."""
    return [w.lower() for w in _WORDS.findall(name)]


def curves(table: Table, training: str = "", validation: str = "") -> Log:
    """The curves of a log; `training` and `validation` name columns instead of those that would be found.

    Raises FileError where there is no loss, a named column does not exist, or a cell of a curve is no number.
    """
    for name in (training, validation):
        if name and name not in table.names():
            raise FileError(f"{table.source}: no column {name!r}; there are {_listed(table.names())}")
    run = last_run(table)
    losses, scores = _columns(run.rows, _LOSSES), _columns(run.rows, _ACCURACIES)
    train_name = training or _training(losses)
    held_name = validation or _validation(losses, train_name)
    if not train_name and not held_name:
        raise FileError(f"{table.source}: no column of a loss among {_listed(table.names())}; name one with --train or --validation")
    train_score = _training(scores)

    def series(name: str) -> Series | None:
        return _series(table.source, run, name) if name else None

    return Log(
        table.source, table.format, run.unit, series(train_name), series(held_name), series(train_score),
        series(_validation(scores, train_score)), [c.name for c in losses if c.name not in (train_name, held_name)],
        [*table.remarks, *run.remarks],
    )  # fmt: skip


def _columns(rows: Sequence[Row], measure: frozenset[str]) -> list[Column]:
    entries = Counter(name for row in rows for name in row.values)
    return [_taken_apart(name, n, measure) for name, n in entries.items() if measure & set(words(name))]


def _taken_apart(name: str, entries: int, measure: frozenset[str]) -> Column:
    parts = words(name)
    split = next((w for w in parts if w in _HELD), next((w for w in parts if w in _TRAINING), ""))
    return Column(name, split, frozenset(parts) - measure - _WHEN - _TRAINING - {split}, entries)


def _training(columns: Sequence[Column]) -> str:
    """The column of training with the fewest words of its own; of several, the one with the most entries; "" for none."""
    found = [c for c in columns if c.split not in _HELD]
    best = min(found, key=lambda c: (len(c.rest), -c.entries, c.split == ""), default=None)
    return best.name if best is not None else ""


def _validation(columns: Sequence[Column], training: str) -> str:
    """The column of validation that measures what the training's does; "" for none."""
    wanted = next((c.rest for c in columns if c.name == training), frozenset())
    found = [c for c in columns if c.split in _HELD and c.name != training]
    best = min(found, key=lambda c: (c.rest != wanted, len(c.rest), _HELD.index(c.split), -c.entries), default=None)
    return best.name if best is not None else ""


@dataclass(frozen=True)
class Run:
    """The rows of one run, with the place of each in the order of time."""

    unit: str  # "step", "epoch" or "row"
    rows: list[Row]
    places: list[float]
    remarks: list[str]


def last_run(table: Table) -> Run:
    """The last run of a log: where its step starts over, another one begins.

    The order of time is that of the steps, where every row has one and none goes back; else that of the rows.
    """
    name, unit = _clock(table.names())
    start = _restart([row.values.get(name) for row in table.rows])
    rows = table.rows[start:]
    remarks = [f"The {unit} starts over at {rows[0].place}: the log holds several runs, of which the last is judged."] if start else []
    places = [x for row in rows if isinstance(x := row.values.get(name), float) and math.isfinite(x)]
    if len(places) == len(rows) and places == sorted(places):
        return Run(unit, rows, places, remarks)
    return Run("row", rows, [float(i) for i in range(1, len(rows) + 1)], remarks)


def _clock(names: Sequence[str]) -> tuple[str, str]:
    """The column that counts time, and what it counts: steps if there are, else epochs."""
    for unit, forms in (("step", _STEPS), ("epoch", _EPOCHS)):
        for name in names:
            if tuple(words(name)) in forms:
                return name, unit
    return "", "row"


def _restart(clock: Sequence[float | str | None]) -> int:
    """Index of the row in which the clock last went back to where it began; 0 where it never does."""
    start, opening, highest = 0, math.nan, math.nan
    for i, x in enumerate(clock):
        if not isinstance(x, float) or not math.isfinite(x):
            continue
        if x <= opening < highest:
            start, opening, highest = i, x, x
        opening = x if math.isnan(opening) else opening
        highest = x if math.isnan(highest) else max(highest, x)
    return start


def _series(source: str, run: Run, name: str) -> Series:
    """One column. Raises FileError for a cell that holds no number."""
    points = []
    for place, row in zip(run.places, run.rows, strict=True):
        value = row.values.get(name)
        if isinstance(value, str):
            raise FileError(f"{source}: {row.place}: {name} is {value[:40]!r}, no number")
        if value is not None:
            points.append((place, value))
    return Series(name, points)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "") if names else "none"
