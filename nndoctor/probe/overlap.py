"""Rows that a model is both trained and evaluated on, told by checksums of whole rows."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nndoctor.probe import stats
from nndoctor.probe.where import place_of, user_calls, user_frame, user_lines
from nndoctor.record.model import Overlap, Place, TrainingRows

_Array = np.ndarray[Any, Any]
_MOST_TRAINED = 200_000  # rows, by model
_MOST_EVALUATED = 20_000  # rows of one pass
_MOST_COLUMNS = 256  # of a row that enter its checksum
_WAITING = 32  # thinned batches that wait to be summed together: a call a step for each part of the sum would be dear
_ROWS_ALIKE = 512  # from which the chance of two rows being equal is estimated
_FEW = 20  # rows that say little
_SEEN_WHOLE = 0.95  # of a forward's rows: it evaluates the training set itself
_NAME = re.compile(r"[A-Za-z_]+")
_VALIDATION = frozenset({"val", "valid", "validation", "validate", "test", "testing", "dev", "held", "holdout", "heldout"})
_TRAINING = frozenset({"train", "training", "fit"})
_Key = tuple[int, tuple[int, ...]]  # model, shape of a row


@dataclass
class _Pass:
    """The forwards without gradient, or in evaluation mode, that one line of the script made between two training forwards."""

    at: int  # training forwards of its model before it
    clock: int  # training forwards of all models before it
    place: Place | None
    named: bool  # the calls that make it speak of validation
    sums: list[Any] = field(default_factory=list)
    rows: int = 0
    sample: Tensor | None = None


_Line = tuple[_Key, tuple[tuple[str, int], ...]]  # model, shape and lines of the script
_Passes = dict[_Line, _Pass]


class _Sums:
    """Checksums of the rows of one model's training forwards, in order."""

    def __init__(self) -> None:
        self.forwards = self._rows = self._handed = 0
        self._waiting: list[Any] = []  # thinned batches: arrays from the CPU, tensors from elsewhere
        self._sums: list[Any] = []
        self._sizes: list[int] = []
        self._last: tuple[weakref.ref[Tensor], int] | None = None  # the batch before, and its version

    def add(self, x: Tensor) -> None:
        """One batch. A batch that is handed in again and again, all data at once, is read once."""
        if self._rows > _MOST_TRAINED:
            return
        self.forwards += 1
        if self._last is not None and self._last[0]() is x and self._last[1] == x._version:
            self._handed += 1
            if self._waiting:
                self._sum_up()
            self._sums.append(self._sums[-1][-self._sizes[-1] :])
        else:
            self._waiting.append(_thinned(x))
            self._rows += len(x)
            if len(self._waiting) >= _WAITING:
                self._sum_up()
        self._sizes.append(len(x))
        self._last = (weakref.ref(x), x._version)

    def _sum_up(self) -> None:
        together = self._waiting[0]
        together = np.concatenate(self._waiting) if isinstance(together, np.ndarray) else torch.cat(self._waiting)
        self._sums.append(_checksums(together))
        self._waiting.clear()

    def before(self, forwards: int) -> _Array:
        """The checksums of the first forwards [rows]."""
        if self._waiting:
            self._sum_up()
        every = np.concatenate([_array(s) for s in self._sums])
        return np.asarray(every[: sum(self._sizes[:forwards])])

    def batches(self) -> list[_Array]:
        """The checksums of the rows of each forward."""
        every = self.before(self.forwards)
        ends = np.cumsum(self._sizes)
        return [every[end - size : end] for end, size in zip(ends, self._sizes, strict=True)]

    def record(self, model: int) -> TrainingRows:
        """What was trained on, in numbers."""
        batches = self.batches()
        every = np.concatenate(batches)
        same = sum(np.array_equal(a, b) for a, b in pairwise(batches))
        distinct, counts = np.unique(every, return_counts=True)
        return TrainingRows(
            model, len(every), len(distinct), self.forwards, _fresh(every), bool(counts.max() - counts.min() <= 1),
            same / self.forwards, self._handed / self.forwards,
        )  # fmt: skip


