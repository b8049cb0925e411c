"""Watches loss functions: which one, what it was given, what the targets hold, how well the training batch is predicted."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from nndoctor.probe import graph, reference, stats
from nndoctor.record.model import Labels, LossInfo, NonFinite, Place

_Array = np.ndarray[Any, Any]
# First rows of the input as columns, how many there were in the batch, and the first rows in their own shape.
Rows = tuple[_Array | None, int | None, _Array | None]
# torch.nn.functional's losses of the form f(prediction, target); the loss modules call these.
FUNCTIONS = (
    "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "kl_div", "poisson_nll_loss", "gaussian_nll_loss", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss",
)  # fmt: skip
CLASS_LOSSES = frozenset({"cross_entropy", "nll_loss", "multi_margin_loss"})
BINARY_LOSSES = frozenset({"binary_cross_entropy", "binary_cross_entropy_with_logits", "multilabel_soft_margin_loss", "soft_margin_loss"})
REAL_LOSSES = frozenset({
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "poisson_nll_loss", "gaussian_nll_loss",
    "by-hand:squared-error", "by-hand:absolute-error", "by-hand:difference",
})  # fmt: skip
SYMMETRIC = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})
_PLAIN_SETTINGS = ("reduction", "label_smoothing", "ignore_index", "delta", "beta", "log_input", "log_target")
_MOST_LOSSES = 24
_MOST_COLUMNS = 64
_LATE = 8  # sampled steps whose predictions count as the last ones


@dataclass
class Quality:
    """How well one training batch was predicted."""

    accuracy: float | None = None
    r2: float | None = None
    predicted: dict[str, int] = field(default_factory=dict)
    balanced: float | None = None  # every class of the batch counts the same
    r2_rest: float | None = None  # without the rows that are predicted worst


@dataclass
class _Targets:
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


_FEWEST_ROWS = 40  # before one can be said to lie far from the rest
_FEWEST_OF_A_BATCH = 16  # rows, before the worst of them is a small share
_A_TWENTIETH = 20
_FEWEST_BATCHES = 5  # before batches can be said to differ


@dataclass
class _Health:
    """Counts over all calls of one loss in training."""

    calls: int = 0
    bad_targets: int = 0
    bad_values: int = 0
    first_target: int | None = None
    first_value: int | None = None


class LossWatch:
    """Knows every loss by function, place and training."""

    def __init__(self, emit: Callable[[Any], None], later: stats.Later) -> None:
        self._emit = emit
        self._later = later
        self.infos: dict[tuple[str, Place | None, int], LossInfo] = {}
        self.training = 1  # of the script: a line may compute the losses of several
        self._targets: dict[int, _Targets] = {}
        self._health: dict[int, _Health] = {}
        self.quality = Quality()
        self.blind_to_place = False  # no layer of the model knows neighbours or order
        self.last_value: Tensor | None = None  # ours: a copy of the last loss value of this step
        self._answered: tuple[LossInfo, weakref.ref[Tensor], weakref.ref[Tensor]] | None = None  # the latest call's prediction and target
        self.last_source: weakref.ref[Tensor] | None = None  # whose copy it is

    def index(self, function: str, place: Place | None) -> tuple[LossInfo | None, bool]:
        """The loss at a place and whether it is new; None beyond the cap."""
        info = self.infos.get((function, place, self.training))
        if info is not None:
            return info, False
        if len(self.infos) >= _MOST_LOSSES:
            return None, False
        info = self.infos[(function, place, self.training)] = LossInfo(len(self.infos), function, place)
        return info, True

    def called(self, function: str, place: Place | None, prediction: Tensor, target: Tensor, value: Tensor | None,
               settings: dict[str, Any], step: int, look: bool, x: Rows, source: str) -> LossInfo | None:  # fmt: skip
        """A loss was computed in training. `look` asks for a closer look, `x` are the model's input rows of this step and the
        size of their batch: targets belong to them where there are as many.
        """
        info, new = self.index(function, place)
        if info is None:
            return None
        info.calls += 1
        before, self._answered = self._answered, (info, weakref.ref(prediction), weakref.ref(target))
        if before is not None and before[1]() is prediction and before[2]() is not target:
            # One prediction is held against two targets, as where two samples are blended: neither is its own.
            before[0].settings["mixed"] = info.settings["mixed"] = True
            return info
        if value is not None:
            self._check(info.index, target, value, step)
        if new:
            info.prediction, info.target = stats.describe(prediction), stats.describe(target)
            info.target_source = source
            info.settings = {k: v for k in _PLAIN_SETTINGS if isinstance(v := settings.get(k), (int, float, str, bool))}
            info.settings["weighted"] = settings.get("weight") is not None or settings.get("pos_weight") is not None
        if new or look:
            if not info.chain and prediction.grad_fn is not None:
                info.chain = graph.chain_from(prediction.grad_fn)
            self._learn_targets(info, prediction, target, settings, step, x)
        return info

    def _check(self, index: int, target: Tensor, value: Tensor, step: int) -> None:
        """Are target and value finite? Answered when the numbers have come over."""
        health = self._health.setdefault(index, _Health())
        total = value.detach().sum() if value.dim() else value.detach().clone()
        self.last_value, self.last_source = total, weakref.ref(value)
        checked = [total]
        if target.is_floating_point():
            checked.append(target.detach().sum())

        def use(v: list[float]) -> None:
            health.calls += 1
            if len(v) > 1 and not np.isfinite(v[1]):
                health.bad_targets += 1
                health.first_target = health.first_target or step
            elif not np.isfinite(v[0]):
                health.bad_values += 1
                health.first_value = health.first_value or step

        self._later.add(checked, use)

    # --- targets and predictions ------------------------------------------------------------------------------

    def _learn_targets(self, info: LossInfo, prediction: Tensor, target: Tensor, settings: dict[str, Any], step: int, given: Rows) -> None:
        if target.numel() == 0 or prediction.numel() == 0 or target.is_complex():
            return
        known = self._targets.get(info.index)
        if known is None:
            known = self._targets[info.index] = _Targets(_task(info.function, prediction, target))
        if known.task == "classes":
            y = self._learn_classes(known, prediction, target, settings)
        elif known.task == "binary":
            y = self._learn_binary(known, info.function, prediction, target)
        else:
            y = self._learn_real(known, info, prediction, target)
        x, batch, raw = given
        # Rows that were held against a target already: a second head, or another batch of a step that adds up several.
        known.given, again = x, x is not None and x is known.given
        if x is not None and not again and y is not None and target.dim() and int(target.shape[0]) == batch and sum(len(k) for k in known.x) < 2000:
            rows = min(len(x), len(y))
            if not known.x or known.x[0].shape[1] == x.shape[1]:
                known.x.append(x[:rows])
                known.y.append(y[:rows])
                known.step.append(np.full(rows, step))
                if raw is not None and len(raw) >= rows and (not known.raw or known.raw[0].shape[1:] == raw.shape[1:]):
                    known.raw.append(raw[:rows])

    def _learn_classes(self, known: _Targets, prediction: Tensor, target: Tensor, settings: dict[str, Any]) -> _Array | None:
        known.classes = int(prediction.shape[1 if prediction.dim() > 1 else 0])
        labels = target.detach()
        if labels.is_floating_point():
            labels = labels.argmax(dim=1)
        guess = prediction.detach().argmax(dim=1 if prediction.dim() > 1 else 0)
        codes, guesses = stats.array(stats.thinned(labels, 4096)).astype(np.int64), stats.array(stats.thinned(guess, 4096))
        kept = codes != settings.get("ignore_index", -100)
        codes, guesses = codes[kept], guesses[kept] if len(guesses) == len(kept) else guesses[:0]
        stats.tally(known.counts, codes)
        known.rows += len(codes)
        known.elements += len(codes)
        if len(codes) and len(guesses):
            self._judge(known, codes, guesses)
        if known.first is None:
            known.first, known.repeats = codes, labels.dim() == 1 and len(np.unique(codes)) == len(codes) > 1
        known.repeats = known.repeats and len(codes) <= len(known.first) and bool((codes == known.first[: len(codes)]).all())
        return stats.array(labels).astype(np.int64) if labels.dim() == 1 and bool(kept.all()) else None

    def _learn_binary(self, known: _Targets, function: str, prediction: Tensor, target: Tensor) -> _Array | None:
        known.classes = 2
        truth = stats.array(stats.thinned(target, 4096)).astype(np.float64)
        scores = stats.array(stats.thinned(prediction, 4096)).astype(np.float64)
        finite = np.isfinite(truth)
        known.nonfinite += int((~finite).sum())
        known.elements += truth.size
        if finite.any():
            known.low, known.high = min(known.low, truth[finite].min()), max(known.high, truth[finite].max())
        stats.tally(known.counts, truth[finite])
        known.rows += truth.size
        guesses = (scores > (0.5 if function == "binary_cross_entropy" else 0.0)).astype(np.int64)
        if len(guesses) == len(truth):
            self._judge(known, np.round(truth[finite]).astype(np.int64), guesses[finite])
        rows = stats.array(target).reshape(-1)
        return np.where(np.isfinite(rows), rows, np.nan) if target.numel() == target.shape[0:1].numel() else None

    def _judge(self, known: _Targets, truth: _Array, guesses: _Array) -> None:
        counts: dict[str, int] = {}
        stats.tally(counts, guesses)
        known.predicted = [*known.predicted[-(_LATE - 1) :], counts]
        if self.quality.accuracy is None and len(truth):
            self.quality.accuracy = float((truth == guesses).mean())
            self.quality.predicted = counts
            self.quality.balanced = float(np.mean([(guesses[truth == c] == c).mean() for c in np.unique(truth)]))

    def _learn_real(self, known: _Targets, info: LossInfo, prediction: Tensor, target: Tensor) -> _Array | None:
        if target.dim() == 0:
            return None
        values = stats.array(target[: max(1, stats.MOST_ELEMENTS * len(target) // max(target.numel(), 1))])
        table = values.reshape(len(values), -1)[:, :_MOST_COLUMNS].astype(np.float64)
        finite = np.isfinite(table)
        good = np.where(finite, table, 0.0)
        if known.total is None or known.total.shape != table.shape[1:]:
            known.total, known.squares, known.count = np.zeros(table.shape[1]), np.zeros(table.shape[1]), 0.0
        assert known.squares is not None
        known.total += good.sum(0)
        known.squares += (good**2).sum(0)
        known.count += len(table)
        known.rows += len(table)
        known.nonfinite += int((~finite).sum())
        known.elements += table.size
        if finite.any():
            known.low, known.high = min(known.low, table[finite].min()), max(known.high, table[finite].max())
        if len(known.counts) <= 40 and table.shape[1] == 1:
            stats.tally(known.counts, table[finite])
        if known.task == "probabilities" and table.shape[1] > 1:
            codes = table.argmax(1)
            stats.tally(known.counts, codes)
            if prediction.dim() == 2:
                self._judge(known, codes, stats.array(prediction).argmax(1)[: len(codes)])
        if known.task == "multilabel":
            self._judge_labels(info.function, prediction, values)
        self._judge_real(known, info, prediction, target, values)
        return codes.astype(np.int64) if known.task == "probabilities" and table.shape[1] > 1 else table[:, :16]

    def _judge_real(self, known: _Targets, info: LossInfo, prediction: Tensor, target: Tensor, values: _Array) -> None:
        if prediction.numel() != target.numel() or self.quality.r2 is not None or known.total is None:
            return
        guess = stats.array(prediction[: len(values)] if prediction.dim() else prediction).reshape(values.shape)
        flat = values.reshape(len(values), -1)
        centre = known.total / known.count if flat.shape[1] == known.total.shape[0] else flat.mean(0)
        with np.errstate(over="ignore", invalid="ignore"):
            spread = float(((flat - centre) ** 2).sum())
            expected = _expected(info, guess)
            error = float(((values - expected) ** 2).sum())
        if spread > 0:
            self.quality.r2 = 1.0 - error / spread
            self.quality.r2_rest = _r2_rest(flat, expected.reshape(flat.shape))
        self._judge_classes(guess, values)

    def _judge_labels(self, function: str, prediction: Tensor, values: _Array) -> None:
        """Several labels a sample: the share of them that is right."""
        guess = stats.array(prediction[: len(values)])
        if self.quality.accuracy is None and guess.shape == values.shape:
            self.quality.accuracy = float(((guess > (0.5 if function == "binary_cross_entropy" else 0.0)) == (values > 0.5)).mean())

    def _judge_classes(self, guess: _Array, values: _Array) -> None:
        """Squared error on 0 and 1, one column a class or one for two: the accuracy is what another loss can be compared by."""
        if self.quality.accuracy is not None or not ((values == 0) | (values == 1)).all():
            return
        if values.ndim == 2 and values.shape[1] > 1:
            if (values.sum(1) == 1).all():
                self.quality.accuracy = float((guess.argmax(1) == values.argmax(1)).mean())
        elif values.size == len(values):
            self.quality.accuracy = float(((guess > 0.5) == (values > 0.5)).mean())

    # --- the end ----------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Write losses, labels, non-finite counts and the reference learner's scores."""
        for info in self.infos.values():
            self._emit(info)
        for index, health in self._health.items():
            place = next((i.place for i in self.infos.values() if i.index == index), None)
            name = next((i.function for i in self.infos.values() if i.index == index), "")
            for where, bad, first in (("target", health.bad_targets, health.first_target), ("loss", health.bad_values, health.first_value)):
                if bad:
                    self._emit(NonFinite(first or 0, where, name, bad / max(health.calls, 1), bad, health.calls, place))
        gathered = {index: _gather(known) for index, known in self._targets.items()}
        for index, known in self._targets.items():
            labels, rows = _labels(index, known), gathered[index]
            labels.positional = known.task == "classes" and known.repeats and len(known.y) >= _FEWEST_BATCHES
            if labels.positional:
                gathered[index] = None  # a label says where a row stands in its batch, not what it is
            elif rows is not None:
                _compare_rows(labels, known.task, rows)
            self._emit(labels)
        for index, rows in gathered.items():
            if rows is not None:
                self._try_learners(index, self._targets[index].task, rows)

    def _try_learners(self, index: int, task: str, rows: reference.Rows) -> None:
        try:
            found = reference.compare(index, "classes" if task == "probabilities" and rows.y.ndim == 1 else task, rows)
        except np.linalg.LinAlgError:
            found = None
        if found is not None:
            found.blind = self.blind_to_place
            self._emit(found)


