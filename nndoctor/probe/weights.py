"""Watches weights in the sampled steps: how large they are and how far each step moves them.

Updates are measured on the leading elements of each tensor (a copy before the step, a difference after), so the cost
and the memory stay small on a large model; norms are scaled up to the whole tensor.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nndoctor.probe import stats
from nndoctor.probe.loss import Quality
from nndoctor.probe.registry import Registry
from nndoctor.record.model import ParameterSample, Sample

_SLICE = 16_384  # elements of a parameter whose movement is followed
_MOST = 400  # parameters that are followed
# What will be known of one parameter: has update, has gradient, has agreement with the step before.
_Plan = tuple[ParameterSample, bool, bool, bool]


class WeightWatch:
    """Copies slices before a step and compares after it."""

    def __init__(self, emit: Callable[[Any], None], registry: Registry, later: stats.Later) -> None:
        self._emit = emit
        self._registry = registry
        self._later = later
        self._before: dict[int, Tensor] = {}
        self._gradients: dict[int, Tensor] = {}  # of the step before a sampled one
        self._plans: list[_Plan] = []
        self._wanted: list[Tensor] = []
        self._done: set[int] = set()
        self._first: dict[int, tuple[weakref.ref[Tensor], Tensor]] = {}

    def _followed(self) -> list[tuple[int, Tensor]]:
        alive = ((i, r()) for i, r in enumerate(self._registry.tensors[:_MOST]))
        return [(i, p) for i, p in alive if p is not None and p.layout == torch.strided and p.numel() and not p.is_meta]

    def remember_first(self) -> None:
        """Keep a few numbers of every parameter as it was first seen, to tell at the end whether anything moved."""
        for i, p in self._followed():
            if i not in self._first:
                self._first[i] = (self._registry.tensors[i], stats.slice_of(p, 64).clone())

    def moved(self) -> bool | None:
        """Whether any parameter differs from its first sight. Waits for the device."""
        if not self._first:
            return None
        for ref, first in self._first.values():
            p = ref()
            if p is not None and p.numel() and not torch.equal(stats.slice_of(p, 64), first):
                return True
        return False

    def keep_gradients(self) -> None:
        """In the step before a sampled one: gradients to compare directions with."""
        self._gradients = {i: stats.slice_of(p.grad, _SLICE).clone() for i, p in self._followed() if p.grad is not None and p.grad.layout == torch.strided}

    def before_step(self) -> None:
        """Copy the slices that the step is about to change."""
        for i, p in self._followed():
            if i not in self._before:
                self._before[i] = stats.slice_of(p, _SLICE).clone()

    def after_step(self, indices: set[int] | None) -> None:
        """Measure what a step did to the given parameters (None: to all that are left)."""
        for i, p in self._followed():
            if i not in self._done and (indices is None or i in indices):
                self._done.add(i)
                self._measure(i, p)

    def _measure(self, i: int, p: Tensor) -> None:
        before, last = self._before.get(i), self._gradients.get(i)
        after = stats.slice_of(p, _SLICE)
        scale = (p.numel() / max(after.numel(), 1)) ** 0.5
        self._wanted += [torch.linalg.vector_norm(stats.plain(after)) * scale, (~torch.isfinite(after)).float().mean()]
        change = stats.plain(after) - stats.plain(before) if before is not None and before.shape == after.shape else None
        if change is not None:
            self._wanted.append(torch.linalg.vector_norm(change) * scale)
        g = stats.slice_of(p.grad, _SLICE) if p.grad is not None and p.grad.layout == torch.strided else None
        direction = False
        if g is not None:
            g = stats.plain(g)
            self._wanted += [torch.linalg.vector_norm(g) * scale, (g == 0).float().mean(), (~torch.isfinite(g)).float().mean()]
            if change is not None:
                self._wanted += [(g * change).sum() * scale**2, ((g != 0) & (change == 0)).float().mean()]
            if last is not None and last.shape == g.shape:
                direction = True
                lengths = torch.linalg.vector_norm(g) * torch.linalg.vector_norm(last)
                self._wanted.append((g * stats.plain(last)).sum() / (lengths + 1e-30))
        self._plans.append((ParameterSample(i, 0.0, None, None, None, 0.0), change is not None, g is not None, direction))

    def close(self, step: int, quality: Quality) -> None:
        """Write the sample of this step."""
        self.after_step(None)
        record = Sample(step, [p[0] for p in self._plans], None, quality.accuracy, quality.r2, quality.predicted)
        plans = self._plans
        self._later.add([t.double() for t in self._wanted], lambda values: self._fill(record, plans, values))
        self._plans, self._wanted = [], []
        self._before.clear()
        self._gradients.clear()
        self._done.clear()

    def _fill(self, record: Sample, plans: list[_Plan], values: list[float]) -> None:
        rest = iter(values)
        for sample, has_update, has_gradient, has_last in plans:
            sample.weight, sample.nonfinite = next(rest), next(rest)
            if has_update:
                sample.update = next(rest)
            if has_gradient:
                sample.gradient, sample.zero = next(rest), next(rest)
                sample.nonfinite = max(sample.nonfinite, next(rest))
                if has_update:
                    record.expected = (record.expected or 0.0) + next(rest)
                    sample.rounded = next(rest)
            if has_last:
                sample.agreement = next(rest)
        self._emit(record)
