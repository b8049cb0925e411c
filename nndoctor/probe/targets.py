"""What the targets of a loss hold, and how well a batch of them is predicted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from nndoctor.probe import reference, stats
from nndoctor.record.model import Labels, LossInfo

_Array = np.ndarray[Any, Any]
# First rows of the input as columns, how many there were in the batch, and the first rows in their own shape.
Rows = tuple[_Array | None, int | None, _Array | None]
_MOST_COLUMNS = 64
_LATE = 8  # sampled steps whose predictions count as the last ones
_MOST_ROWS = 2000  # that are kept
_FEWEST_ROWS = 40  # before one can be said to lie far from the rest
_FEWEST_OF_A_BATCH = 16  # rows, before the worst of them is a small share
_A_TWENTIETH = 20
_FEWEST_BATCHES = 5  # before batches can be said to differ


@dataclass
class Quality:
    """How well one training batch was predicted."""

    accuracy: float | None = None
    r2: float | None = None
    predicted: dict[str, int] = field(default_factory=dict)
    balanced: float | None = None  # every class of the batch counts the same
    r2_rest: float | None = None  # without the rows that are predicted worst


@dataclass
class Targets:
    """The targets of one loss, and the input rows that they belong to."""

    task: str
    classes: int | None = None
    rows: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    predicted: list[dict[str, int]] = field(default_factory=list)
    count: float = 0.0
    total: _Array | None = None
    squares: _Array | None = None
    low: float = np.inf
    high: float = -np.inf
    nonfinite: int = 0
    elements: int = 0
    given: _Array | None = None  # the rows that were handed in last
    x: list[_Array] = field(default_factory=list)
    y: list[_Array] = field(default_factory=list)
    step: list[_Array] = field(default_factory=list)
    raw: list[_Array] = field(default_factory=list)
    first: _Array | None = None  # labels of the first batch
    repeats: bool = True  # every batch has had the same labels in the same order, no two of them alike

    def learn(self, info: LossInfo, prediction: Tensor, target: Tensor, settings: dict[str, Any], step: int, given: Rows, quality: Quality) -> None:
        """One call of the loss: its targets, and how well they were predicted, where `quality` does not know that yet."""
        if self.task == "classes":
            y = self._learn_classes(prediction, target, settings, quality)
        elif self.task == "binary":
            y = self._learn_binary(info.function, prediction, target, quality)
        else:
            y = self._learn_real(info, prediction, target, quality)
        x, batch, raw = given
        # Rows that were held against a target already: a second head, or another batch of a step that adds up several.
        self.given, again = x, x is not None and x is self.given
        if x is not None and not again and y is not None and target.dim() and int(target.shape[0]) == batch and sum(len(k) for k in self.x) < _MOST_ROWS:
            rows = min(len(x), len(y))
            if not self.x or self.x[0].shape[1] == x.shape[1]:
                self.x.append(x[:rows])
                self.y.append(y[:rows])
                self.step.append(np.full(rows, step))
                if raw is not None and len(raw) >= rows and (not self.raw or self.raw[0].shape[1:] == raw.shape[1:]):
                    self.raw.append(raw[:rows])

    def _learn_classes(self, prediction: Tensor, target: Tensor, settings: dict[str, Any], quality: Quality) -> _Array | None:
        self.classes = int(prediction.shape[1 if prediction.dim() > 1 else 0])
        labels = target.detach()
        if labels.is_floating_point():
            labels = labels.argmax(dim=1)
        guess = prediction.detach().argmax(dim=1 if prediction.dim() > 1 else 0)
        codes, guesses = stats.array(stats.thinned(labels, 4096)).astype(np.int64), stats.array(stats.thinned(guess, 4096))
        kept = codes != settings.get("ignore_index", -100)
        codes, guesses = codes[kept], guesses[kept] if len(guesses) == len(kept) else guesses[:0]
        stats.tally(self.counts, codes)
        self.rows += len(codes)
        self.elements += len(codes)
        if len(codes) and len(guesses):
            self._judge(codes, guesses, quality)
        if self.first is None:
            self.first, self.repeats = codes, labels.dim() == 1 and len(np.unique(codes)) == len(codes) > 1
        self.repeats = self.repeats and len(codes) <= len(self.first) and bool((codes == self.first[: len(codes)]).all())
        return stats.array(labels).astype(np.int64) if labels.dim() == 1 and bool(kept.all()) else None

    def _learn_binary(self, function: str, prediction: Tensor, target: Tensor, quality: Quality) -> _Array | None:
        self.classes = 2
        truth = stats.array(stats.thinned(target, 4096)).astype(np.float64)
        scores = stats.array(stats.thinned(prediction, 4096)).astype(np.float64)
        finite = np.isfinite(truth)
        self.nonfinite += int((~finite).sum())
        self.elements += truth.size
        if finite.any():
            self.low, self.high = min(self.low, truth[finite].min()), max(self.high, truth[finite].max())
        stats.tally(self.counts, truth[finite])
        self.rows += truth.size
        guesses = (scores > (0.5 if function == "binary_cross_entropy" else 0.0)).astype(np.int64)
        if len(guesses) == len(truth):
            self._judge(np.round(truth[finite]).astype(np.int64), guesses[finite], quality)
        rows = stats.array(target).reshape(-1)
        return np.where(np.isfinite(rows), rows, np.nan) if target.numel() == target.shape[0:1].numel() else None

    def _judge(self, truth: _Array, guesses: _Array, quality: Quality) -> None:
        counts: dict[str, int] = {}
        stats.tally(counts, guesses)
        self.predicted = [*self.predicted[-(_LATE - 1) :], counts]
        if quality.accuracy is None and len(truth):
            quality.accuracy = float((truth == guesses).mean())
            quality.predicted = counts
            quality.balanced = float(np.mean([(guesses[truth == c] == c).mean() for c in np.unique(truth)]))

    def _learn_real(self, info: LossInfo, prediction: Tensor, target: Tensor, quality: Quality) -> _Array | None:
        if target.dim() == 0:
            return None
        values = stats.array(target[: max(1, stats.MOST_ELEMENTS * len(target) // max(target.numel(), 1))])
        table = values.reshape(len(values), -1)[:, :_MOST_COLUMNS].astype(np.float64)
        finite = np.isfinite(table)
        good = np.where(finite, table, 0.0)
        if self.total is None or self.total.shape != table.shape[1:]:
            self.total, self.squares, self.count = np.zeros(table.shape[1]), np.zeros(table.shape[1]), 0.0
        assert self.squares is not None
        self.total += good.sum(0)
        self.squares += (good**2).sum(0)
        self.count += len(table)
        self.rows += len(table)
        self.nonfinite += int((~finite).sum())
        self.elements += table.size
        if finite.any():
            self.low, self.high = min(self.low, table[finite].min()), max(self.high, table[finite].max())
        if len(self.counts) <= 40 and table.shape[1] == 1:
            stats.tally(self.counts, table[finite])
        if self.task == "probabilities" and table.shape[1] > 1:
            codes = table.argmax(1)
            stats.tally(self.counts, codes)
            if prediction.dim() == 2:
                self._judge(codes, stats.array(prediction).argmax(1)[: len(codes)], quality)
        if self.task == "multilabel":
            self._judge_labels(info.function, prediction, values, quality)
        self._judge_real(info, prediction, target, values, quality)
        return codes.astype(np.int64) if self.task == "probabilities" and table.shape[1] > 1 else table[:, :16]

    def _judge_real(self, info: LossInfo, prediction: Tensor, target: Tensor, values: _Array, quality: Quality) -> None:
        if prediction.numel() != target.numel() or quality.r2 is not None or self.total is None:
            return
        guess = stats.array(prediction[: len(values)] if prediction.dim() else prediction).reshape(values.shape)
        flat = values.reshape(len(values), -1)
        centre = self.total / self.count if flat.shape[1] == self.total.shape[0] else flat.mean(0)
        with np.errstate(over="ignore", invalid="ignore"):
            spread = float(((flat - centre) ** 2).sum())
            expected = _expected(info, guess)
            error = float(((values - expected) ** 2).sum())
        if spread > 0:
            quality.r2 = 1.0 - error / spread
            quality.r2_rest = _r2_rest(flat, expected.reshape(flat.shape))
        self._judge_classes(guess, values, quality)

    def _judge_labels(self, function: str, prediction: Tensor, values: _Array, quality: Quality) -> None:
        """Several labels a sample: the share of them that is right."""
        guess = stats.array(prediction[: len(values)])
        if quality.accuracy is None and guess.shape == values.shape:
            quality.accuracy = float(((guess > (0.5 if function == "binary_cross_entropy" else 0.0)) == (values > 0.5)).mean())

    def _judge_classes(self, guess: _Array, values: _Array, quality: Quality) -> None:
        """Squared error on 0 and 1, one column a class or one for two: the accuracy is what another loss can be compared by."""
        if quality.accuracy is not None or not ((values == 0) | (values == 1)).all():
            return
        if values.ndim == 2 and values.shape[1] > 1:
            if (values.sum(1) == 1).all():
                quality.accuracy = float((guess.argmax(1) == values.argmax(1)).mean())
        elif values.size == len(values):
            quality.accuracy = float(((guess > 0.5) == (values > 0.5)).mean())

    @property
    def are_positions(self) -> bool:
        """Whether a label says where a row stands in its batch, not what it is."""
        return self.task == "classes" and self.repeats and len(self.y) >= _FEWEST_BATCHES

    def gather(self) -> reference.Rows | None:
        """The rows that were kept, as one table; None where there are none to learn from."""
        if not self.x or self.are_positions:
            return None
        raw = np.concatenate(self.raw) if len(self.raw) == len(self.x) else None
        return reference.Rows(np.concatenate(self.x), np.concatenate(self.y), np.concatenate(self.step), raw)

    def labels(self, index: int, rows: reference.Rows | None) -> Labels:
        """What all targets held, what the rows that were gathered say of one another, and what was predicted last."""
        labels = Labels(index, self.task, self.rows, self.classes, self.counts)
        for counts in self.predicted:
            for key, times in counts.items():
                labels.predicted[key] = labels.predicted.get(key, 0) + times
        if self.total is not None and self.squares is not None and self.count:
            mean = self.total / self.count
            labels.mean = mean.tolist()
            labels.std = np.sqrt(np.maximum(self.squares / self.count - mean**2, 0)).tolist()
        if np.isfinite(self.low):
            labels.min, labels.max = float(self.low), float(self.high)
        labels.nonfinite = self.nonfinite / max(self.elements, 1)
        labels.positional = self.are_positions
        if rows is not None:
            _compare_rows(labels, self.task, rows)
        return labels


def _compare_rows(labels: Labels, task: str, rows: reference.Rows) -> None:
    """Fill in what the targets of the rows say of each other."""
    if rows.y.ndim <= 2:
        labels.between = _between(rows.y, rows.step, task in ("classes", "probabilities"))
    if task in ("classes", "binary"):
        labels.twins, labels.twins_agree = _twins(rows.x if rows.raw is None else rows.raw, rows.y)
    if task == "real" and len(rows.y) >= _FEWEST_ROWS:
        table = rows.y.reshape(len(rows.y), -1)
        labels.outliers, labels.outlier_size = stats.outliers(table[np.isfinite(table).all(1)])


def _twins(x: _Array, y: _Array) -> tuple[float, float | None]:
    """Share of rows whose input is that of another, and share of such pairs whose targets are equal too."""
    _, member, counts = np.unique(x.reshape(len(x), -1), axis=0, return_inverse=True, return_counts=True)
    _, together = np.unique(np.stack([member.reshape(-1).astype(np.float64), y.reshape(-1).astype(np.float64)], axis=1), axis=0, return_counts=True)
    pairs = int((counts * (counts - 1)).sum())
    return float(counts[counts > 1].sum() / len(x)), int((together * (together - 1)).sum()) / pairs if pairs else None


def _between(y: _Array, step: _Array, are_classes: bool) -> float | None:
    """Adjusted eta squared of targets by batch: 0 for batches drawn at random, 1 where each holds one value of its own.

    Classes [rows] count as indicators, reals [rows, outputs] in their own units over their deviation.
    """
    table = (y[:, None] == np.unique(y)[None, :100]).astype(np.float64) if are_classes and y.ndim == 1 else y.reshape(len(y), -1)
    table = table[:, np.isfinite(table).all(0)]
    deviation = table.std(0)
    table = table[:, deviation > 0] / deviation[deviation > 0]
    batches, member = np.unique(step, return_inverse=True)
    rows, groups = len(table), len(batches)
    if groups < _FEWEST_BATCHES or rows < 3 * groups or not table.shape[1]:
        return None
    sums = np.zeros((groups, table.shape[1]))
    np.add.at(sums, member, table - table.mean(0))
    between = float((sums**2 / np.bincount(member)[:, None]).sum() / ((table - table.mean(0)) ** 2).sum())
    chance = (groups - 1) / (rows - 1)
    return (between - chance) / (1.0 - chance)


def _r2_rest(truth: _Array, guess: _Array) -> float | None:
    """R2 of the rows [rows, outputs] without the twentieth that is predicted worst; None where rows are few, or the rest alike."""
    if len(truth) < _FEWEST_OF_A_BATCH or not (np.isfinite(truth).all() and np.isfinite(guess).all()):
        return None
    truth, guess = truth.astype(np.float64), guess.astype(np.float64)
    errors = ((truth - guess) ** 2).sum(1)
    kept = np.argsort(errors)[: -max(1, len(errors) // _A_TWENTIETH)]
    spread = float(((truth[kept] - truth[kept].mean(0)) ** 2).sum())
    return 1.0 - float(errors[kept].sum()) / spread if spread > 0 else None


def _expected(info: LossInfo, output: _Array) -> _Array:
    """What an output says of the target: a loss that takes the logarithm of it, or of its odds, is asked for these."""
    if info.function == "poisson_nll_loss" and info.settings.get("log_input", True):
        return np.exp(output)
    if info.function == "binary_cross_entropy_with_logits":
        return np.asarray(1.0 / (1.0 + np.exp(-output)))
    return output
