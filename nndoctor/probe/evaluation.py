"""Watches validation passes: forwards without gradient, and whatever scores the script computes from them."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nndoctor.probe import stats
from nndoctor.probe.handed import Handed
from nndoctor.record.model import Evaluation, Place

_MOST_PARTS = 5000  # batches of a pass that are scored
_MOST_CLASSES = 1024  # labels of a batch that are counted
_MOST_MADE = 100_000  # tensors of a pass that are followed


@dataclass
class _Pass:
    record: Evaluation
    started: float
    losses: list[tuple[Tensor, int]] = field(default_factory=list)
    value: tuple[Tensor, int] | None = None  # what the line that makes the loss in training has made last, and of how many rows
    values: list[tuple[Tensor, int]] = field(default_factory=list)
    hits: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # how many were right, of how many that count
    errors: list[tuple[Tensor, Tensor, Tensor, int]] = field(default_factory=list)  # squared error, sum, sum of squares, count
    sides: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # what was compared with what, copies of ours
    known: str = ""  # who told that the first of the sides are predictions: a loss or a comparison, not both
    guess: weakref.ref[Tensor] | None = None  # the classes that were chosen last, by their scores
    sure: bool = False  # what was chosen so came of an output
    made: dict[int, weakref.ref[Tensor]] = field(default_factory=dict)  # what came of an output, by its identity
    output: int = 0  # storage address of the last output, or of what all of them were put together in: its views are recognised by it
    outputs: set[int] = field(default_factory=set)  # these addresses of the whole pass
    handed: Handed = field(default_factory=Handed)
    rows: int = 0

    def take_value(self) -> None:
        """The last number of a line is the one that it came to."""
        if self.value is not None and len(self.values) < _MOST_PARTS:
            self.values.append(self.value)
        self.value = None

    def follow(self, tensor: Tensor) -> None:
        """The tensor is an output, or came of one."""
        if len(self.made) < _MOST_MADE:
            self.made[id(tensor)] = weakref.ref(tensor)


class EvaluationWatch:
    """One open pass at most; it ends when training goes on."""

    def __init__(self, emit: Callable[[Any], None], validated: Callable[[], None]) -> None:
        self._emit, self._validated = emit, validated
        self._open: _Pass | None = None
        self._made: dict[int, weakref.ref[Tensor]] = {}  # what came of an output of the last pass
        self.ignored = -100  # what a class that does not count is spelt as, by the loss in training

    @property
    def open(self) -> bool:
        """Whether a pass is in progress."""
        return self._open is not None

    def forward(self, step: int, model: int, training: bool, output: Tensor | None, rows: int | None, place: Place | None, gradients: bool = False) -> None:
        """A model was called without gradient."""
        if self._open is None:
            self._open = _Pass(Evaluation(step, model, 0, 0, training, gradients, 0.0, place=place), time.perf_counter())
        now = self._open
        now.take_value()
        now.record.forwards += 1
        now.record.samples += rows or 1
        now.rows = rows or 1
        if output is not None and output.layout == torch.strided:
            now.output = _storage(output)
            now.outputs.add(now.output)
            now.follow(output)

    def loss(self, function: str, value: Tensor, rows: int) -> None:
        """A loss function was called in the pass."""
        if self._open is not None and value.numel() and len(self._open.losses) < _MOST_PARTS:
            self._open.record.function = function
            self._open.losses.append((value.detach().mean().float(), rows))

    def valued(self, value: Tensor) -> None:
        """The line that makes the loss in training has made a number in the pass."""
        if self._open is not None:
            self._open.value = (value.detach().clone().float(), self._open.rows)

    def compared(self, result: Tensor, left: Any, right: Any) -> None:
        """`left == right` was computed; counted as an accuracy where it compares one whole batch of predictions with labels."""
        now = self._open
        if now is None or not isinstance(left, Tensor) or not isinstance(right, Tensor):
            return
        if result.dim() == 0 or result.numel() < 1 or left.shape != right.shape or len(now.hits) > _MOST_PARTS:
            return
        if self.is_guess(left):
            self._note_classes("comparison", left, right, result)
        elif self.is_guess(right):
            self._note_classes("comparison", right, left, result)
        elif result.shape[0] == now.rows:
            now.hits.append((result.sum(), torch.ones_like(result).sum()))
            if not now.known:
                now.sides.append((_copy(left), _copy(right)))

    def follow(self, arguments: Iterable[Any], result: Tensor) -> bool:
        """Whether something that came of an output of the pass is among the arguments of an operation; if so, its result did, too."""
        now = self._open
        if now is None or not any(_is_known(now.made, part) for a in arguments for part in (a if isinstance(a, (list, tuple)) else (a,))):
            return False
        now.follow(result)
        return True

    def led_to(self, given: Iterable[Tensor]) -> bool:
        """Whether training is given what came of an output of the pass that has just been closed."""
        return any(_is_known(self._made, t) for t in given)

    def guessed(self, classes: Tensor, of_output: bool) -> None:
        """The script chose classes by their scores, or brought them into another form: of labels, too, where they are numbers."""
        now = self._open
        if now is not None and (of_output or not now.sure):
            now.guess, now.sure = weakref.ref(classes), of_output

    def is_guess(self, tensor: Any) -> bool:
        """Whether these are the classes that were chosen last."""
        return self._open is not None and self._open.guess is not None and self._open.guess() is tensor and tensor is not None

    def _note_classes(self, teller: str, guess: Tensor, target: Tensor, right: Tensor) -> None:
        """Targets that the loss ignores, as that of a sentence's padding, are neither right nor wrong."""
        now = self._open
        if now is None:
            return
        counts = target != self.ignored
        now.hits.append(((right & counts).sum(), counts.sum()))
        if now.known not in ("", teller):
            return
        if not now.known:
            now.known, now.sides = teller, []
        now.sides.append((_copy(guess), _copy(target)))

    def subtracted(self, left: Any, right: Any) -> None:
        """`left - right` was computed; counted as an error where one side is the model's output."""
        now = self._open
        if now is None or not (isinstance(left, Tensor) and isinstance(right, Tensor)) or left.shape != right.shape:
            return
        if left.dim() == 0 or not left.is_floating_point() or not right.is_floating_point() or len(now.errors) > _MOST_PARTS:
            return
        if _storage(left) == now.output:
            self._error(left, right)
        elif _storage(right) == now.output:
            self._error(right, left)

    def joined(self, parts: Any, whole: Tensor) -> None:
        """Tensors were put together: where each is an output of the pass, so is what came of them."""
        now = self._open
        if now is not None and parts and all(isinstance(p, Tensor) and _storage(p) in now.outputs for p in parts):
            now.output, now.rows = _storage(whole), len(whole)

    def handed_out(self, tensor: Tensor) -> None:
        """A tensor became an array or a list, for a score that torch does not see."""
        now = self._open
        if now is not None and tensor.dim() and tensor.layout == torch.strided and not tensor.is_complex():
            now.handed.add("class" if self.is_guess(tensor) else "value" if _storage(tensor) == now.output else "", tensor)

    def _score_handed(self) -> None:
        now = self._open
        for kind, guess, target in now.handed.pairs() if now is not None else []:
            if kind == "class":
                self._note_classes("array", guess, target, guess == target)
            elif guess.is_floating_point() and target.is_floating_point():
                self._error(guess, target)

    def scored(self, prediction: Tensor, target: Tensor) -> None:
        """A regression loss was given these."""
        if self._open is not None and prediction.shape == target.shape and prediction.dim() and len(self._open.errors) <= _MOST_PARTS:
            self._error(prediction, target)

    def classified(self, prediction: Tensor, target: Tensor) -> None:
        """A classification loss was given these."""
        now = self._open
        if now is None or prediction.dim() < 2 or target.dim() != prediction.dim() - 1 or len(now.hits) > _MOST_PARTS:
            return
        guess = prediction.detach().argmax(dim=1)
        if guess.shape == target.shape:
            self._note_classes("loss", guess, target, guess == target)

    def _error(self, prediction: Tensor, target: Tensor) -> None:
        assert self._open is not None
        p, t = stats.plain(stats.thinned(prediction)).double(), stats.plain(stats.thinned(target)).double()
        self._open.errors.append(((p - t).square().sum(), t.sum(), t.square().sum(), t.numel()))

    def close(self) -> None:
        """Training goes on: write the pass. Waits for the device."""
        self._score_handed()
        now, self._open = self._open, None
        if now is None:
            return
        self._made = now.made
        record = now.record
        now.take_value()
        record.seconds = time.perf_counter() - now.started
        if now.losses:
            record.loss = _mean(now.losses)
        if now.hits:
            right = stats.numbers([n.float() for pair in now.hits for n in pair])
            record.accuracy = sum(right[0::2]) / sum(right[1::2]) if sum(right[1::2]) else None
            _count_classes(now, self.ignored)
        if now.errors:
            sums = stats.numbers([t for e in now.errors for t in e[:3]])
            error, total, squares = sum(sums[0::3]), sum(sums[1::3]), sum(sums[2::3])
            count = sum(e[3] for e in now.errors)
            spread = squares - total * total / count
            record.r2 = 1.0 - error / spread if spread > 0 else None
            if record.loss is None:
                record.loss, record.function = error / count, "by-hand:squared-error"
        if now.values and record.loss is None:
            record.loss, record.function = _mean(now.values), "by-hand"
        if record.step:
            self._validated()
        self._emit(record)


