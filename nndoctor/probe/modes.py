"""Which dropout and normalisation layers run in which mode in training forwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from nndoctor.probe import stats
from nndoctor.probe.registry import Model, Registry
from nndoctor.record.model import ModuleMode

_MOST = 300  # layers
_MOST_NORMS = 8  # that are asked in a validation pass
_STILL = 1e-4  # momentum at which running statistics stay where they are for thousands of steps
_PASSES = 64  # forwards without gradient in which they are


class ModeWatch:
    """Counts, for each layer that behaves differently in the two modes, the training forwards that it made in each."""

    def __init__(self, emit: Callable[[Any], None], registry: Registry) -> None:
        self._emit, self._registry = emit, registry
        self._modes: dict[str, ModuleMode] = {}
        self._asked: list[tuple[str, nn.Module, Tensor, Tensor]] = []  # before a forward: running mean and variance
        self._distances: dict[str, list[float]] = {}
        self._passes = 0

    def note(self, model: Model, module: nn.Module, step: int) -> None:
        """A forward of `model`, which is `module`, with gradients on."""
        for name, ref in model.sensitive:
            part = ref()
            if part is None or _indifferent(part):
                continue
            mode = self._modes.get(name)
            if mode is None:
                if len(self._modes) >= _MOST:
                    return
                mode = self._modes[name] = ModuleMode(name, type(part).__name__, 0, 0, None, 0, place=self._registry.built.get(part))
            mode.root_training += module.training
            if part.training:
                mode.training += 1
                mode.still += isinstance(part, nn.modules.batchnorm._BatchNorm) and isinstance(part.momentum, float) and part.momentum <= _STILL
            else:
                mode.fresh = _is_fresh(part)
                mode.evaluating += 1
                mode.first_off = mode.first_off or step

    def before_evaluation(self, model: Model, module: nn.Module) -> None:
        """A forward without gradient is about to be made, with the model's flag on or off."""
        self._asked.clear()
        if not module.training or self._passes >= _PASSES:
            return
        parts = [(name, part) for name, ref in model.sensitive if isinstance(part := ref(), nn.modules.batchnorm._BatchNorm) and part.training]
        for name, part in parts[:_MOST_NORMS]:
            if part.running_mean is not None and part.running_var is not None and part.momentum:
                self._asked.append((name, part, part.running_mean.clone(), part.running_var.clone()))

    def after_evaluation(self) -> None:
        """... was made: how far did the batch pull the running mean? Waits for the device."""
        self._passes += bool(self._asked)
        for name, part, mean, variance in self._asked:
            moved = part.running_mean
            if isinstance(moved, Tensor) and isinstance(part.momentum, float):
                distance = (moved - mean) / (part.momentum * (variance + 1e-5).sqrt())
                self._distances.setdefault(name, []).append(stats.number(distance.square().mean().sqrt()))
        self._asked.clear()

    def finish(self) -> None:
        """Write what was counted."""
        for name, mode in self._modes.items():
            late = self._distances.get(name, [])
            late = late[len(late) // 2 :]
            if late:
                mode.strange = sorted(late)[len(late) // 2]
        for mode in self._modes.values():
            self._emit(mode)


def _is_fresh(module: nn.Module) -> bool:
    """Batch norm whose running statistics still are 0 and 1: in evaluation mode it does nothing."""
    mean, variance = getattr(module, "running_mean", None), getattr(module, "running_var", None)
    return isinstance(mean, Tensor) and isinstance(variance, Tensor) and bool((mean == 0).all() and (variance == 1).all())


def _indifferent(module: nn.Module) -> bool:
    """A module of a sensitive kind that behaves the same in both modes as it is set."""
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p == 0
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return module.running_mean is None
    return getattr(module, "dropout", 0) == 0
