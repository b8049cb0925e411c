"""Inputs of validation passes: the columns that training rows are held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from nndoctor.probe import stats
from nndoctor.probe.inputs import by_feature
from nndoctor.record.model import Holdout

_Array = np.ndarray[Any, Any]
_MOST_ROWS = 600
_ROWS_A_FORWARD = 128


class HoldoutWatch:
    """The first rows that each model is given without gradient, of tensors that hold real numbers."""

    def __init__(self, emit: Callable[[Any], None]) -> None:
        self._emit = emit
        self._kept: dict[int, list[_Array]] = {}
        self._repeated: dict[int, bool] = {}  # whether every batch of several rows was one row again and again

    def saw(self, model: int, tensors: list[Tensor]) -> None:
        """One forward's arguments."""
        x = next((t for t in tensors if t.dim() >= 2 and t.is_floating_point() and t.numel()), None)
        if x is None:
            return
        kept = self._kept.setdefault(model, [])
        if sum(len(k) for k in kept) >= _MOST_ROWS:
            return
        per_row = max(1, x.numel() // x.shape[0])
        # From both ends and between: validation rows may be sorted.
        rows = max(4, min(_ROWS_A_FORWARD, 4 * stats.MOST_ELEMENTS // per_row))
        taken = stats.array(x[:: max(1, -(-len(x) // rows))]).astype(np.float64)
        if len(taken) > 1:
            self._repeated[model] = self._repeated.get(model, True) and bool((taken == taken[:1]).all())
        values = by_feature(taken)
        if not kept or kept[0].shape[1] == values.shape[1]:
            kept.append(values)

    def finish(self) -> None:
        """Write a record a model."""
        for model, parts in self._kept.items():
            values = np.concatenate(parts)
            good = values[np.isfinite(values).all(1)]
            if len(good) >= 8:
                repeated = self._repeated.get(model, False)
                self._emit(Holdout(model, len(values), good.mean(0).tolist(), good.std(0).tolist(), float(1 - len(good) / len(values)), repeated))
