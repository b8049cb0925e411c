"""What every intervention has: the points at which it is asked, each of which leaves the run as it is by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from nndoctor.probe.changes.points import World

Function = Callable[..., Any]
Key = tuple[Any, str, int]  # where a function is called: module or line, name, how many-th of a forward


class Intervention:
    """One change. `applied` counts how often it took hold: a change that never did proves nothing."""

    functions = False  # wants to see every torch function

    def __init__(self, world: World, value: str) -> None:
        self.world = world
        self.value = value
        self.applied = 0

    def optimizer_built(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimiser was built, or exists when the change begins."""

    def loader_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Arguments of a DataLoader that is being built."""
        return options

    def before_forward(self, module: nn.Module, args: Any, kwargs: Any, training: bool) -> tuple[Any, Any]:
        """A model is called from outside; returns the arguments that it is to get."""
        return args, kwargs

    def after_forward(self, module: nn.Module, training: bool) -> None:
        """... has returned."""

    def function(self, name: str, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A torch function is called, in a model or in a loss; returns its result. NotImplemented: leave it to others."""
        return NotImplemented

    def made(self, name: str, args: tuple[Any, ...], result: Any) -> None:
        """... has returned."""

    def loss(self, name: str, prediction: Tensor, target: Tensor, kwargs: dict[str, Any]) -> tuple[str, Tensor, Tensor, dict[str, Any]]:
        """A loss function is called, in training or validation; returns what is to be called instead."""
        return name, prediction, target, kwargs

    def before_backward(self, loss: Tensor) -> Tensor:
        """Backward is called; returns the tensor that it is to be called of."""
        return loss

    def after_backward(self) -> None:
        """... has returned."""

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimiser is about to step."""

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """... has stepped."""
