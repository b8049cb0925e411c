"""Gradients that are handed out as values and leave nothing in `.grad`: `torch.autograd.grad`, `torch.func.grad_and_value`.

Where they are gradients of parameters, and no part of a larger graph, each is what a backward call is elsewhere.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch._functorch import eager_transforms
from torch.utils._pytree import tree_leaves

from nndoctor.probe import stats
from nndoctor.probe.forwards import Forward
from nndoctor.probe.patches import Patches
from nndoctor.probe.where import user_place
from nndoctor.record.model import Place

if TYPE_CHECKING:
    from nndoctor.probe.session import Session

_CREATE_GRAPH = 2  # position after outputs and inputs


def is_transformed() -> bool:
    """Whether a transform of `torch.func` is at work: tensors are wrappers then, and hold no numbers that could be read."""
    return torch._C._functorch.peek_interpreter_stack() is not None


class ValueWatch:
    """Tells the session of gradients that are taken as values."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._losses: list[tuple[str, tuple[Any, ...], dict[str, Any], Tensor, Place | None]] | None = None  # within a gradient that counts
        self._first: Tensor | None = None  # leading numbers of the first parameter, at the first gradient

    def install(self, patches: Patches) -> None:
        """Put both under watch. All of torch.func's gradients come through one function."""
        patches.replace(torch.autograd, "grad", self._grad)
        patches.replace(eager_transforms, "grad_and_value_impl", self._grad_and_value)

    def _grad(self, old: Any) -> Any:
        session = self._session

        @functools.wraps(old)
        def grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            loss = outputs if isinstance(outputs, Tensor) else next(iter(outputs), None)
            within = kwargs.get("create_graph") or (len(args) > _CREATE_GRAPH and args[_CREATE_GRAPH])
            if session.off or session.in_backward or within or not isinstance(loss, Tensor) or not session.mine() or not _are_parameters(inputs):
                return old(outputs, inputs, *args, **kwargs)
            with session.backward.around(loss, by_value=True):
                gradients = old(outputs, inputs, *args, **kwargs)
            session.attempt(self._handed_out, inputs, gradients)
            return gradients

        return grad

    def _handed_out(self, inputs: Any, gradients: tuple[Tensor | None, ...]) -> None:
        tensors = [inputs] if isinstance(inputs, Tensor) else inputs
        self._session.weights.take((p, g) for p, g in zip(tensors, gradients, strict=False) if g is not None)

    def _grad_and_value(self, old: Any) -> Any:
        session = self._session

        @functools.wraps(old)
        def grad_and_value_impl(func: Any, argnums: Any, has_aux: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if session.off or session.in_backward or not session.mine():
                return old(func, argnums, has_aux, args, kwargs)
            self._losses = []
            try:
                result = old(func, argnums, has_aux, args, kwargs)
            finally:
                losses, self._losses = self._losses, None
            session.attempt(self._took, result[1][0] if has_aux else result[1], result[0], argnums, args, losses)
            return result

        return grad_and_value_impl

    def loss_called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> None:
        """A loss function was called under a transform: kept until the numbers behind its wrappers can be read."""
        if self._losses is not None and len(self._losses) < 4:
            plain = [_plain(a) for a in args]
            result = _plain(value)
            if isinstance(result, Tensor) and all(p is not None for p, a in zip(plain, args, strict=True) if a is not None):
                self._losses.append((name, tuple(plain), {k: _plain(v) for k, v in kwargs.items()}, result, user_place(3)))

    def _took(self, loss: Tensor, gradients: Any, argnums: Any, args: tuple[Any, ...], losses: list[Any]) -> None:
        s = self._session
        chosen = {argnums} if isinstance(argnums, int) else set(argnums)
        parameters = [t for i in chosen for t in tree_leaves(args[i]) if isinstance(t, Tensor)]
        # One tensor alone may as well be an input, and a gradient that itself takes a gradient belongs to a larger loss.
        if len(parameters) < 2 or any(isinstance(g, Tensor) and g.requires_grad for g in tree_leaves(gradients)):
            return
        s.limits.begin()
        self._note_input([t for i, a in enumerate(args) if i not in chosen for t in tree_leaves(a) if isinstance(t, Tensor)], losses)
        for name, given, settings, value, place in losses:
            s.objective.loss_called(name, given, settings, value, place)
        with s.backward.around(loss, by_value=True):
            self._note_movement(parameters[0])

    def _note_input(self, given: list[Tensor], losses: list[Any]) -> None:
        """Of what the objective was given besides its parameters, the first batch with as many rows as were predicted."""
        rows = next((stats.batch_size(a[0]) for _, a, _, _, _ in losses if a and isinstance(a[0], Tensor)), None)
        x = next((t for t in given if t.dim() and t.shape[0] == rows), None)
        s = self._session
        s.pending.calls.append(Forward(-1, True, rows, []))
        if x is not None and not x.is_complex():
            s.pending.input_sum = x.detach().sum()
            s.pending.rows, s.pending.raw = s.inputs.saw(-1, [x]), s.inputs.raw

    def _note_movement(self, parameter: Tensor) -> None:
        now = stats.slice_of(parameter, 64).clone()
        if self._first is None:
            self._first = now
        elif not self._session.weights.moved and now.shape == self._first.shape:
            self._session.weights.moved = not torch.equal(now, self._first)


def _are_parameters(inputs: Any) -> bool:
    """Parameters of modules, or several leaves; one leaf alone may as well be an input."""
    tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs) if isinstance(inputs, (list, tuple)) else []
    leaves = bool(tensors) and all(isinstance(t, Tensor) and t.is_leaf for t in tensors)
    return leaves and (len(tensors) > 1 or isinstance(tensors[0], nn.Parameter))


def _plain(value: Any) -> Any:
    """What a wrapper of torch.func's stands for; None for a batched one, which stands for many."""
    while isinstance(value, Tensor) and torch._C._functorch.is_functorch_wrapped_tensor(value):
        if torch._C._functorch.is_batchedtensor(value):
            return None
        value = torch._C._functorch.get_unwrapped(value)
    return value
