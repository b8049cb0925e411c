"""Watches gradients: their norms at every step, what was left over from the step before, and clipping."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from nndoctor.probe import stats
from nndoctor.probe.registry import Registry
from nndoctor.record.model import Step

# Above this many parameters, norms by parameter are written in sampled steps only: 300 steps stay within a few MB.
_MOST_NORMS = 240
_MARKED = 4  # parameters by which it is told whether weights, or gradients, were written into


class GradientWatch:
    """Fills in the gradient fields of a step."""

    def __init__(self, registry: Registry, later: stats.Later) -> None:
        self._registry = registry
        self._later = later
        self._carry: dict[int, Tensor | None] = {}  # parameter -> norm of what was left when backward began
        self.carried: dict[int, int] = {}  # parameter -> steps made on left-over gradients
        self.stepped: dict[int, int] = {}  # parameter -> steps made
        self._made: list[Tensor] | None = None
        self._marks: list[float] = []
        self._versions: list[int] = []  # of the first gradients, after the last backward call of a loop without an optimiser
        self.clip: float | None = None
        self._clips = False  # clipping writes into gradients as well
        self.unclipped: Tensor | None = None

    def before_first_backward(self) -> None:
        """Just before the first backward call after a step: which gradients are still there?"""
        self._carry.clear()
        left: list[int] = []
        tensors: list[Tensor] = []
        for index, p in self._tracked():
            if p.grad is not None:
                left.append(index)
                tensors.append(p.grad)
        if tensors:
            for index, norm in zip(left, stats.norms([t.detach() for t in tensors]), strict=True):
                self._carry[index] = norm

    def after_backward(self) -> None:
        """Right after a backward call of a step that is looked at: the gradients that it made."""
        alive = (ref() for state in self._registry.optimizers.values() for ref in state.parameters)
        made = [p.grad.detach() for p in alive if p is not None and p.grad is not None]
        self._made = stats.norms(made) if made else None

    def none_left(self) -> bool:
        """Whether every gradient of the optimisers' parameters was removed since the last backward call."""
        for state in self._registry.optimizers.values():
            for ref in state.parameters:
                p = ref()
                if p is not None and p.grad is not None:
                    return False
        return bool(self._registry.optimizers)

    def _tracked(self) -> Iterator[tuple[int, Tensor]]:
        """What optimisers hold; where there is none, every known parameter that takes a gradient."""
        states = self._registry.optimizers.values()
        for state in states:
            for index, ref in zip(state.indices, state.parameters, strict=True):
                p = ref()
                if p is not None:
                    yield index, p
        if not states:
            for index, ref in enumerate(self._registry.tensors):
                p = ref()
                if p is not None and p.requires_grad and p.is_leaf:
                    yield index, p

    def remember_versions(self) -> None:
        """Right after a backward call of a loop without an optimiser: who writes into a gradient from here on is the script."""
        self._versions = self._versions_now()

    def _versions_now(self) -> list[int]:
        return [p.grad._version for _, p in islice(self._tracked(), _MARKED) if p.grad is not None]

    def without_optimizer(self, step: Step) -> None:
        """For a backward call that stands for a step: what was left over from the one before, if weights moved in between.

        Without movement it is accumulation, and a gradient that the script has written into is kept on purpose, as a velocity that
        fades. Waits for the device, which only loops without an optimiser pay.
        """
        tracked = list(self._tracked())
        kept = bool(self._versions) and self._versions != self._versions_now()
        marks = [stats.number(stats.plain(stats.slice_of(p, 64)).double().sum()) for _, p in tracked[:_MARKED]]
        moved, self._marks = marks != self._marks, marks
        step.held = len(tracked)
        carried = [n for n in self._carry.values() if n is not None]
        if moved and carried and (self._clips or not kept):
            self._later.add(carried, lambda values: setattr(step, "carried", sum(1 for v in values if v != 0)))

    def clipped_after(self, step: Step) -> None:
        """For a backward call that stands for a step: the clipping that followed it."""
        step.clip, self.clip = self.clip, None
        unclipped, self.unclipped = self.unclipped, None
        if unclipped is not None:
            self._later.add([unclipped], lambda values: setattr(step, "unclipped_norm", values[0]))

    def at_step(self, optimizer: torch.optim.Optimizer, step: Step, sampled: bool) -> None:
        """After an optimiser's step: the gradients it used, which of them were left over, and the clipping."""
        state = self._registry.optimizer(optimizer)
        step.optimizers.append(state.index)
        made, self._made = self._made, None
        if made is not None:
            self._later.add(made, lambda values: _count_made(step, values))
        pairs = [
            (i, p.grad.detach())
            for i, ref in zip(state.indices, state.parameters, strict=True)
            if (p := ref()) is not None and p.grad is not None
        ]
        for i, _ in pairs:
            self.stepped[i] = self.stepped.get(i, 0) + 1
        if not pairs:
            return
        found = stats.norms([g for _, g in pairs])
        indices = [i for i, _ in pairs]
        carried = [(i, self._carry.pop(i)) for i in indices if self._carry.get(i) is not None]
        wanted = [*found, *[n for _, n in carried if n is not None]]
        if self.unclipped is not None:
            wanted.append(self.unclipped)
        had_unclipped, self.unclipped = self.unclipped is not None, None
        step.clip, self.clip = self.clip, None
        keep = sampled or len(self._registry.tensors) <= _MOST_NORMS

        def use(values: list[float]) -> None:
            own = values[: len(indices)]
            step.gradient_norm = ((step.gradient_norm or 0.0) ** 2 + sum(v * v for v in own)) ** 0.5
            step.held += sum(1 for v in own if v != 0)
            for (i, _), v in zip(carried, values[len(indices) :], strict=False):
                if v != 0:
                    step.carried += 1
                    self.carried[i] = self.carried.get(i, 0) + 1
            if had_unclipped:
                step.unclipped_norm = values[-1]
            if keep:
                _place(step.norms, indices, own)

        self._later.add(wanted, use)

    def about_to_clip(self, parameters: Any) -> None:
        """A clipping function that returns no norm is about to run on the parameters, a tensor or several.

        Only what can be gone through again is looked at: a generator is the clipping function's to use up.
        """
        kept = [parameters] if isinstance(parameters, Tensor) else list(parameters) if isinstance(parameters, (list, tuple)) else None
        found = kept if kept is not None else [p for _, p in self._tracked()]
        gradients = [g.detach() for p in found if isinstance(p, Tensor) and (g := p.grad) is not None]
        if gradients:
            self.unclipped = torch.linalg.vector_norm(torch.stack([n.float() for n in stats.norms(gradients)]))

    def clipped(self, limit: Any, total: Any) -> None:
        """A clipping function ran; `total` is the norm that it found, where it returns one."""
        self._clips = True
        if isinstance(limit, (int, float)):
            self.clip = float(limit)
        elif isinstance(limit, Tensor) and limit.numel() == 1:
            self.clip = stats.number(limit)
        if isinstance(total, Tensor) and total.numel() == 1:
            self.unclipped = total.detach().clone()


def _count_made(step: Step, values: list[float]) -> None:
    """How many gradients a backward call made, and how large they are together."""
    step.made = sum(1 for v in values if v != 0)
    step.made_norm = sum(v * v for v in values) ** 0.5


def _place(norms: list[float | None], indices: list[int], values: list[float]) -> None:
    """Write values at their parameters' indices, growing the list as needed."""
    for i, v in zip(indices, values, strict=True):
        if i < 0:
            continue
        if i >= len(norms):
            norms.extend([None] * (i + 1 - len(norms)))
        norms[i] = v
