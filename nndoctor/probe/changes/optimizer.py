"""Changes at the optimiser: made just before a step and taken back after it, whatever schedules do in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nndoctor.probe.changes.base import Intervention
from nndoctor.probe.stats import numbers

_EPSILON = 1e-8  # the default of the Adam family


class _ForAStep(Intervention):
    """Settings of the groups that are others during a step."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._old: list[tuple[dict[str, Any], str, Any]] = []

    def settings(self, optimizer: torch.optim.Optimizer, group: dict[str, Any], i: int) -> dict[str, Any]:
        """What the group is to hold during the step."""
        raise NotImplementedError

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Put them in."""
        for i, group in enumerate(optimizer.param_groups):
            for key, value in self.settings(optimizer, group, i).items():
                if key in group:
                    self._old.append((group, key, group[key]))
                    group[key] = value
                    self.applied += 1

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Put the old ones back."""
        for group, key, old in reversed(self._old):
            group[key] = old
        self._old.clear()


class Rate(_ForAStep):
    """`lr*F`. Where nothing but the script itself moves the weights, the gradient is scaled in place of the rate."""

    def settings(self, optimizer: torch.optim.Optimizer, group: dict[str, Any], i: int) -> dict[str, Any]:
        """The rate, whatever schedule has set it."""
        return {"lr": group["lr"] * float(self.value)} if group.get("lr") is not None else {}

    def after_backward(self) -> None:
        """Weights that are moved by hand: `p -= lr * p.grad`."""
        if self.world.optimizers:
            return
        for p in self.world.parameters():
            if p.grad is not None:
                p.grad.mul_(float(self.value))
                self.applied += 1


class Momentum(_ForAStep):
    """`momentum=V`: of SGD and RMSprop, or the first beta of the Adam family."""

    def settings(self, optimizer: torch.optim.Optimizer, group: dict[str, Any], i: int) -> dict[str, Any]:
        """One of the two."""
        value = float(self.value)
        return {"betas": (value, *group["betas"][1:])} if "betas" in group else {"momentum": value}


class UsualEpsilon(_ForAStep):
    """`epsilon=usual`."""

    def settings(self, optimizer: torch.optim.Optimizer, group: dict[str, Any], i: int) -> dict[str, Any]:
        """Only where it is larger."""
        epsilon = group.get("eps")
        return {"eps": _EPSILON} if isinstance(epsilon, float) and epsilon > _EPSILON else {}


class Decay(_ForAStep):
    """`weight-decay=V`."""

    def settings(self, optimizer: torch.optim.Optimizer, group: dict[str, Any], i: int) -> dict[str, Any]:
        """Every group's."""
        return {"weight_decay": float(self.value)}


class Descending(_ForAStep):
    """`maximize=off`."""

    def settings(self, optimizer: torch.optim.Optimizer, group: dict[str, Any], i: int) -> dict[str, Any]:
        """Only where it is on."""
        return {"maximize": False} if group.get("maximize") else {}


class ConstantRate(_ForAStep):
    """`schedule=constant`: the rate that the optimiser was built with, or the peak of a one-cycle schedule."""

    def settings(self, optimizer: torch.optim.Optimizer, group: dict[str, Any], i: int) -> dict[str, Any]:
        """Only where the rate is another by now."""
        rates = self.world.rates[optimizer]
        rate = group.get("max_lr", rates[i] if i < len(rates) else None)
        return {"lr": rate} if rate is not None and group.get("lr") != rate else {}


class Clip(Intervention):
    """`clip=NORM` before every step; `clip=off` where the script clips: its gradients stay as they are."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._whole: dict[int, tuple[Tensor, Tensor]] = {}

    def after_backward(self) -> None:
        """Keep the whole gradients, to be put back before the step."""
        if self.value == "off":
            self._whole = {id(p): (p, p.grad.detach().clone()) for p in self.world.parameters() if p.grad is not None}

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip, or take the clipping back."""
        mine = [p for g in optimizer.param_groups for p in g["params"] if p.grad is not None]
        if self.value != "off":
            norm = numbers([torch.nn.utils.get_total_norm([p.grad for p in mine])])[0] if mine else 0.0
            if norm > float(self.value):
                for p in mine:
                    p.grad.mul_(float(self.value) / norm)
            self.applied += bool(mine)
            return
        for p in mine:
            kept = self._whole.get(id(p))
            if kept is not None and kept[0] is p and p.grad is not None and not torch.equal(kept[1], p.grad):
                p.grad.copy_(kept[1])
                self.applied += 1


# What a person would write first; rates as in torch's examples, where torch has no default.
_STAND_INS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "adam": lambda p: torch.optim.Adam(p, lr=1e-3),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-3),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=1e-3),
}


class OtherOptimizer(Intervention):
    """`optimizer=NAME`: gradients are withheld from the script's optimiser, and another one steps in its place."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._others: dict[int, torch.optim.Optimizer] = {}
        self._withheld: list[tuple[Tensor, Tensor]] = []

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the gradients away: a parameter without one is not moved."""
        if isinstance(optimizer, torch.optim.LBFGS):
            return  # it computes them anew by itself
        self._withheld = [(p, p.grad) for g in optimizer.param_groups for p in g["params"] if p.grad is not None]
        for p, _ in self._withheld:
            p.grad = None

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Give them back, and step."""
        withheld, self._withheld = self._withheld, []
        for p, gradient in withheld:
            p.grad = gradient
        if not withheld:
            return
        other = self._others.get(id(optimizer))
        if other is None:
            other = self._others[id(optimizer)] = _STAND_INS[self.value]([p for g in optimizer.param_groups for p in g["params"]])
            self.world.rates.discard(other)  # not the script's
        other.step()
        self.applied += 1