def _r2_rest(truth: _Array, guess: _Array) -> float | None:
    """R2 of the rows [rows, outputs] without the twentieth that is predicted worst; None where rows are few, or the rest alike."""
    if len(truth) < _FEWEST_OF_A_BATCH or not (np.isfinite(truth).all() and np.isfinite(guess).all()):
        return None
    truth, guess = truth.astype(np.float64), guess.astype(np.float64)
    errors = ((truth - guess) ** 2).sum(1)
    kept = np.argsort(errors)[: -max(1, len(errors) // _A_TWENTIETH)]
    spread = float(((truth[kept] - truth[kept].mean(0)) ** 2).sum())
    return 1.0 - float(errors[kept].sum()) / spread if spread > 0 else None


def _task(function: str, prediction: Tensor, target: Tensor) -> str:
    if function in CLASS_LOSSES and not target.is_floating_point():
        return "classes"
    if function == "cross_entropy":
        if target.dim() >= 2 and target.shape == prediction.shape:
            return "probabilities"
        return "real"
    if function == "kl_div":
        return "probabilities"
    if function in BINARY_LOSSES:
        # One number a sample, or one a pixel; two axes are samples and labels, or places if one unit answers for all of them.
        return "multilabel" if target.dim() == 2 and target.shape[1] > 1 and graph.last_width(prediction.grad_fn) != 1 else "binary"
    return "real"


def _gather(known: _Targets) -> reference.Rows | None:
    """The rows that were kept, as one table; None where there are none."""
    if not known.x:
        return None
    raw = np.concatenate(known.raw) if len(known.raw) == len(known.x) else None
    return reference.Rows(np.concatenate(known.x), np.concatenate(known.y), np.concatenate(known.step), raw)


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


def _labels(index: int, known: _Targets) -> Labels:
    labels = Labels(index, known.task, known.rows, known.classes, known.counts)
    for counts in known.predicted:
        for key, times in counts.items():
            labels.predicted[key] = labels.predicted.get(key, 0) + times
    if known.total is not None and known.squares is not None and known.count:
        mean = known.total / known.count
        labels.mean = mean.tolist()
        labels.std = np.sqrt(np.maximum(known.squares / known.count - mean**2, 0)).tolist()
    if np.isfinite(known.low):
        labels.min, labels.max = float(known.low), float(known.high)
    labels.nonfinite = known.nonfinite / max(known.elements, 1)
    return labels


def _expected(info: LossInfo, output: _Array) -> _Array:
    """What an output says of the target: a loss that takes the logarithm of it, or of its odds, is asked for these."""
    if info.function == "poisson_nll_loss" and info.settings.get("log_input", True):
        return np.exp(output)
    if info.function == "binary_cross_entropy_with_logits":
        return np.asarray(1.0 / (1.0 + np.exp(-output)))
    return output