class OverlapWatch:
    """Checksums stay on the device they were made on until the end: nothing waits for it."""

    def __init__(self, emit: Callable[[Any], None]) -> None:
        self._emit = emit
        self._trained: dict[_Key, _Sums] = {}
        self._begun = False  # backward was called
        self._first: dict[_Key, Tensor] = {}  # the latest batch of each kind before that: earlier ones were looks at a fresh model
        self._forwards = 0  # in training, of any model: a pass lasts until the next one
        self._passes: _Passes = {}
        self._latest: _Line | None = None  # that made the last forward without gradient
        self._feeding: set[_Line] = set()  # lines whose outputs are trained on: they make features, and evaluate nothing
        self._undecided: _Passes = {}  # as if nothing trained on them ...
        self._held: list[tuple[int, list[Tensor]]] = []  # ... and the same forwards, as if something did

    def trained(self, model: int, given: list[Tensor]) -> None:
        """The arguments of a training forward."""
        self._forwards += 1
        x = _rows_of(given)
        if x is None:
            return
        key = (model, tuple(x.shape[1:]))
        if self._begun:
            self._trained.setdefault(key, _Sums()).add(x)
        else:
            self._first[key] = x.detach().clone()

    def begin(self) -> None:
        """Backward is about to be called for the first time."""
        self._begun = True
        for key, x in self._first.items():
            self._trained.setdefault(key, _Sums()).add(x)
        self._first.clear()

    def evaluated(self, model: int, given: list[Tensor]) -> None:
        """The arguments of a forward without gradient. Of each line that makes such, the last pass is kept."""
        self._note(self._passes, model, given)

    def fed_training(self) -> None:
        """What the last forward without gradient made is trained on."""
        if self._latest is not None:
            self._feeding.add(self._latest)
            self._passes.pop(self._latest, None)

    def undecided(self, model: int, given: list[Tensor]) -> None:
        """The arguments of a forward in evaluation mode with gradients on: a validation, or training in that mode."""
        self._note(self._undecided, model, given)
        if len(self._held) < _WAITING:
            self._held.append((model, given))

    def decide(self, evaluated: bool) -> None:
        """Backward is about to be called: on a forward in training mode, so that those before it were `evaluated`, or on them."""
        if evaluated:
            self._passes.update(self._undecided)
        else:
            for model, given in self._held:
                self.trained(model, given)
        self._undecided, self._held = {}, []

    def _note(self, passes: _Passes, model: int, given: list[Tensor]) -> None:
        x = _rows_of(given)
        if x is None:
            return
        key = (model, tuple(x.shape[1:]))
        lines = self._latest = (key, user_lines())
        if lines in self._feeding:
            return
        at = self._trained[key].forwards if key in self._trained else 0
        now = passes.get(lines)
        if now is None or now.clock != self._forwards:
            if len(passes) > 100:
                return
            now = passes[lines] = _Pass(at, self._forwards, place_of(user_frame()), _is_called_validation(user_calls()))
        if now.rows < _MOST_EVALUATED:
            now.sums.append(_checksums(_thinned(x)))
            now.rows += len(x)
            if now.sample is None or len(now.sample) < min(len(x), _ROWS_ALIKE):
                now.sample = x.detach()[:_ROWS_ALIKE].clone()

    def batches(self, most: int) -> Iterator[tuple[int, list[int]]]:
        """Each model that was trained, with one number for each of its first batches: the same for the same rows in any order."""
        for (model, _), sums in self._trained.items():
            if sums.forwards:
                yield model, [int(rows.sum()) for rows in sums.batches()[:most]]

    def finish(self) -> None:
        """Write a record for each model that was trained, and one for each line that evaluates."""
        for (model, _), sums in self._trained.items():
            if sums.forwards:
                self._emit(sums.record(model))
        for (key, _), seen in self._passes.items():
            if key in self._trained and seen.at and seen.sample is not None:
                sums = self._trained[key]
                self._emit(_judge(key[0], seen, sums.before(seen.at), sums.before(sums.forwards)))


def _rows_of(given: list[Tensor]) -> Tensor | None:
    """The first argument that is a table, or ids that are arguments of their own, side by side: a user and a book."""
    plain = [t for t in given if _has_bits(t)]
    table = next((t for t in plain if t.dim() >= 2), None)
    columns = [t for t in plain if t.dim() == 1 and not t.is_floating_point()]
    if table is None and len(columns) >= 2 and len({len(c) for c in columns}) == 1:
        return torch.stack([c.long() for c in columns], 1)
    return table


def _has_bits(t: Tensor) -> bool:
    """Whether a tensor is plain and holds numbers that can be read as bits; a subclass may be anything."""
    plain = type(t) is Tensor and t.layout == torch.strided and not (t.is_nested or t.is_complex() or t.is_quantized or t.device.type == "meta")
    return plain and t.numel() > 0


