"""Losses that a script looks at and throws away: `if not torch.isfinite(loss): continue`, `if math.isnan(loss.item())`."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nndoctor.probe.patches import Patches
from nndoctor.probe.where import user_place
from nndoctor.record.model import NonFinite, Place

if TYPE_CHECKING:
    from nndoctor.probe.session import Session

_QUESTIONS = ("isfinite", "isnan", "isinf")


class Guards:
    """Counts the values that a script asks after, and those of them that were no numbers. A loss alone counts: one number
    that carries gradient.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asked = self._bad = self._depth = 0
        self._first: int | None = None
        self._place: Place | None = None

    def install(self, patches: Patches) -> None:
        """Put under watch what a script can ask by."""
        for name in _QUESTIONS:
            patches.replace(torch, name, self._asking)
            patches.replace(Tensor, name, self._asking)
        for name in ("item", "__float__"):
            patches.replace(Tensor, name, self._reading)

    def _asking(self, old: Any) -> Any:
        @functools.wraps(old)
        def question(*args: Any, **kwargs: Any) -> Any:
            x = args[0] if args else kwargs.get("input")
            # Subclasses take functions over, and a traced or batched tensor has no number.
            if type(x) is Tensor and x.requires_grad and x.numel() == 1 and x.device.type == "cpu" and self._is_asked():
                with torch._C.DisableTorchFunction():
                    self._session.attempt(self._note, float(x.detach().sum()))
            with self._inside():
                return old(*args, **kwargs)

        return question

    def _reading(self, old: Any) -> Any:
        @functools.wraps(old)
        def item(tensor: Tensor) -> Any:
            with self._inside():
                value = old(tensor)
            if isinstance(value, float) and tensor.requires_grad and self._is_asked():
                self._session.attempt(self._note, value)
            return value

        return item

    def _is_asked(self) -> bool:
        session = self._session
        return not self._depth and not session.off and not session.in_backward and session.depth == 0 and torch.is_grad_enabled() and session.mine()

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """Torch's dispatch to a function mode comes back to the same name: the outermost call counts."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def _note(self, value: float) -> None:
        self._asked += 1
        if not math.isfinite(value):
            self._bad += 1
            if self._first is None:
                self._first, self._place = self._session.steps_made + 1, user_place()

    def finish(self) -> None:
        """Write what was found, if anything was."""
        if self._first is not None:
            self._session.emit(NonFinite(self._first, "loss", "the loss", self._bad / self._asked, self._bad, self._asked, self._place))