def _is_known(made: dict[int, weakref.ref[Tensor]], argument: Any) -> bool:
    known = made.get(id(argument))
    return known is not None and known() is argument


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr() if tensor.layout == torch.strided else 0


def _copy(classes: Tensor) -> Tensor:
    return stats.thinned(classes, _MOST_CLASSES).clone()


def _count_classes(now: _Pass, ignored: int) -> None:
    """What was predicted, and what was right. Of two sides of a comparison that is known to be neither, the labels are the more various."""
    pairs = [(stats.array(guess), stats.array(target)) for guess, target in now.sides]
    if now.known:
        pairs = [(guess[target != ignored], target[target != ignored]) for guess, target in pairs]
    sides: tuple[dict[str, int], dict[str, int]] = {}, {}
    for pair in pairs:
        for counts, classes in zip(sides, pair, strict=True):
            stats.tally(counts, classes)
    if now.known:
        now.record.predicted, now.record.labels = sides
    else:
        now.record.labels = min(sides, key=lambda counts: max(counts.values(), default=0))
    right: dict[str, int] = {}
    for guess, target in pairs:
        stats.tally(right, target[guess == target])  # the same from either side
    if now.record.labels:
        now.record.balanced = sum(right.get(c, 0) / n for c, n in now.record.labels.items()) / len(now.record.labels)


def _mean(parts: list[tuple[Tensor, int]]) -> float:
    values = stats.numbers([v for v, _ in parts])
    total = sum(n for _, n in parts)
    return sum(v * n for v, (_, n) in zip(values, parts, strict=True)) / max(total, 1)
