"""Watches inputs as they reach a model: scale by feature, missing, outliers, repetition; keeps rows for the reference learner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from nndoctor.probe import stats
from nndoctor.record.model import Features

_Array = np.ndarray[Any, Any]
_MOST_FEATURES = 256  # reported one by one
_MOST_COLUMNS = 2048  # of a row that is kept
_MOST_ROWS = 1500
_MOST_FOR_STRUCTURE = 600
_ROWS_A_STEP = 64
_MOST_RAW = 4096  # elements of a row that is kept in its own shape
_MOST_TENSORS = 6  # arguments of one forward
_BUCKETS = 128  # ids are counted modulo this


@dataclass
class _Sums:
    shape: list[int]
    dtype: str
    integers: bool = True
    made: bool = False
    rows: int = 0
    count: float = 0.0
    total: _Array | None = None
    squares: _Array | None = None
    low: _Array | None = None
    high: _Array | None = None
    missing: _Array | None = None
    elements: int = 0
    kept: list[_Array] = field(default_factory=list)
    hashes: set[int] = field(default_factory=set)


class InputWatch:
    """Sums over the sampled steps, by model (-1: the first layer of a run without modules)."""

    def __init__(self, emit: Callable[[Any], None]) -> None:
        self._emit = emit
        self._sums: dict[tuple[int, int], _Sums] = {}
        self.raw: _Array | None = None  # the first tensor's first rows of the last call, in their own shape

    def saw(self, model: int, tensors: list[Tensor]) -> _Array | None:
        """The tensors one forward was given. Returns the first rows of those that are batches, side by side as float columns."""
        rows = next((int(t.shape[0]) for t in tensors if t.dim()), 0)
        self.raw = None
        parts = [self._saw_one(model, i, t) for i, t in enumerate(tensors[:_MOST_TENSORS]) if t.dim() and t.numel() and int(t.shape[0]) == rows]
        if not parts:
            return None
        shortest = min(len(p) for p in parts)
        return np.concatenate([p[:shortest] for p in parts], axis=1)

    def _saw_one(self, model: int, position: int, tensor: Tensor) -> _Array:
        per_row = max(1, tensor.numel() // tensor.shape[0])
        rows = max(4, min(_ROWS_A_STEP, 4 * stats.MOST_ELEMENTS // per_row))
        values = stats.array(tensor[:rows])
        if values.dtype.kind == "c":
            values = np.abs(values)
        if self.raw is None and per_row <= _MOST_RAW:
            self.raw = values
        sums = self._sums.get((model, position))
        if sums is None:
            kind = str(tensor.dtype).removeprefix("torch.")
            sums = self._sums[(model, position)] = _Sums(list(tensor.shape), kind, integers=True)
        sums.made = sums.made or tensor.grad_fn is not None
        flat = values.reshape(len(values), -1)
        if values.dtype.kind in "iu":
            columns = _counted(flat)
        else:
            columns = flat if flat.shape[1] <= _MOST_COLUMNS else flat[:, :: -(-flat.shape[1] // _MOST_COLUMNS)]
        columns = columns.astype(np.float64)
        self._add(sums, values, columns)
        return columns

    def _add(self, sums: _Sums, values: _Array, columns: _Array) -> None:
        sums.rows += len(values)
        for row in values.reshape(len(values), -1):
            sums.hashes.add(hash(row.tobytes()))
        table = by_feature(values.astype(np.float64))
        finite = np.isfinite(table)
        good = np.where(finite, table, 0.0)
        width = table.shape[1]
        if sums.total is None or sums.total.shape[0] != width:
            sums.total, sums.squares, sums.missing = np.zeros(width), np.zeros(width), np.zeros(width)
            sums.low, sums.high, sums.elements = np.full(width, np.inf), np.full(width, -np.inf), 0
        assert sums.squares is not None and sums.missing is not None and sums.low is not None and sums.high is not None
        sums.total += good.sum(0)
        with np.errstate(over="ignore"):
            sums.squares += (good**2).sum(0)
        sums.missing += (~finite).sum(0)
        sums.low = np.minimum(sums.low, np.where(finite, table, np.inf).min(0))
        sums.high = np.maximum(sums.high, np.where(finite, table, -np.inf).max(0))
        sums.elements += len(table)
        sums.integers = sums.integers and bool((good == np.round(good)).all())
        if sum(len(k) for k in sums.kept) < _MOST_ROWS and (not sums.kept or sums.kept[0].shape[1] == columns.shape[1]):
            sums.kept.append(columns)

    def finish(self) -> None:
        """Write what was summed up, one record a model."""
        for (model, position), sums in self._sums.items():
            self._emit(_summary(model, position, sums))


def _counted(ids: _Array) -> _Array:
    """Ids [n, t] as counts [n, 128]: their values mean nothing, and which of them occur is what simple learners can use."""
    counts = np.zeros((len(ids), _BUCKETS))
    for row, values in enumerate(np.abs(ids[:, :_MOST_COLUMNS]).astype(np.int64) % _BUCKETS):
        counts[row] = np.bincount(values, minlength=_BUCKETS)
    return counts


def by_feature(values: _Array) -> _Array:
    """[values, features]: the last axis of tables and sequences, the channel of images."""
    if values.ndim == 1:
        return values[:, None]
    if values.ndim == 4:
        values = np.moveaxis(values, 1, -1)
    flat = values.reshape(-1, values.shape[-1])
    if flat.shape[1] > _MOST_FEATURES:
        flat = flat[:, :: -(-flat.shape[1] // _MOST_FEATURES)]
    return flat


def _summary(model: int, position: int, sums: _Sums) -> Features:
    assert sums.total is not None and sums.squares is not None and sums.missing is not None
    assert sums.low is not None and sums.high is not None
    count = np.maximum(sums.elements - sums.missing, 1)
    mean = sums.total / count
    std = np.sqrt(np.maximum(sums.squares / count - mean**2, 0.0))
    std[std < 1e-9 * np.abs(mean)] = 0.0
    kept = np.concatenate(sums.kept) if sums.kept else np.zeros((0, 1))
    features = Features(
        model, sums.shape, sums.dtype, sums.rows, len(sums.hashes), mean.tolist(), std.tolist(),
        np.where(np.isfinite(sums.low), sums.low, np.nan).tolist(), np.where(np.isfinite(sums.high), sums.high, np.nan).tolist(),
        (sums.missing / max(sums.elements, 1)).tolist(), integers=sums.integers,
        position=position, made=sums.made,
    )  # fmt: skip
    good = kept[np.isfinite(kept).all(1)]
    if len(good) >= 8:
        features.between = float(np.sqrt(((good - good.mean(0)) ** 2).mean()))
        features.outliers, features.outlier_size = stats.outliers(good)
        features.structure = _structure(good)
        features.noise = _is_noise(good, features.structure)
    return features


def _is_noise(rows: _Array, structure: float | None) -> bool:
    """Whether the columns have the mean, deviation and kurtosis of torch.randn, or of torch.rand, and no common directions.

    Stand-in data look like this, and nothing can be learnt from them; measured or standardised data hardly do in every column.
    """
    if structure is not None and structure > 0.15:
        return False
    n = len(rows)
    mean, std = rows.mean(0), rows.std(0)
    if n < 30 or (std <= 0).any():
        return False
    kurtosis = (((rows - mean) / std) ** 4).mean(0)
    for centre, width, fourth in ((0.0, 1.0, 3.0), (0.5, 12**-0.5, 1.8)):
        close = np.abs(mean - centre) < 4 * width / n**0.5
        close &= np.abs(std / width - 1) < 4 / (2 * n) ** 0.5
        close &= np.abs(kurtosis - fourth) < 0.15 * fourth + 4 * (24 / n) ** 0.5
        if close.mean() > 0.95:
            return True
    return False


def _structure(rows: _Array) -> float | None:
    """Variance in the first tenth of the principal directions beyond their number's share: 0 for independent noise, 1 for one line."""
    rows = rows[:_MOST_FOR_STRUCTURE]
    rows = rows[:, rows.std(0) > 0]
    if rows.shape[1] < 3 or len(rows) < 20:
        return None
    rows = (rows - rows.mean(0)) / rows.std(0)
    products = rows.T @ rows if rows.shape[1] < len(rows) else rows @ rows.T
    try:
        singular = np.linalg.eigvalsh(products)[::-1]
    except np.linalg.LinAlgError:
        return None
    first = max(1, round(0.1 * rows.shape[1]))
    share, even = float(singular[:first].sum() / singular.sum()), first / rows.shape[1]
    return float((share - even) / (1.0 - even))
