"""Loss functions being called: is it the loss that is trained on, or that of a validation pass?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nndoctor.probe import stats
from nndoctor.probe.depth import deeper
from nndoctor.probe.tasks import BINARY_LOSSES, CLASS_LOSSES, REAL_LOSSES, SYMMETRIC
from nndoctor.probe.where import user_place
from nndoctor.record.model import Place

if TYPE_CHECKING:
    from nndoctor.probe.session import Session


class Objective:
    """Hands each call of a loss function to those who measure it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._turned: dict[str, bool] = {}  # whether a loss function was last given its target first

    def loss_called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any, place: Place | None = None) -> None:
        """One of torch's loss functions was called: just now, or at `place`."""
        s = self._session
        prediction = args[0] if args else kwargs.get("input")
        target = args[1] if len(args) > 1 else kwargs.get("target")
        if not (isinstance(prediction, Tensor) and isinstance(target, Tensor) and isinstance(value, Tensor)):
            return
        if not all(stats.is_readable(t) for t in (prediction, target, value)):
            return
        if name in SYMMETRIC and prediction.requires_grad != target.requires_grad:
            self._turned[name] = target.requires_grad
        if self._turned.get(name):
            prediction, target = target, prediction  # the same number either way round; without gradients as it was with them
        rows = stats.batch_size(prediction) or 1
        if not torch.is_grad_enabled() or (not value.requires_grad and s.evaluation.open):
            s.attempt(self._evaluation_loss, name, prediction, target, value, rows)
        elif value.requires_grad or s.pending.calls:  # else a baseline computed before or between: nothing that is trained
            s.attempt(self._train_loss, name, prediction, target, value, kwargs, rows, place)

    def past_its_wrapper(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> None:
        """A loss function was called in a step that is looked at, perhaps by a name that is older than the watch."""
        s = self._session
        if not s.off and not s.in_loss and s.mine():
            with deeper():
                self.loss_called(name, args, kwargs, value)

    def _evaluation_loss(self, name: str, prediction: Tensor, target: Tensor, value: Tensor, rows: int) -> None:
        s = self._session
        s.evaluation.loss(name, value, rows)
        if name in CLASS_LOSSES:
            s.evaluation.classified(prediction, target)
        elif name in REAL_LOSSES:
            s.evaluation.scored(prediction, target)

    def _train_loss(self, name: str, prediction: Tensor, target: Tensor, value: Tensor, kwargs: dict[str, Any], rows: int, place: Place | None) -> None:
        s = self._session
        s.calls.note("loss")
        if s.pending.calls and not s.pending.calls[-1].training and len(s.pending.calls[-1].losses) < 64:
            s.pending.calls[-1].losses.append((name, value.detach().mean().clone(), rows))
        known = name in CLASS_LOSSES or name in BINARY_LOSSES or name in REAL_LOSSES or name == "kl_div"
        if place is None:
            place = user_place() if s.looking or s.steps < 3 else s.terms.last_place(name)
        source = s.operations.source(target)
        if name in CLASS_LOSSES and isinstance(ignored := kwargs.get("ignore_index"), int):
            s.evaluation.ignored = ignored
        look = (s.looking or s.steps < 20 or s.pending.is_tiny) and known
        info = s.losses.called(name, place, prediction, target, value, kwargs, s.now, look, s.pending.seen, source)
        s.pending.fed = 0
        if info is not None and value.requires_grad:
            s.terms.note(info, prediction)
