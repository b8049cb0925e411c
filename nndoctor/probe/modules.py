"""Modules being called: the forwards of models, in training and without gradient, and the modules within them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nndoctor.probe import stats
from nndoctor.probe.depth import deeper
from nndoctor.probe.forwards import Forward, is_tiny
from nndoctor.probe.functions import first_tensor, tensors_in
from nndoctor.probe.registry import Model
from nndoctor.probe.where import user_place
from nndoctor.record.model import Sequence

if TYPE_CHECKING:
    from nndoctor.probe.session import Session

_SEQUENTIAL = (nn.RNNBase, nn.MultiheadAttention)


class ModuleWatch:
    """Tells every part of the watch what it wants to know of a forward."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.ran: set[str] = set()  # modules with parameters that ran in a training forward
        self._stack: list[tuple[nn.Module, str]] = []
        self._root: Model | None = None
        self._sequences: set[int] = set()
        self._evaluated_at: list[int] = []

    @property
    def innermost(self) -> tuple[nn.Module | None, str]:
        """The module that is being called, and its name in the model that it belongs to."""
        return self._stack[-1] if self._stack else (None, "")

    def enter(self, module: nn.Module, args: tuple[Any, ...] = ()) -> None:
        """A module inside another, in a step that is looked at."""
        s = self._session
        name = ""
        if self._root is not None:
            name = self._root.names.get(id(module)) or s.registry.stray(module, self._root) or self._root.name
        self._stack.append((module, name))
        if isinstance(module, _SEQUENTIAL) and id(module) not in self._sequences and torch.is_grad_enabled():
            self._note_sequence(module, name, args)
        if module._parameters:
            self.ran.add(name)

    def _note_sequence(self, module: nn.Module, name: str, args: tuple[Any, ...]) -> None:
        """Which axis does it take for time?"""
        s = self._session
        self._sequences.add(id(module))
        x = args[0] if args else None
        if isinstance(x, Tensor) and x.dim() == 3 and not getattr(module, "batch_first", True):
            s.emit(Sequence(name, type(module).__name__, list(x.shape), s.registry.built.get(module)))

    def leave(self) -> str:
        """... is left again. Returns its name."""
        return self._stack.pop()[1]

    def left(self, module: nn.Module, name: str, args: tuple[Any, ...], output: Any) -> None:
        """... and has returned."""
        s = self._session
        if s.looking and torch.is_grad_enabled():
            s.attempt(s.recurrence.left, module, name, args, output, s.registry.built.get(module))

    def root_call(self, call: Any, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A module called from outside any other."""
        s = self._session
        gradients = torch.is_grad_enabled()
        model: Model | None = s.attempt(self._before_root, module, gradients)
        self._root = model
        if gradients and model is not None and module._parameters:
            self.ran.add(model.name)
        self._stack = [(module, model.name if model is not None else type(module).__name__)]
        s.depth += 1
        try:
            with deeper():
                output = call(module, *args, **kwargs)
        finally:
            s.depth -= 1
            self._root = None
            self._stack = []
        if model is not None and model.has_parameters:
            given = [t for t in tensors_in([args, kwargs]) if stats.is_readable(t)]
            s.attempt(self._after_forward, model, module, given, output, gradients)
        return output

    def _before_root(self, module: nn.Module, gradients: bool) -> Model | None:
        s = self._session
        model = s.registry.model(module)
        if model is not None and model.is_meta:
            return None
        s.stepping.register_stepper()
        if model is not None and model.has_parameters:
            self._before_forward(gradients)
            if not gradients:
                s.modes.before_evaluation(model, module)
        return model

    def _before_forward(self, gradients: bool) -> None:
        s = self._session
        s.stepping.close()
        if not s.backwards:
            s.weights.remember_first()
        if not gradients:
            if not self._is_routine():
                s.functions.start()
            return
        s.evaluation.close()
        s.limits.begin()
        if not s.forwards:
            s.plan()
            if s.stepping.inside and s.looking:
                s.weights.before_step(s.is_looked_at(s.steps + 2))
        s.forwards += 1

    def _is_routine(self) -> bool:
        """Forwards without gradient in nearly every step are a part of training (a target network), no validation."""
        s = self._session
        recent = self._evaluated_at[-20:]
        return len(recent) == 20 and recent[-1] - recent[0] < 25 and not s.is_looked_at(s.now)

    def _after_forward(self, model: Model, module: nn.Module, given: list[Tensor], output: Any, gradients: bool) -> None:
        s = self._session
        x = given[0] if given else None
        rows = stats.batch_size(x) if x is not None else None
        s.calls.note("forward" if gradients else "evaluate")
        if not gradients:
            s.modes.after_evaluation()
            if not s.evaluation.open:
                self._evaluated_at.append(s.steps)
            if not self._is_routine():
                s.evaluation.forward(s.steps, model.index, module.training, first_tensor(output), rows, user_place())
                s.holdout.saw(model.index, given)
                s.vocabulary.validated(model.index, given, s.steps_made)
                s.overlap.evaluated(model.index, given)
            return
        s.pending.calls.append(Forward(model.index, module.training, rows, []))
        if not module.training:
            s.calls.trained_evaluating()
        s.pending.fed += _inputs_alike(given)
        if s.evaluation.led_to(given):
            s.overlap.fed_training()
        (s.overlap.trained if module.training else s.overlap.undecided)(model.index, given)
        s.registry.given(given)
        if x is not None and x.numel() and s.pending.input_sum is None and not x.is_complex():
            s.pending.input_sum = x.detach().sum()
        if x is not None and (s.looking or s.steps < 20 or is_tiny(rows)):
            s.vocabulary.trained(model.index, given)
            columns = s.inputs.saw(model.index, given)
            if s.pending.rows is None:
                s.pending.rows, s.pending.raw = columns, s.inputs.raw
        if s.looking:
            s.modes.note(model, module, s.now)


def _inputs_alike(given: list[Tensor]) -> int:
    """How many inputs of one shape: those of a pair are two samples, a picture and a table are parts of one."""
    return max(Counter(tuple(t.shape) for t in given if _is_input(t)).values(), default=0)


def _is_input(tensor: Tensor) -> bool:
    """Whether a tensor that a model is called with is a batch of data of its own; not what another model made, a state or a mask."""
    return tensor.dim() >= 2 and tensor.is_floating_point() and not tensor.requires_grad
