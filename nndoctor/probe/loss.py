"""Watches loss functions: which one is called where, what it was given, whether its numbers are finite."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from nndoctor.probe import graph, reference, stats
from nndoctor.probe.targets import Quality, Rows, Targets
from nndoctor.probe.tasks import task_of
from nndoctor.record.model import LossInfo, NonFinite, Place

_PLAIN_SETTINGS = ("reduction", "label_smoothing", "ignore_index", "delta", "beta", "log_input", "log_target")
_MOST_LOSSES = 24


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
        self._targets: dict[int, Targets] = {}
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
            if target.numel() and prediction.numel() and not target.is_complex():
                if info.index not in self._targets:
                    self._targets[info.index] = Targets(task_of(info.function, prediction, target))
                self._targets[info.index].learn(info, prediction, target, settings, step, x, self.quality)
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
        gathered = {index: known.gather() for index, known in self._targets.items()}
        for index, known in self._targets.items():
            self._emit(known.labels(index, gathered[index]))
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