def _thinned(x: Tensor) -> Any:
    """A copy [rows, columns] of some columns, as whole numbers of the same bits; an array where x is on the CPU."""
    flat = _columns(x.detach())
    real = flat.is_floating_point()
    if flat.device.type == "cpu":  # a copy of its own, which keeps no tensor alive
        kept = np.array((flat.float() if real else flat).numpy(), order="C")
        return kept.view(np.int32) if real else kept
    bits = flat.to(torch.float32 if real else torch.int64, copy=True, memory_format=torch.contiguous_format)
    return bits.view(torch.int32) if real else bits


def _columns(x: Any) -> Any:
    """Columns from all over rows of any shape, an array or a tensor: drawn once and for all, as even steps may miss a channel."""
    flat = x.reshape(len(x), -1)
    return flat if flat.shape[1] <= _MOST_COLUMNS else flat[:, _drawn(flat.shape[1])]


@cache
def _drawn(columns: int) -> _Array:
    return np.sort(np.random.default_rng(0).permutation(columns)[:_MOST_COLUMNS])


def _checksums(bits: Any) -> Any:
    """One whole number a row [rows], the same for the same row in any batch: integer sums know no rounding."""
    if isinstance(bits, np.ndarray):
        odd: Any = np.arange(1, bits.shape[1] + 1, dtype=np.int64) * 0x9E3779B97F4A7C1 | 1
        mixed = bits.astype(np.int64) * odd
    else:
        odd = torch.arange(1, bits.shape[1] + 1, device=bits.device) * 0x9E3779B97F4A7C1 | 1
        mixed = bits.long() * odd
    return ((mixed ^ (mixed >> 29)) * odd).sum(1)


def _array(sums: Any) -> _Array:
    return sums if isinstance(sums, np.ndarray) else np.asarray(sums.cpu().numpy())


def _judge(model: int, seen: _Pass, every: _Array, to_the_end: _Array) -> Overlap:
    """What the evaluated rows have in common with the training rows before them, and after."""
    distinct, counts = np.unique(every, return_counts=True)
    parts = [_array(s) for s in seen.sums]
    known = [np.isin(p, distinct) for p in parts]
    counted = [i for i, k in enumerate(known) if k.mean() < _SEEN_WHOLE] or range(len(known))
    others, held = (np.concatenate([of[i] for i in counted]) for of in (known, parts))
    rows = np.concatenate(parts)
    later = to_the_end[len(every) :]
    first = later[~np.isin(later, distinct)]
    assert seen.sample is not None
    return Overlap(
        model, len(others), float(others.mean()), len(distinct), _fresh(every),
        twins=1 - len(np.unique(rows)) / len(rows),
        covered=float(np.isin(distinct, held).mean()),
        even=bool(counts.max() - counts.min() <= 1),
        chance=_chance(stats.array(seen.sample), len(distinct)),
        real=seen.sample.is_floating_point(),
        ahead=float(np.isin(first, rows).mean()) if len(first) >= _FEW else 0.0,
        named=seen.named,
        place=seen.place,
    )  # fmt: skip


def _is_called_validation(calls: list[str]) -> bool:
    """By the names in the calls themselves, the innermost first; comments do not count. What a call is given says more than what is
    called, which may be a function for any set, or the one that trains as well.
    """
    for call in calls:
        given = _words(call.partition("(")[2])
        if bool(given & _VALIDATION) != bool(given & _TRAINING):
            return bool(given & _VALIDATION)
    names = set().union(*map(_words, calls))
    return bool(names & _VALIDATION) and not names & _TRAINING


def _words(text: str) -> set[str]:
    return {part.lower() for word in _NAME.findall(text.partition("#")[0]) for part in word.split("_")}


def _fresh(every: _Array) -> float:
    """Share of the last fifth that had not come before."""
    late = every[len(every) * 4 // 5 :]
    return float((~np.isin(late, every[: len(every) - len(late)])).mean()) if len(late) else 1.0


def _chance(rows: _Array, others: int) -> float:
    """Chance that a row equals one of `others` that are drawn alike, were its columns independent."""
    flat = _columns(rows)
    if len(flat) < 2:
        return 1.0
    logs = 0.0
    for column in flat.T:
        shares = np.unique(column, return_counts=True)[1] / len(column)
        logs += float(np.log((shares**2).sum()))
    return float(min(1.0, others * np.exp(logs)))
