"""Ids that models are fed with in validation, the words of texts or the levels of categories: how many of them training hardly feeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nndoctor.probe import stats
from nndoctor.probe.where import user_lines, user_place
from nndoctor.record.model import Place, Vocabulary

_Array = np.ndarray[Any, Any]
_Counts = list[tuple[_Array, _Array]]  # distinct ids and how often each came, a forward
_Lines = tuple[tuple[str, int], ...]
_ID_TYPES = (torch.int64, torch.int32)  # that an embedding takes
_MOST_IDS = 1024  # of a forward
_MOST_COLUMNS = 512
_MOST_FORWARDS = 200  # in training, and of one pass of validation
_MOST_LINES = 20
_FEWEST = 400  # ids on either side
_FREQUENT = 0.01  # share of one side from which an id is looked at by itself: rarer words come in bursts
_HARDLY = 3.0  # times as often in validation as in training: where both feed the same kind of rows, only rare ids come to that by chance


class VocabularyWatch:
    """Counts of ids, by model in training, and in validation by the lines of the script that called it: other lines feed another set."""

    def __init__(self, emit: Callable[[Any], None]) -> None:
        self._emit = emit
        self._trained: dict[int, _Counts] = {}
        self._validated: dict[tuple[int, _Lines], _Counts] = {}
        self._begun: dict[tuple[int, _Lines], tuple[int, Place | None]] = {}  # steps made before the pass that is counted, and where

    def trained(self, model: int, given: list[Tensor]) -> None:
        """One training forward's arguments."""
        if (ids := _ids_of(given)) is not None:
            _count(self._trained.setdefault(model, []), ids)

    def validated(self, model: int, given: list[Tensor], steps: int) -> None:
        """The same without gradient, after so many steps. The first pass counts that is no mere look at a fresh model; later ones say the same."""
        if not steps or (ids := _ids_of(given)) is None:
            return
        key = (model, user_lines())
        if key not in self._begun and len(self._begun) < _MOST_LINES:
            self._begun[key] = (steps, user_place())
        if key in self._begun and self._begun[key][0] == steps:
            _count(self._validated.setdefault(key, []), ids)

    def finish(self) -> None:
        """Write a record for each line that validates."""
        for key, counts in self._validated.items():
            record = _compared(key[0], self._trained.get(key[0], []), counts, self._begun[key][1])
            if min(record.trained, record.validated) >= _FEWEST:
                self._emit(record)


def _ids_of(given: list[Tensor]) -> Tensor | None:
    return next((t for t in given if t.dtype in _ID_TYPES and t.dim() >= 2 and t.numel() and t.shape[-1] > 1), None)


def _count(counts: _Counts, ids: Tensor) -> None:
    """Of rows from both ends and between, as they may be sorted."""
    if len(counts) >= _MOST_FORWARDS:
        return
    rows = ids.reshape(-1, ids.shape[-1])[:, :_MOST_COLUMNS]
    most = max(4, _MOST_IDS // rows.shape[1])
    counts.append(np.unique(_unfilled(stats.array(rows[:: -(-len(rows) // most)])), return_counts=True))


def _unfilled(rows: _Array) -> _Array:
    """The ids of rows [n, t] as one axis, less what fills them up to one length: that differs between batches by right."""
    filled = _repeated(rows) | _repeated(rows[:, ::-1])[:, ::-1]
    return np.asarray(rows[~filled])


def _repeated(rows: _Array) -> _Array:
    """Where rows begin with one id again and again [n, t], or with an id that others begin with like that."""
    alike = np.logical_and.accumulate(rows == rows[:, :1], axis=1)
    fills = np.isin(rows[:, :1], rows[alike[:, 1], 0])
    return np.asarray(alike & fills)


def _compared(model: int, trained: _Counts, validated: _Counts, place: Place | None) -> Vocabulary:
    total, found = _total(trained), _total(validated)
    strange, one = _strange(total, found)
    begin = _begin_of_late(trained, int(found[1].sum()))
    chance, _ = _strange(_total(trained[:begin]), _total(trained[begin:]))
    return Vocabulary(model, int(total[1].sum()), int(found[1].sum()), strange, one, chance, place)


def _begin_of_late(counts: _Counts, size: int) -> int:
    """Where the last forwards begin that have as many ids as that, or the second half does. In order, as rows may be sorted."""
    later = np.cumsum([c[1].sum() for c in reversed(counts)])
    return len(counts) - min(int(np.searchsorted(later, size)) + 1, len(counts) // 2)


def _total(counts: _Counts) -> tuple[_Array, _Array]:
    if not counts:
        return np.zeros(0, np.int64), np.zeros(0)
    ids, which = np.unique(np.concatenate([c[0] for c in counts]), return_inverse=True)
    return ids, np.bincount(which, np.concatenate([c[1] for c in counts]), len(ids))


def _strange(usual: tuple[_Array, _Array], other: tuple[_Array, _Array]) -> tuple[float, float]:
    """Share of the other ids that lies on such as are hardly usual, beyond what is usual of them; and the largest part of it on one id.

    Rare ids count as two: those that are usual at all, and those that are not.
    """
    if not (usual[1].sum() and other[1].sum()):
        return 0.0, 0.0
    ids = np.union1d(usual[0], other[0])
    p, q = np.zeros(len(ids)), np.zeros(len(ids))
    p[np.searchsorted(ids, usual[0])] = usual[1] / usual[1].sum()
    q[np.searchsorted(ids, other[0])] = other[1] / other[1].sum()
    alone, known = np.maximum(p, q) >= _FREQUENT, p > 0
    p, q = (np.append(v[alone], [v[~alone & known].sum(), v[~alone & ~known].sum()]) for v in (p, q))
    excess = np.where(q > _HARDLY * p, q - p, 0.0)
    return float(excess.sum()), float(excess[:-2].max(initial=0.0))
