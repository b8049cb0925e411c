"""Where changes take hold: the same points that the watch sits on, patched on top of it, so that it sees the changed run.

Installed in trials only. Without a change in force every point passes its arguments through.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import optimizer as optim_module
from torch.overrides import TorchFunctionMode

from nndoctor.probe import graph
from nndoctor.probe.changes.base import Intervention, Key
from nndoctor.probe.changes.catalogue import make
from nndoctor.probe.changes.names import Change
from nndoctor.probe.identity import IdentityTable
from nndoctor.probe.patches import Patches
from nndoctor.probe.tasks import FUNCTIONS
from nndoctor.probe.where import user_frame


class World:
    """What a change may know of the run: its optimisers and models, and where in a forward it is."""

    def __init__(self, patches: Patches) -> None:
        self.patches = patches
        self.rates: IdentityTable[torch.optim.Optimizer, list[Any]] = IdentityTable()
        self.models: IdentityTable[nn.Module, None] = IdentityTable()
        self.stack: list[nn.Module] = []
        self.training_forward = False  # inside a model, with gradients on as the script would have them
        self.leaves: list[Tensor] = []
        self.losses: dict[str, Callable[..., Any]] = {}  # the watched loss functions by name
        self._ordinals: dict[tuple[Any, str], int] = {}

    @property
    def optimizers(self) -> list[torch.optim.Optimizer]:
        """All that are alive, as they were built."""
        return list(self.rates)

    def parameters(self) -> Iterator[Tensor]:
        """What the optimisers hold; where there are none, what the first loss reached: a script may move it by hand."""
        if not self.rates:
            return iter(self.leaves)
        return (p for o in self.optimizers for g in o.param_groups for p in g["params"])

    def begin_forward(self) -> None:
        """Sites are counted from one again."""
        self._ordinals.clear()

    def site(self, name: str) -> Key:
        """A name for the place of a call that is the same in every forward: module or line, function, how many-th."""
        module = self.stack[-1] if self.stack else None
        base: Any
        if module is not None and type(module).__module__.startswith("torch."):
            base = id(module)
        else:
            frame = user_frame(2)
            base = (frame.f_code.co_filename, frame.f_lineno) if frame is not None else None
        count = self._ordinals[(base, name)] = self._ordinals.get((base, name), 0) + 1
        return base, name, count


class _Mode(TorchFunctionMode):
    """Hands every torch function to the changes that want to see them."""

    def __init__(self, points: Points) -> None:
        super().__init__()
        self._points = points

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        return self._points.function(func, args, kwargs or {})


class Points:
    """The patched points, and the changes that are in force."""

    def __init__(self, patches: Patches) -> None:
        self.world = World(patches)
        self._patches = patches
        self._changes: list[tuple[Change, Intervention]] = []
        self._mode: _Mode | None = None
        self._thread: int | None = None
        self._in_loss = self._in_backward = False
        self.at_first_forward: Callable[[], None] | None = None

    # --- beginning and end ------------------------------------------------------------------------------------

    def install(self) -> None:
        """Patch torch, over the watch."""
        replace = self._patches.replace
        replace(nn.Module, "__call__", self._module_call)
        replace(Tensor, "backward", self._backward)
        replace(torch.autograd, "backward", self._autograd_backward)
        replace(optim_module.Optimizer, "__init__", self._optimizer_init)
        replace(torch.utils.data.DataLoader, "__init__", self._loader_init)
        for name in FUNCTIONS:
            self.world.losses[name] = getattr(F, name)
            replace(F, name, functools.partial(self._loss_function, name))
        self._patches.hook(optim_module.register_optimizer_step_pre_hook(self._before_step))
        handle = optim_module.register_optimizer_step_post_hook(self._after_step)
        # Before the watch's: what a change took away for the step is back when the watch looks.
        optim_module._global_optimizer_post_hooks.move_to_end(handle.id, last=False)  # type: ignore[attr-defined]
        self._patches.hook(handle)

    def begin(self, changes: Sequence[Change]) -> None:
        """Put changes in force. The calling thread is the one whose functions are seen."""
        self._thread = threading.get_ident()
        for change in changes:
            made = make(change, self.world)
            self._changes.append((change, made))
            for optimizer in self.world.optimizers:
                made.optimizer_built(optimizer)
        if any(made.functions for _, made in self._changes):
            self._mode = _Mode(self)
            self._mode.__enter__()  # type: ignore[no-untyped-call]

    def end(self) -> None:
        """No function is seen any more; the patches are their owner's to take off."""
        if self._mode is not None:
            self._mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            self._mode = None

    def outcomes(self) -> list[tuple[str, int]]:
        """Spelling of each change, and how often it took hold."""
        return [(change.spelling, made.applied) for change, made in self._changes]

    @property
    def modes(self) -> int:
        """How many torch-function modes of ours lie below those of the watch."""
        return int(self._mode is not None)

    @property
    def _made(self) -> list[Intervention]:
        return [made for _, made in self._changes]

    # --- points -----------------------------------------------------------------------------------------------

    def function(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A torch function is called."""
        name = getattr(func, "__name__", "")
        if self._in_backward or name in self.world.losses:
            return func(*args, **kwargs)
        result = NotImplemented
        wanting = [m for m in self._made if m.functions]
        for made in wanting:
            result = made.function(name, func, args, kwargs)
            if result is not NotImplemented:
                break
        if result is NotImplemented:
            result = func(*args, **kwargs)
        for made in wanting:
            made.made(name, args, result)
        return result

    def _module_call(self, old: Any) -> Any:
        world = self.world

        @functools.wraps(old)
        def __call__(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if self._thread is not None and threading.get_ident() != self._thread:
                return old(module, *args, **kwargs)
            if not world.stack and _is_model(module):
                return self._root_call(old, module, args, kwargs)
            world.stack.append(module)
            try:
                return old(module, *args, **kwargs)
            finally:
                world.stack.pop()

        return __call__

    def _root_call(self, old: Any, module: nn.Module, args: Any, kwargs: Any) -> Any:
        world, training = self.world, torch.is_grad_enabled()
        if training and self.at_first_forward is not None:
            begin, self.at_first_forward = self.at_first_forward, None
            begin()
        if training:
            world.models[module] = None
        world.begin_forward()
        with torch._C.DisableTorchFunction():
            for made in self._made:
                args, kwargs = made.before_forward(module, args, kwargs, training)
        world.stack.append(module)
        world.training_forward = training
        try:
            return old(module, *args, **kwargs)
        finally:
            world.stack.pop()
            world.training_forward = False
            for made in self._made:
                made.after_forward(module, training)

    def _loss_function(self, name: str, old: Any) -> Any:
        @functools.wraps(old)
        def loss_function(input: Tensor, target: Tensor, *rest: Any, **kwargs: Any) -> Any:  # noqa: A002 - torch's names
            # Torch's dispatch to a function mode comes back to this very name.
            if self._in_loss or not (isinstance(input, Tensor) and isinstance(target, Tensor)):
                return old(input, target, *rest, **kwargs)
            self._in_loss = True
            try:
                other = name
                # What a change calls itself is not the script's doing.
                with torch._C.DisableTorchFunction():
                    for made in self._made:
                        other, input, target, kwargs = made.loss(other, input, target, kwargs)  # noqa: A001
                if other == name:
                    return old(input, target, *rest, **kwargs)
                kept = {k: v for k, v in kwargs.items() if k == "reduction"}
                return self.world.losses[other](input, target, **kept)
            finally:
                self._in_loss = False

        return loss_function

    def _backward(self, old: Any) -> Any:
        @functools.wraps(old)
        def backward(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
            if self._in_backward:
                return old(tensor, *args, **kwargs)
            return self._around_backward(tensor, lambda t: old(t, *args, **kwargs))

        return backward

    def _autograd_backward(self, old: Any) -> Any:
        @functools.wraps(old)
        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if self._in_backward or not isinstance(tensors, Tensor):
                return old(tensors, *args, **kwargs)
            return self._around_backward(tensors, lambda t: old(t, *args, **kwargs))

        return backward

    def _around_backward(self, tensor: Tensor, call: Callable[[Tensor], Any]) -> Any:
        if self._changes and not self.world.rates and not self.world.leaves and tensor.grad_fn is not None:
            self.world.leaves = graph.read(graph.walk_from(tensor.grad_fn)).leaves
        with torch._C.DisableTorchFunction():
            for made in self._made:
                tensor = made.before_backward(tensor)
        self._in_backward = True
        try:
            result = call(tensor)
        finally:
            self._in_backward = False
        for made in self._made:
            made.after_backward()
        return result

    def _optimizer_init(self, old: Any) -> Any:
        @functools.wraps(old)
        def __init__(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            old(optimizer, *args, **kwargs)
            self.world.rates[optimizer] = [g.get("lr") for g in optimizer.param_groups]
            for made in self._made:
                made.optimizer_built(optimizer)

        return __init__

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if optimizer in self.world.rates:  # else one of ours, that stands in for the script's
            for made in self._made:
                made.before_step(optimizer)

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if optimizer in self.world.rates:
            for made in reversed(self._made):
                made.after_step(optimizer)

    def _loader_init(self, old: Any) -> Any:
        names = ("dataset", "batch_size", "shuffle", "sampler", "batch_sampler")

        @functools.wraps(old)
        def __init__(loader: Any, *args: Any, **kwargs: Any) -> None:
            # Beyond the fifth argument hardly anybody counts; such a call is left alone.
            if self._changes and len(args) <= len(names):
                kwargs = {**dict(zip(names, args, strict=False)), **kwargs}
                args = ()
                for made in self._made:
                    kwargs = made.loader_options(kwargs)
            old(loader, *args, **kwargs)

        return __init__


def _is_model(module: nn.Module) -> bool:
    """Whether a module called from outside any other is a network rather than a loss."""
    if isinstance(module, nn.modules.loss._Loss):
        return False
    return next(module.parameters(), None) is not None or next(module.children(), None) is not None

