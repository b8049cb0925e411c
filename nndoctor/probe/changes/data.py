"""Changes at the data: what a model is given, and what loaders make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nndoctor.probe.changes.base import Intervention

_ENOUGH_ROWS, _ENOUGH_BATCHES = 2000, 8  # then the statistics stand still: a fixed transformation
_DEVIATIONS = 5.0


def mapped(value: Any, change: Callable[[Tensor], Tensor], depth: int = 2) -> Any:
    """The same value with every tensor changed, in tuples, lists and dicts."""
    if isinstance(value, Tensor):
        return change(value)
    if depth and type(value) in (list, tuple):
        return type(value)(mapped(v, change, depth - 1) for v in value)
    if depth and type(value) is dict:
        return {k: mapped(v, change, depth - 1) for k, v in value.items()}
    return value


class _Statistics:
    """Of one argument of one model: mean and deviation, median and robust deviation of each feature."""

    def __init__(self, axis: int) -> None:
        self._axis = axis
        self._rows: list[Tensor] = []
        self._batches = self._count = 0
        self.mask = True  # zeros and ones only: a mask or one-hot codes, left alone
        self.mean = self.deviation = self.median = self.robust = torch.zeros(())

    @property
    def settled(self) -> bool:
        return self._batches >= _ENOUGH_BATCHES or self._count >= _ENOUGH_ROWS

    def see(self, x: Tensor) -> None:
        """One more training batch."""
        rows = self._flat(x.detach())
        self.mask = self.mask and bool(((rows == 0) | (rows == 1)).all())
        self._rows.append(rows[:: max(1, len(rows) // 4000)].double())
        self._batches += 1
        self._count += int(x.shape[0]) if x.dim() else 1
        seen = torch.cat(self._rows)
        good = torch.where(torch.isfinite(seen), seen, torch.nan)
        self.mean = torch.nan_to_num(good.nanmean(0))
        self.deviation = torch.nan_to_num((good - self.mean).square().nanmean(0).sqrt())
        self.median = torch.nan_to_num(good.nanmedian(0).values)
        self.robust = torch.nan_to_num(1.4826 * (good - self.median).abs().nanmedian(0).values)
        if self.settled:
            self._rows.clear()

    def _flat(self, x: Tensor) -> Tensor:
        if x.dim() <= 1:
            return x.reshape(-1, 1)
        return x.movedim(self._axis, -1).reshape(-1, x.shape[self._axis])

    def shaped(self, values: Tensor, x: Tensor) -> Tensor:
        """Values by feature in a shape that broadcasts with the argument."""
        values = values.to(x.dtype)
        if x.dim() <= 1:
            return values.reshape(())
        shape = [1] * x.dim()
        shape[self._axis] = -1
        return values.reshape(shape)


class _Inputs(Intervention):
    """A transformation of every real-valued tensor that a model is given from outside."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._statistics: dict[tuple[int, int], _Statistics] = {}
        self._entrances: set[int] = set()  # models that are given data in training, not what another model made

    def change(self, x: Tensor, statistics: _Statistics) -> Tensor:
        """The changed input."""
        raise NotImplementedError

    def before_forward(self, module: nn.Module, args: Any, kwargs: Any, training: bool) -> tuple[Any, Any]:
        """Learn in training, change in both."""
        count = 0

        def one(x: Tensor) -> Tensor:
            nonlocal count
            count += 1
            if not x.is_floating_point() or x.numel() == 0:
                return x
            if training and not x.requires_grad:
                self._entrances.add(id(module))
            if x.requires_grad or id(module) not in self._entrances:
                return x
            key = (id(module), count)
            known = self._statistics.get(key)
            if known is None:
                known = self._statistics[key] = _Statistics(_feature_axis(module, x))
            if training and not known.settled:
                known.see(x)
            if known.mask or known.mean.dim() == 0:
                return x
            self.applied += 1
            return self.change(x, known)

        return mapped(args, one), mapped(kwargs, one)


class StandardizedInputs(_Inputs):
    """`inputs=standardized`."""

    def change(self, x: Tensor, statistics: _Statistics) -> Tensor:
        """Mean 0, deviation 1; what does not vary becomes 0."""
        scale = torch.where(statistics.deviation > 1e-12 * (1 + statistics.mean.abs()), statistics.deviation, torch.inf)
        return (x - statistics.shaped(statistics.mean, x)) / statistics.shaped(scale, x)


