"""Watches what the processes of one training must have in common: weights, gradients, and who gets which batch.

Each process writes its own numbers, and what is to be compared is compared afterwards (`record/ranks.py`): a collective of the
watch's own would hang where one process is a step ahead of another.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from nndoctor.probe import stats
from nndoctor.probe.launcher import number
from nndoctor.probe.where import user_place
from nndoctor.record.model import RankInfo, Replica, Shard

if TYPE_CHECKING:
    from nndoctor.probe.patches import Patches
    from nndoctor.probe.session import Session

_SLICE = 16_384  # elements of a parameter that are summed
_MOST = 400  # parameters
_MOST_BATCHES = 300


class ReplicaWatch:
    """Does nothing in a process that belongs to no group."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._emit = session.emit
        self._rank: int | None = None  # None: in no group, as far as is known
        self._gradients: dict[int, Tensor] = {}
        self._signs: dict[torch.device, Tensor] = {}

    # --- what is put in place -------------------------------------------------------------------------------------

    def install(self, patches: Patches) -> None:
        """Patch what makes several processes one training."""
        if not torch.distributed.is_available():
            return
        from torch.utils.data.distributed import DistributedSampler

        for module in (torch.distributed, torch.distributed.distributed_c10d):
            patches.replace(module, "init_process_group", self._init_process_group)
        patches.replace(DistributedDataParallel, "forward", functools.partial(self._noting, _of_forward))
        patches.replace(DistributedSampler, "__iter__", functools.partial(self._noting, lambda sampler: ("shuffled-shard",) if sampler.shuffle else ()))
        patches.replace(DistributedSampler, "set_epoch", functools.partial(self._noting, lambda _: ("set-epoch",)))

    def _init_process_group(self, old: Any) -> Any:
        @functools.wraps(old)
        def init_process_group(*args: Any, **kwargs: Any) -> None:
            old(*args, **kwargs)
            if not self._session.off:
                self._session.attempt(self._join)

        return init_process_group

    def _noting(self, whats: Callable[[Any], tuple[str, ...]], old: Any) -> Any:
        session = self._session

        @functools.wraps(old)
        def noted(owner: Any, *args: Any, **kwargs: Any) -> Any:
            for what in () if session.off else whats(owner):
                session.calls.mark(what, user_place())
            return old(owner, *args, **kwargs)

        return noted

    # --- who this is ----------------------------------------------------------------------------------------------

    def _join(self) -> None:
        """The process is in a group: by its own call, or by the place that a launcher gave it. Written once."""
        if self._rank is not None:
            return
        group = torch.distributed.is_available() and torch.distributed.is_initialized()
        if group:
            me, world, backend = torch.distributed.get_rank(), torch.distributed.get_world_size(), str(torch.distributed.get_backend())
        else:
            me, world, backend = number(os.environ, "RANK"), number(os.environ, "WORLD_SIZE"), ""
        if world > 1 and me >= 0:
            self._rank = me
            self._emit(RankInfo(me, world, backend, user_place() if group else None))

    # --- what it holds --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Before the first backward call: the weights that training begins with."""
        self._join()
        if self._rank is None:
            return
        for module, place in list(self._session.registry.built.items()):
            if isinstance(module, DistributedDataParallel):
                self._session.calls.mark("wrap", place)
        self.close(0)

    def keep_gradients(self, optimizer: torch.optim.Optimizer) -> None:
        """Right after a step that is looked at: the gradients that it used."""
        if self._rank is None:
            return
        state = self._session.registry.optimizer(optimizer)
        for index, ref in zip(state.indices, state.parameters, strict=True):
            p = ref()
            if 0 <= index < _MOST and p is not None and p.grad is not None and _is_whole(p) and _is_whole(p.grad):
                self._gradients[index] = self._number(p.grad)

    def close(self, step: int) -> None:
        """After a step that is looked at, and whatever the script did to the weights since: write down what they are."""
        if self._rank is None:
            return
        tensors = self._session.registry.tensors[:_MOST]
        weights = {i: self._number(p) for i, ref in enumerate(tensors) if (p := ref()) is not None and _is_whole(p)}
        gradients, self._gradients = self._gradients, {}
        count, rank = len(tensors), self._rank

        def use(values: list[float]) -> None:
            found = values[len(weights) :]
            self._emit(Replica(step, _spread(weights, values[: len(weights)], count), _spread(gradients, found, count) if found else [], rank))

        self._session.later.add([*weights.values(), *gradients.values()], use)

    def finish(self) -> None:
        """Write which batches came."""
        if self._rank is not None:
            for model, batches in self._session.overlap.batches(_MOST_BATCHES):
                self._emit(Shard(model, batches, self._rank))

    def _number(self, tensor: Tensor) -> Tensor:
        """One number of a tensor, 0-d, left on the device."""
        values = stats.plain(stats.slice_of(tensor, _SLICE).reshape(-1)).double()
        if values.device not in self._signs:
            order = torch.arange(_SLICE, device=values.device)
            mixed = (order + 1) * 0x9E3779B97F4A7C1
            mixed = (mixed ^ (mixed >> 29)) * 0x9E3779B97F4A7C1
            self._signs[values.device] = ((mixed >> 40) & 1).double() * 2 - 1
        signs: Tensor = self._signs[values.device]
        scale: float = (tensor.numel() / max(values.numel(), 1)) ** 0.5
        return torch.dot(values, signs[: values.numel()]) * scale


def _of_forward(wrapped: Any) -> tuple[str, ...]:
    if not torch.is_grad_enabled():
        return ()
    return ("wrapped-forward",) if getattr(wrapped, "require_backward_grad_sync", True) else ("wrapped-forward", "unsynced-forward")


def _is_whole(tensor: Tensor) -> bool:
    """Whether every process should hold the same numbers: no part of a tensor that is spread over the processes."""
    if stats.is_spread(tensor) or getattr(tensor, "_is_flat_param", False):
        return False
    return tensor.layout == torch.strided and not tensor.is_meta and tensor.numel() > 0


def _spread(known: dict[int, Tensor], values: list[float], count: int) -> list[float | None]:
    """Values at their parameters' indices."""
    out: list[float | None] = [None] * count
    for i, value in zip(known, values, strict=True):
        out[i] = value
    return out
