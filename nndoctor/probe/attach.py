"""Everything that is patched or hooked in torch, and taken off again.

The watch sits on five points: `Module.__call__`, the loss functions of `torch.nn.functional`, `Tensor.backward`, the
optimisers' global step hooks, and the constructors (for the user's lines). It passes every argument and result
through untouched, draws nothing random, and keeps copies of numbers only, never a tensor of the user's.
"""

from __future__ import annotations

import functools
import os
import platform
import resource
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import optimizer as optim_module

from nndoctor.probe.compiled import Uncompiled
from nndoctor.probe.depth import deeper
from nndoctor.probe.identity import IdentityTable
from nndoctor.probe.patches import Patches
from nndoctor.probe.session import Session
from nndoctor.probe.tasks import FUNCTIONS
from nndoctor.probe.values import is_transformed
from nndoctor.probe.warned import moved
from nndoctor.probe.where import calling_user_frame, place_of, set_start, user_frame, user_place
from nndoctor.record.model import FORMAT, ChangeMade, End, Header, LoaderInfo, Place, SchedulerInfo
from nndoctor.version import __version__

if TYPE_CHECKING:
    from nndoctor.probe.changes.points import Points
    from nndoctor.probe.workers import Workers

# In evaluation mode these take a fused path, unless a torch-function mode is on the stack.
_FAST_PATHS = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
_WATCHES: weakref.WeakSet[Watch] = weakref.WeakSet()  # those that are installed


def watches() -> list[Watch]:
    """Those that watch this process just now."""
    return list(_WATCHES)


def _close_eyes() -> None:
    for watch in watches():
        watch.close_eyes()


# A forked worker has nothing to watch; its patches stay, and do nothing. Once and for all: what is registered here stays.
os.register_at_fork(after_in_child=_close_eyes)


