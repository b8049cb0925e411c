"""Sees every torch function the user's code calls, in the few steps that are looked at closely.

A TorchFunctionMode costs two to three per cent of a step, so it is pushed for sampled steps and for validation
passes only. It calls nothing twice and changes no argument.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, handle_torch_function

from nndoctor.probe.tasks import FUNCTIONS

Listener = Callable[[str, tuple[Any, ...], dict[str, Any], Any], None]

_LOSSES = frozenset(FUNCTIONS)
# Never of interest, and the most frequent: attribute access and what the optimisers call.
_IGNORED = frozenset({"__get__", "__set__", "size", "dim", "numel", "is_floating_point", "is_complex", "requires_grad_", "backward", "item"})


class FunctionMode(TorchFunctionMode):
    """Hands (name, arguments, keyword arguments, result) of each call to one listener, those of losses to another.

    A loss comes here past its wrapper where the script's name for it is older than the watch (`from torch.nn.functional import
    cross_entropy` in an earlier cell of a notebook); by way of the wrapper it comes as well, which knows of it.
    """

    def __init__(self, listener: Listener, losses: Listener) -> None:
        super().__init__()
        self._listener, self._losses = listener, losses
        self.listening = False
        # Made before anybody patches them, by this package or the script.
        owners = (torch.nn.functional, torch, Tensor)
        self._own = {f.__code__: f for owner in owners for f in vars(owner).values() if isinstance(f, FunctionType)}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        func = self._caller(func)
        result = func(*args, **kwargs)
        if self.listening:
            name = getattr(func, "__name__", "")
            if name in _LOSSES and isinstance(func, FunctionType):
                self._losses(name, args, kwargs, result)
            if name not in _IGNORED and not name.startswith("_foreach"):
                self._listener(name, args, kwargs, result)
        return result

    def _caller(self, func: Any) -> Any:
        """The function of torch's that asks. It names itself to the mode by looking itself up, and finds what the script has put
        in its place (`F.cross_entropy = weighted`), which called it just now and would run a second time.
        """
        frame = sys._getframe(2)
        if frame.f_code is not _ASKING or frame.f_back is None or not isinstance(func, FunctionType):
            return func
        asking = frame.f_back.f_code
        return func if func.__code__ is asking else self._own.get(asking, func)


_ASKING: CodeType = handle_torch_function.__code__


class FunctionWatch:
    """Pushes the mode and pops it, in the order that other modes on the stack allow.

    Assumption: modes nest. A mode that the user pushed above ours must not be popped in its place, so ours is popped
    only while it is the top one; until then it listens to nothing. A mode of the user's below ours (a `with
    torch.device(...)` that is still open) could be closed while ours is on top, so ours is not pushed then, and the
    closer look is forgone; the default device's own mode is never closed and does no harm.
    """

    def __init__(self, listener: Listener, losses: Listener) -> None:
        self._mode = FunctionMode(listener, losses)
        self._pushed = False
        self.below = 0  # modes of this package that lie below for good: a trial's changes

    @property
    def on(self) -> bool:
        """Whether calls are being listened to."""
        return self._mode.listening

    def start(self) -> None:
        """Listen from now on."""
        if self._pushed:
            self._mode.listening = self._top() is self._mode
            return
        depth = torch._C._len_torch_function_stack()
        default = getattr(sys.modules.get("torch.utils._device"), "CURRENT_DEVICE", None)
        if depth > (0 if default is None else 1) + self.below:
            return
        self._mode.__enter__()  # type: ignore[no-untyped-call]
        self._pushed = self._mode.listening = True

    def stop(self) -> None:
        """Listen no more, and leave the stack where that is safe."""
        self._mode.listening = False
        if self._pushed and self._top() is self._mode:
            self._mode.__exit__(None, None, None)
            self._pushed = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Off the stack for a while: some modules compute by another path, to other last bits, where a mode is on it."""
        was_on = self.on
        self.stop()
        try:
            yield
        finally:
            if was_on:
                self.start()

    def _top(self) -> Any:
        depth = torch._C._len_torch_function_stack()
        return torch._C._get_function_stack_at(depth - 1) if depth else None


def first_tensor(value: Any, depth: int = 3) -> Tensor | None:
    """The first tensor in nested tuples, lists, dicts and objects with fields; None where there is none."""
    if isinstance(value, Tensor):
        return value
    if depth == 0 or value is None or isinstance(value, (str, int, float, torch.nn.Module)):
        return None
    if isinstance(value, dict):
        items = list(value.values())
    elif isinstance(value, (list, tuple)):
        items = list(value)
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        items = list(vars(value).values())
    else:
        return None
    for item in items[:64]:
        found = first_tensor(item, depth - 1)
        if found is not None:
            return found
    return None


def tensors_in(value: Any, depth: int = 3) -> list[Tensor]:
    """All tensors in nested tuples, lists and dicts, at most 64 of each container."""
    if isinstance(value, Tensor):
        return [value]
    if depth == 0:
        return []
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [t for item in list(value)[:64] for t in tensors_in(item, depth - 1)]
    return []
