"""Watches weights in the sampled steps: how large they are and how far each step moves them.

Updates are measured on the leading elements of each tensor (a copy before the step, a difference after), so the cost
and the memory stay small on a large model; norms are scaled up to the whole tensor.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from nndoctor.probe import stats
from nndoctor.probe.registry import Registry
from nndoctor.probe.targets import Quality
from nndoctor.probe.where import user_place
from nndoctor.record.model import ParameterSample, Place, Sample

_SLICE = 16_384  # elements of a parameter whose movement is followed
_MOST = 400  # parameters that are followed
_FINE_BITS = 0x1FFF  # of a float32: those that neither float16 nor bfloat16 has


class WeightWatch:
    """Copies slices before a step and compares after it."""

    def __init__(self, emit: Callable[[Any], None], registry: Registry, later: stats.Later) -> None:
        self._emit = emit
        self._registry = registry
        self._later = later
        self._before: dict[int, Tensor] = {}
        self._gradients: dict[int, Tensor] = {}  # of the step before a sampled one
        self._taken: dict[int, Tensor] = {}  # of a step that is made by hand, as backward left them
        self._written: dict[int, Place] = {}  # the user's line that makes such a step
        self._samples: list[ParameterSample] = []
        self._uses: list[tuple[ParameterSample, str, float]] = []
        self._wanted: list[Tensor] = []
        self._done: set[int] = set()
        self._last: dict[int, tuple[Tensor, Tensor]] = {}  # slices before and after the step that was looked at last
        self._between: dict[int, tuple[Tensor, Tensor, Tensor]] = {}  # numbers undone, moved and coarse when this step began
        self.moved: bool | None = None
        self.frozen: list[int] = []
        self._keep_last = False
        self._first: dict[int, tuple[weakref.ref[Tensor], Tensor]] = {}

    def _followed(self) -> list[tuple[int, Tensor]]:
        alive = ((i, r()) for i, r in enumerate(self._registry.tensors[:_MOST]))
        return [(i, p) for i, p in alive if p is not None and p.layout == torch.strided and p.numel() and not p.is_meta]

    def remember_first(self) -> None:
        """Keep a few numbers of every parameter as it was first seen, to tell at the end whether anything moved."""
        for i, p in self._followed():
            if i not in self._first:
                self._first[i] = (self._registry.tensors[i], stats.slice_of(p, 64).clone())

    def note_movement(self) -> None:
        """Has any parameter left its first values? Asked now and then, since models may be gone by the end. Waits for the device."""
        if self.moved or not self._first:
            return
        self.moved = any(
            not torch.equal(stats.slice_of(p, 64), first)
            for ref, first in self._first.values()
            if (p := ref()) is not None and p.numel()
        )

    def keep_gradients(self) -> None:
        """In the step before a sampled one: gradients to compare directions with."""
        self._gradients = {i: stats.slice_of(p.grad, _SLICE).reshape(-1).clone() for i, p in self._followed() if p.grad is not None and p.grad.layout == torch.strided}

    def keep_taken(self) -> None:
        """Right after a backward call of a loop that steps by hand: its gradients, which may be cleared before the step can be measured."""
        self.take((p, p.grad) for i, p in self._followed() if i in self._before and p.grad is not None)

    def take(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Parameters and the gradients that a step by hand is about to be made with. Those that are not looked at are passed over."""
        for p, g in pairs:
            index = self._registry.index_of(p)
            if index in self._before and g.layout == torch.strided and g.is_floating_point():
                self._taken[index] = stats.slice_of(g, _SLICE).reshape(-1).clone()

    def written(self, tensor: Tensor) -> None:
        """The script has written into a tensor just now: a parameter, or the numbers behind one."""
        index = self._registry.index_of(tensor)
        if index is None:
            index = next((i for i, p in self._followed() if p.data_ptr() == tensor.data_ptr() and p.shape == tensor.shape), None)
        place = user_place()
        if index is not None and place is not None:
            self._written[index] = place

    def before_step(self, keep: bool = False) -> None:
        """Copy the slices that the step is about to change. `keep` them for the next step, which is looked at as well."""
        self._keep_last = keep
        for i, p in self._followed():
            if i not in self._before:
                now = self._before[i] = stats.slice_of(p, _SLICE).reshape(-1).clone()
                self._look_between(i, now)

    def _look_between(self, index: int, now: Tensor) -> None:
        """Has anything put the weights back since the last step, or rounded them?"""
        before, after = self._last.pop(index, (now, now))
        if before.shape != now.shape or before is now or now.dtype != torch.float32:
            return
        moved = before != after
        self._between[index] = (
            torch.count_nonzero(moved & (now == before)), torch.count_nonzero(moved),
            torch.count_nonzero((now.view(torch.int32) & _FINE_BITS) == 0),
        )  # fmt: skip

    def after_step(self, indices: set[int] | None) -> None:
        """Measure what a step did to the given parameters (None: to all that are left)."""
        chosen = [(i, p) for i, p in self._followed() if i not in self._done and (indices is None or i in indices)]
        self._done.update(i for i, _ in chosen)
        kinds: dict[tuple[torch.device, torch.dtype], list[tuple[int, Tensor]]] = {}
        for i, p in chosen:
            kinds.setdefault((p.device, p.dtype), []).append((i, p))
        for members in kinds.values():
            self._measure(members)

    def _measure(self, members: list[tuple[int, Tensor]]) -> None:
        """Parameters of one device and type, all of them in a few calls."""
        after = [stats.slice_of(p, _SLICE).reshape(-1) for _, p in members]
        scales = [((1 + p.is_complex()) * p.numel() / max(a.numel(), 1)) ** 0.5 for (_, p), a in zip(members, after, strict=True)]
        samples = [ParameterSample(i, 0.0, None, None, None, 0.0) for i, _ in members]
        self._samples.extend(samples)
        for n, (i, _) in enumerate(members):
            if i in self._before and self._before[i].numel() == after[n].numel() and self._keep_last:
                self._last[i] = (self._before[i], after[n].clone())
            found = self._between.pop(i, None)
            if found is not None:
                self._want(list(found), [(samples[n], "undone", 1.0), (samples[n], "moved", 1.0), (samples[n], "coarse", 1.0 / after[n].numel())])
        self._want(stats.norms(after), [(s, "weight", k) for s, k in zip(samples, scales, strict=True)])
        moved = [n for n, (i, _) in enumerate(members) if i in self._before and self._before[i].numel() == after[n].numel()]
        changes: dict[int, Tensor] = {}
        if moved:
            differences = torch._foreach_sub([after[n] for n in moved], [self._before[members[n][0]] for n in moved])
            changes = dict(zip(moved, differences, strict=True))
            self._want(stats.norms(list(differences)), [(samples[n], "update", scales[n]) for n in moved])
            for n, change in changes.items():
                if members[n][1].grad is None and changes[n].dtype == self._before[members[n][0]].dtype:
                    # Whoever steps by hand may have cleared the gradient by now: the step itself goes against it.
                    self._want([-_along(change, self._before[members[n][0]])], [(samples[n], "inward", scales[n])])
                self._note_climb(members[n][0], samples[n], change, scales[n])
        graded = [n for n, (_, p) in enumerate(members) if p.grad is not None and p.grad.layout == torch.strided]
        if not graded:
            return
        gradients = {n: stats.slice_of(g, _SLICE).reshape(-1) for n in graded if (g := members[n][1].grad) is not None}
        self._want(stats.norms(list(gradients.values())), [(samples[n], "gradient", scales[n]) for n in gradients])
        for n, g in gradients.items():
            self._compare(members[n][0], samples[n], g, changes.get(n), scales[n])

    def _compare(self, index: int, sample: ParameterSample, g: Tensor, change: Tensor | None, scale: float) -> None:
        """Shares of zeros, what the step promised, and agreement with the gradient of the step before."""
        count = g.numel()
        filled = torch.count_nonzero(g)
        self._want([filled], [(sample, "zero", 1.0 / count)])
        if change is not None and change.dtype == g.dtype:
            self._want([torch.dot(g, change), torch.count_nonzero(change)], [(sample, "promise", scale**2), (sample, "rounded", 1.0 / count)])
        before = self._before.get(index)
        if before is not None and before.dtype == g.dtype and before.numel() == count:
            self._want([_along(g, before)], [(sample, "inward", scale)])
        last = self._gradients.get(index)
        if last is not None and last.numel() == count:
            self._want([torch.dot(g, last), torch.linalg.vector_norm(last)], [(sample, "agreement", 1.0), (sample, "length", scale)])

    def _note_climb(self, index: int, sample: ParameterSample, change: Tensor, scale: float) -> None:
        """Of a step by hand: does it go along its gradient, or against it?"""
        taken = self._taken.get(index)
        if taken is not None and taken.dtype == change.dtype and taken.device == change.device and taken.numel() == change.numel():
            sample.written = self._written.get(index)
            self._want([_along(change, taken)], [(sample, "climb", scale)])

    def _want(self, tensors: list[Tensor], uses: list[tuple[ParameterSample, str, float]]) -> None:
        self._wanted.extend(tensors)
        self._uses.extend(uses)

    def close(self, step: int, quality: Quality) -> None:
        """Write the sample of this step."""
        self.after_step(None)
        self.note_movement()
        self.frozen = [i for i, p in self._followed() if not p.requires_grad]
        record = Sample(step, self._samples, None, quality.accuracy, quality.r2, quality.predicted, quality.balanced, quality.r2_rest)
        uses = self._uses
        self._later.add([t.double() for t in self._wanted], lambda values: self._fill(record, uses, values))
        self._samples, self._wanted, self._uses = [], [], []
        self._before.clear()
        self._gradients.clear()
        self._taken.clear()
        self._done.clear()

    def _fill(self, record: Sample, uses: list[tuple[ParameterSample, str, float]], values: list[float]) -> None:
        for (sample, what, scale), value in zip(uses, values, strict=True):
            if what in ("weight", "update", "gradient"):
                setattr(sample, what, value * scale)
                sample.nonfinite = sample.nonfinite if math.isfinite(value) else 1.0
            elif what == "zero":
                sample.zero = 1.0 - value * scale
            elif what == "promise":
                record.expected = (record.expected or 0.0) + value * scale
            elif what == "rounded":
                sample.rounded = max(0.0, 1.0 - (sample.zero or 0.0) - value * scale)
            elif what in ("undone", "coarse"):
                setattr(sample, what, value * scale)
            elif what == "inward" and (length := sample.gradient if sample.gradient is not None else sample.update) is not None:
                sample.inward = value * scale / max(length, 1e-30)
            elif what == "climb":
                sample.climb = value * scale / sample.update if sample.update else None
            elif what == "moved":
                sample.undone = sample.undone / value if value and sample.undone is not None else None
            elif what == "agreement":
                sample.agreement = value
            elif what == "length" and sample.agreement is not None and sample.gradient is not None:
                sample.agreement /= max(value * sample.gradient / scale, 1e-30)
        self._emit(record)


def _along(direction: Tensor, weights: Tensor) -> Tensor:
    """The part of a direction that points along the weights, as they were before the step: afterwards they may be shorter by far."""
    length: Tensor = torch.linalg.vector_norm(weights).float().clamp_min(1e-30)
    return torch.dot(direction, weights).float() / length