class Watch:
    """Watches one process. `emit` takes records; `stop` is called when enough has been seen: it ends the process or raises Enough.

    What becomes of torch.compile meanwhile is the `compiler`'s affair.
    """

    def __init__(
        self, emit: Callable[[Any], None], steps: int, seconds: float, grace: float, wait: float, stop: Callable[[str], None],
        directory: str = "", run: int = 0, compiler: Uncompiled | None = None,
    ) -> None:  # fmt: skip
        self._patches = Patches()
        self._emit = emit
        self._points: Points | None = None
        set_start(directory)
        self._steps, self._seconds, self._run = steps, seconds, run
        self.session = Session(emit, steps, seconds, grace, wait, stop, run)
        self._compiler = compiler or Uncompiled()
        self._loaders: IdentityTable[Any, None] = IdentityTable()
        self._described = 0  # loaders
        self._schedulers = 0
        self._finished = threading.Lock()
        self.trains_unseen: Callable[[], None] | None = None  # called once in a forked process that trains

    # --- beginning and end ------------------------------------------------------------------------------------

    def install(self) -> None:
        """Patch torch. Call once, when it has been imported completely."""
        self._emit(
            Header(
                FORMAT, __version__, sys.argv[0] if sys.argv else "", list(sys.argv[1:]), platform.python_version(),
                str(torch.__version__), "cpu", torch.get_num_threads(), self._steps, self._seconds, self._run,
            )
        )  # fmt: skip
        _WATCHES.add(self)
        replace = self._patches.replace
        replace(nn.Module, "__call__", self._module_call)
        replace(nn.Module, "__init__", self._module_init)
        replace(nn.Module, "zero_grad", functools.partial(self._noting, "zero_grad"))
        replace(nn.Module, "eval", functools.partial(self._noting, "eval"))
        replace(Tensor, "backward", self._backward)
        replace(torch.autograd, "backward", self._autograd_backward)
        replace(optim_module.Optimizer, "__init__", self._optimizer_init)
        replace(optim_module.Optimizer, "zero_grad", functools.partial(self._noting, "zero_grad"))
        self._patches.hook(optim_module.register_optimizer_step_pre_hook(self._before_step))
        self._patches.hook(optim_module.register_optimizer_step_post_hook(self._after_step))
        replace(torch.optim.lr_scheduler.LRScheduler, "__init__", self._scheduler_init)
        for name in FUNCTIONS:
            replace(F, name, functools.partial(self._loss_function, name))
        for module in (nn.utils, nn.utils.clip_grad):
            for name in ("clip_grad_norm_", "clip_grad_value_"):
                replace(module, name, self._clip)
        self.session.guards.install(self._patches)
        replace(warnings, "_showwarnmsg", functools.partial(moved, Session.attempt.__code__))
        self.session.replicas.install(self._patches)
        self.session.values.install(self._patches)
        self._compiler.install(self._patches, self.session.calls.note)
        replace(torch.jit, "script", self._script)
        replace(torch.utils.data.DataLoader, "__init__", self._loader_init)
        replace(torch.utils.data.DataLoader, "__iter__", self._loader_iter)

    def note_fork(self) -> None:
        """The script has forked a process, which is not watched."""
        if not self.session.off:
            self.session.calls.mark("fork")

    def close_eyes(self) -> None:
        """In a forked worker: see nothing from here on."""
        self.session.off = True

    def watch_workers(self, workers: Workers) -> None:
        """Let the processes that this one starts be watched, too. Call after `install`."""
        workers.install(self._patches)

    def open_eyes(self) -> None:
        """In a forked trial: go on."""
        self.session.off = False

    def allow_changes(self, at_first_forward: Callable[[], None] | None = None) -> None:
        """Let changes of the run take hold, over the watch, which sees the changed run. Call after `install`."""
        from nndoctor.probe.changes.points import Points

        self._points = Points(self._patches)
        self._points.at_first_forward = at_first_forward
        self._points.install()

    def begin(self, changes: Sequence[str], threads: int) -> None:
        """Put changes in force, in this thread. Trials that run side by side divide the cores among them."""
        from nndoctor.probe.changes.names import parse

        assert self._points is not None
        if threads:
            torch.set_num_threads(threads)
        self._points.begin([parse(c) for c in changes])
        self.session.functions.below = self._points.modes

    def remove(self) -> None:
        """Take everything off again."""
        self.session.off = True
        self.session.functions.stop()
        self._patches.remove()
        self._compiler.end()
        _WATCHES.discard(self)

    def finish(self) -> None:
        """Write what is summed up at the end. Never raises; a second call does nothing."""
        if self._finished.acquire(blocking=False):
            self.session.finish()
            for change, applied in self._points.outcomes() if self._points is not None else ():
                self._emit(ChangeMade(change, applied))

    def overdue(self) -> str | None:
        """The limit that should have ended the run by now, if one should have."""
        return self.session.limits.overdue()

    def end(self, reason: str, **fields: Any) -> End:
        """The last record, with the counters filled in."""
        s = self.session
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return End(
            reason, s.steps_made, s.backwards, s.forwards, s.limits.elapsed, fields.pop("total_seconds", 0.0),
            peak_memory=peak, events=list(s.calls.events), weights_moved=s.weights.moved, moved_by_hand=bool(s.weights.moved) and s.steps == 0,
            frozen=s.weights.frozen, ran=sorted(s.modules.ran)[:2000], **fields,
        )  # fmt: skip

    # --- what is put in place ---------------------------------------------------------------------------------

    def _module_call(self, old: Any) -> Any:
        session = self.session

        @functools.wraps(old)
        def __call__(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if session.functions.on and not module.training and isinstance(module, _FAST_PATHS) and session.mine():
                with session.functions.paused():
                    return __call__(module, *args, **kwargs)
            # One frame for each module within a module, and no more: the script's recursion is bounded.
            if session.off or session.depth and not session.looking or not session.mine():
                return old(module, *args, **kwargs)
            if session.depth:
                session.modules.enter(module, args)
                try:
                    output = old(module, *args, **kwargs)
                finally:
                    name = session.modules.leave()
                session.modules.left(module, name, args, output)
                return output
            return session.modules.root_call(old, module, args, kwargs)

        return __call__

    def _module_init(self, old: Any) -> Any:
        built = self.session.registry.built

        @functools.wraps(old)
        def __init__(module: nn.Module, *args: Any, **kwargs: Any) -> None:
            old(module, *args, **kwargs)
            _note_construction(built, module)

        return __init__

    def _optimizer_init(self, old: Any) -> Any:
        session = self.session
        built = session.registry.built

        @functools.wraps(old)
        def __init__(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            old(optimizer, *args, **kwargs)
            _note_construction(built, optimizer)
            session.registry.has_optimizer = True
            if not session.off and session.attempt(session.trainings.built, optimizer, session.steps_made, built.get(optimizer)):
                session.attempt(session.begin_training)

        return __init__

    def _noting(self, what: str, old: Any) -> Any:
        session = self.session

        @functools.wraps(old)
        def noted(owner: Any, *args: Any, **kwargs: Any) -> Any:
            if not session.off and session.mine():
                session.calls.note(what)
            return old(owner, *args, **kwargs)

        return noted

    def _backward(self, old: Any) -> Any:
        session = self.session

        @functools.wraps(old)
        def backward(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
            if session.off or session.in_backward or not session.mine() or session.has_no_numbers(tensor):
                return old(tensor, *args, **kwargs)
            with session.backward.around(tensor):
                return old(tensor, *args, **kwargs)

        return backward

    def _autograd_backward(self, old: Any) -> Any:
        session = self.session

        @functools.wraps(old)
        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            first = tensors if isinstance(tensors, Tensor) else next(iter(tensors), None) if isinstance(tensors, (list, tuple)) else None
            if session.off or session.in_backward or first is None or not session.mine() or session.has_no_numbers(first):
                return old(tensors, *args, **kwargs)
            with session.backward.around(first):
                return old(tensors, *args, **kwargs)

        return backward

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if self.trains_unseen is not None:
            tell, self.trains_unseen = self.trains_unseen, None
            tell()
        if self.session.off:
            return
        self.session.trainings.stepped()
        if self.session.mine() and not _is_on_meta(optimizer):
            self.session.attempt(self.session.stepping.before, optimizer)

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if not self.session.off and self.session.mine() and not _is_on_meta(optimizer):
            self.session.attempt(self.session.stepping.after, optimizer)

    def _scheduler_init(self, old: Any) -> Any:
        @functools.wraps(old)
        def __init__(scheduler: Any, *args: Any, **kwargs: Any) -> None:
            old(scheduler, *args, **kwargs)
            if self._schedulers < 20 and not self.session.off:
                self._emit(SchedulerInfo(self._schedulers, type(scheduler).__name__, user_place()))
                self._schedulers += 1

        return __init__

    def _loss_function(self, name: str, old: Any) -> Any:
        session = self.session

        @functools.wraps(old)
        def loss_function(*args: Any, **kwargs: Any) -> Any:
            # Torch's dispatch to a function mode comes back to this very name: count the outermost call only.
            transformed = is_transformed()
            if session.off or session.in_loss or not (transformed or session.mine()):
                return old(*args, **kwargs)
            session.in_loss = True
            try:
                value = old(*args, **kwargs)
            finally:
                session.in_loss = False
            with deeper():
                (session.values if transformed else session.objective).loss_called(name, args, kwargs, value)
            return value

        return loss_function

    def _clip(self, old: Any) -> Any:
        session = self.session

        @functools.wraps(old)
        def clip(*args: Any, **kwargs: Any) -> Any:
            watched = not session.off and session.mine()
            if watched and old.__name__ == "clip_grad_value_":  # which does not say what it found
                session.attempt(session.gradients.about_to_clip, args[0] if args else kwargs.get("parameters"))
            total = old(*args, **kwargs)
            if watched:
                session.calls.note("clip")
                limit = args[1] if len(args) > 1 else kwargs.get("max_norm", kwargs.get("clip_value"))
                session.attempt(session.gradients.clipped, limit, total)
            return total

        return clip

    def _script(self, old: Any) -> Any:
        """TorchScript reads the source of every function that it meets, and cannot read a wrapper's."""

        @functools.wraps(old)
        def script(*args: Any, **kwargs: Any) -> Any:
            with self._patches.suspended(F):
                return old(*args, **kwargs)

        return script

    def _loader_init(self, old: Any) -> Any:
        @functools.wraps(old)
        def __init__(loader: Any, *args: Any, **kwargs: Any) -> None:
            old(loader, *args, **kwargs)
            if not self.session.off:
                self._meet(loader)

        return __init__

    def _loader_iter(self, old: Any) -> Any:
        noted = self._noting("loader-iter", old)

        @functools.wraps(old)
        def __iter__(loader: Any) -> Any:
            if not self.session.off and loader not in self._loaders:  # built before the watch began
                self._meet(loader)
            return noted(loader)

        return __iter__

    def _meet(self, loader: Any) -> None:
        """Describe a loader at first sight."""
        self._loaders[loader] = None
        if self._described < 50:
            self._emit(_describe_loader(self._described, loader))
            self._described += 1


@contextmanager
def attached(watch: Watch) -> Iterator[Watch]:
    """Patch torch for a while, and leave it as it was."""
    watch.install()
    try:
        yield watch
    finally:
        watch.remove()


def _is_on_meta(optimizer: torch.optim.Optimizer) -> bool:
    """Whether what it steps has shapes and no numbers."""
    return any(p.is_meta for g in optimizer.param_groups[:1] for p in g["params"][:1])


def _note_construction(built: IdentityTable[Any, Place | None], thing: Any) -> None:
    """Remember the line that constructs a module or an optimiser, seen from outside its own `__init__`."""
    frame = user_frame(3)
    while frame is not None and frame.f_code.co_name == "__init__" and frame.f_locals.get("self") is thing:
        frame = calling_user_frame(frame)
    try:
        built[thing] = place_of(frame)
    except TypeError:  # a class that allows no weak references
        return


def _describe_loader(index: int, loader: Any) -> LoaderInfo:
    sampler = type(loader.sampler).__name__
    if loader.batch_size is None and loader.batch_sampler is not None:
        sampler = type(loader.batch_sampler).__name__
    try:
        length: int | None = len(loader.dataset)
    except Exception:  # the user's own __len__, or none
        length = None
    shuffled = {"RandomSampler": True, "SequentialSampler": False}.get(sampler)
    return LoaderInfo(index, loader.batch_size, shuffled, sampler, length, int(loader.num_workers), bool(loader.drop_last), user_place())
