"""Changes at the loop: clearing, stepping, modes, and which parameters take part."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nndoctor.probe.changes.base import Function, Intervention


class ClearedGradients(Intervention):
    """`gradients=cleared`: at the first backward call after a step none of the old gradient is left."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._stepped = False

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """From here on gradients are used up."""
        self._stepped = True

    def before_backward(self, loss: Tensor) -> Tensor:
        """Clear what is left. Weights that are moved by hand are moved after every call."""
        if self._stepped or not self.world.optimizers:
            for p in self.world.parameters():
                if p.grad is not None:
                    self.applied += 1
                p.grad = None
            self._stepped = False
        return loss


class AveragedGradients(Intervention):
    """`gradients=averaged`: gradients of k backward calls are divided by k before the step."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._calls = 0

    def after_backward(self) -> None:
        """Count."""
        self._calls += 1

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide."""
        if self._calls > 1:
            for p in (p for g in optimizer.param_groups for p in g["params"]):
                if p.grad is not None:
                    p.grad.div_(self._calls)
                    self.applied += 1

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """The next step begins."""
        self._calls = 0


class CalledStep(Intervention):
    """`step=called`: what a backward call gives is stepped on, once, whatever the script forgot or cleared."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._gradients: dict[int, Tensor] = {}
        self._restored: list[Tensor] = []
        self._missing: list[torch.optim.Optimizer] = []  # have not stepped since the last backward call

    def before_forward(self, module: nn.Module, args: Any, kwargs: Any, training: bool) -> tuple[Any, Any]:
        """Make up for the step that was missing, before its weights are used again."""
        if training and self._missing:
            late, self._missing = self._missing, []
            for optimizer in late:
                optimizer.step()
        return args, kwargs

    def before_backward(self, loss: Tensor) -> Tensor:
        """What was put back has been used up."""
        for p in self._restored:
            p.grad = None
        self._restored = []
        return loss

    def after_backward(self) -> None:
        """Remember the gradients, by value: clearing may fill them with zeros."""
        self._gradients = {id(p): p.grad.clone() for p in self.world.parameters() if p.grad is not None}
        self._missing = self.world.optimizers

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Put back what was cleared in between."""
        for p in (p for g in optimizer.param_groups for p in g["params"]):
            gradient = self._gradients.pop(id(p), None)
            if gradient is not None:
                p.grad = gradient
                self._restored.append(p)
                self.applied += 1

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Not another time."""
        self._missing = [o for o in self._missing if o is not optimizer]


class AllParameters(Intervention):
    """`parameters=all`: parameters of the models that ran, and that no optimiser holds, join the first group."""

    functions = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._used: dict[int, Tensor] = {}  # also layers that no model has registered

    def made(self, name: str, args: tuple[Any, ...], result: Any) -> None:
        """Collect the parameters that functions are given."""
        if self.world.training_forward:
            for a in args:
                if isinstance(a, nn.Parameter) and a.requires_grad:
                    self._used.setdefault(id(a), a)

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Hand in what is missing."""
        held = {id(p) for p in self.world.parameters()}
        candidates = [*(p for m in self.world.models for p in m.parameters()), *self._used.values()]
        for p in candidates:
            if p.requires_grad and id(p) not in held:
                held.add(id(p))
                optimizer.param_groups[0]["params"].append(p)
                self.applied += 1


class RequiresGrad(AllParameters):
    """`requires-grad=on`: nothing is frozen, and the optimiser holds what was."""

    def before_forward(self, module: nn.Module, args: Any, kwargs: Any, training: bool) -> tuple[Any, Any]:
        """Thaw."""
        if training:
            for p in module.parameters():
                if not p.requires_grad and p.is_floating_point():
                    p.requires_grad_(True)
                    self.applied += 1
        return args, kwargs


class Connected(AllParameters):
    """`graph=connected`: detach, `.data` and no_grad inside a training forward change nothing."""

    def function(self, name: str, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Pass over what cuts the graph."""
        if not self.world.training_forward:
            return NotImplemented
        cuts = name in ("detach", "detach_") or (name == "__get__" and function == Tensor.data.__get__)  # type: ignore[attr-defined]
        if cuts and isinstance(args[0], Tensor) and args[0].requires_grad:
            self.applied += 1
            return args[0]
        if name == "_set_grad_enabled" and args and args[0] is False:
            self.applied += 1
            return None
        return NotImplemented


class _Mode(Intervention):
    """A mode that holds in forwards with gradients, or in those without."""

    wanted = True
    in_training = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._switched: list[nn.Module] = []

    def before_forward(self, module: nn.Module, args: Any, kwargs: Any, training: bool) -> tuple[Any, Any]:
        """Switch every part that is in the other mode; but batch norm cannot train on a single sample."""
        if training == self.in_training and not (self.wanted and _is_single(args)):
            self._switched = [m for m in module.modules() if m.training != self.wanted]
            for m in self._switched:
                m.training = self.wanted
            self.applied += bool(self._switched)
        return args, kwargs

    def after_forward(self, module: nn.Module, training: bool) -> None:
        """Back to what the script chose."""
        for m in self._switched:
            m.training = not self.wanted
        self._switched = []


def _is_single(args: Any) -> bool:
    first = next((a for a in args if isinstance(a, Tensor)), None)
    return first is not None and first.dim() > 0 and len(first) == 1


class TrainMode(_Mode):
    """`mode=train`."""


class EvalMode(_Mode):
    """`evaluation=eval`."""

    wanted = False
    in_training = False