class ImputedInputs(_Inputs):
    """`inputs=imputed`: the mean stands in for what is not finite; such targets are left out."""

    def change(self, x: Tensor, statistics: _Statistics) -> Tensor:
        """Finite everywhere."""
        return torch.where(torch.isfinite(x), x, statistics.shaped(statistics.mean, x))

    def loss(self, name: str, prediction: Tensor, target: Tensor, kwargs: dict[str, Any]) -> tuple[str, Tensor, Tensor, dict[str, Any]]:
        """A target that equals the prediction pulls at nothing."""
        if target.is_floating_point() and target.shape == prediction.shape:
            good = torch.isfinite(target)
            if not bool(good.all()):
                self.applied += 1
                target = torch.where(good, target, prediction.detach().to(target.dtype))
        return name, prediction, target, kwargs


class ClippedInputs(_Inputs):
    """`inputs=clipped`."""

    def change(self, x: Tensor, statistics: _Statistics) -> Tensor:
        """Robust deviations from the median, five at most: a scaler that saw the outliers has squeezed all the rest together.

        A feature that hardly varies is left alone.
        """
        varies = statistics.robust > 0
        scale = statistics.shaped(torch.where(varies, statistics.robust, torch.ones_like(statistics.robust)), x)
        centre = statistics.shaped(torch.where(varies, statistics.median, torch.zeros_like(statistics.median)), x)
        reach = statistics.shaped(torch.where(varies, _DEVIATIONS, torch.inf), x)
        return torch.maximum(torch.minimum((x - centre) / scale, reach), -reach)


class ZeroInputs(_Inputs):
    """`inputs=zero`: a control."""

    def change(self, x: Tensor, statistics: _Statistics) -> Tensor:
        """Nothing is left of it."""
        return torch.zeros_like(x)


def _feature_axis(module: nn.Module, x: Tensor) -> int:
    """Channels of what a convolution is given are on axis 1; features of anything else on the last."""
    first = next((m for m in module.modules() if isinstance(m, (nn.modules.conv._ConvNd, nn.Linear, nn.RNNBase))), None)
    if isinstance(first, nn.modules.conv._ConvNd) and x.dim() >= 3:
        return 1
    return 1 if x.dim() == 4 else x.dim() - 1 if x.dim() else 0


class ShuffledLoader(Intervention):
    """`loader=shuffled`: loaders that go through a data set in order."""

    def loader_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Shuffle where nobody else decides the order."""
        ordered = not options.get("shuffle") and options.get("sampler") is None and options.get("batch_sampler") is None
        if ordered and not isinstance(options.get("dataset"), torch.utils.data.IterableDataset):
            self.applied += 1
            return {**options, "shuffle": True}
        return options


class BatchSize(Intervention):
    """`batch*F`: of every loader."""

    def loader_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """At least one sample a batch."""
        size = options.get("batch_size", 1)
        if options.get("batch_sampler") is not None or not isinstance(size, int):
            return options
        self.applied += 1
        return {**options, "batch_size": max(1, round(size * float(self.value)))}


class OneBatch(Intervention):
    """`one-batch=repeated`: a control. The n-th call of a step is given what it was given in the first step."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._first: dict[tuple[Any, int], Any] = {}
        self._calls: dict[Any, int] = {}

    def _remembered(self, who: Any, value: Any) -> Any:
        n = self._calls[who] = self._calls.get(who, 0) + 1
        if (who, n) not in self._first:
            self._first[(who, n)] = mapped(value, lambda t: t.detach().clone())
            return value
        self.applied += 1
        return self._first[(who, n)]

    def before_forward(self, module: nn.Module, args: Any, kwargs: Any, training: bool) -> tuple[Any, Any]:
        """The first inputs again."""
        made: list[Tensor] = []
        mapped((args, kwargs), lambda t: made.append(t) or t)  # type: ignore[func-returns-value]
        if training and not any(t.requires_grad for t in made):
            args, kwargs = self._remembered(id(module), (args, kwargs))
        return args, kwargs

    def loss(self, name: str, prediction: Tensor, target: Tensor, kwargs: dict[str, Any]) -> tuple[str, Tensor, Tensor, dict[str, Any]]:
        """The first targets again."""
        if prediction.requires_grad and not target.requires_grad:
            first = self._remembered(name, target)
            target = first if first.shape == target.shape or first.shape[:1] == prediction.shape[:1] else target
        return name, prediction, target, kwargs

    def after_backward(self) -> None:
        """The next step begins."""
        self._calls.clear()
