"""Tells one training of a script from the next.

The next one begins where an optimiser is built, after others have stepped, over parameters that none has held before: the networks of a
search over rates, a head after its encoder. Fine-tuning the same parameters by another optimiser is the same training going on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nndoctor.probe.identity import IdentityTable
from nndoctor.record.model import Place, Training


class Trainings:
    """Counts the trainings from 1. `wanted` is the one to watch, 0 where each is, and the last one judged."""

    def __init__(self, emit: Callable[[Any], None], wanted: int, stop: Callable[[str], None]) -> None:
        self._emit, self._wanted, self._stop = emit, wanted, stop
        self._held: IdentityTable[Tensor, None] = IdentityTable()
        self._stepped = False
        self.current = 1
        self.waiting = wanted > 1  # the one to watch is still to come

    def built(self, optimizer: torch.optim.Optimizer, steps: int, place: Place | None) -> bool:
        """An optimiser was built, `steps` steps after the watch began. Whether a training begins with it that is watched.

        Does not return where the one to watch is over.
        """
        parameters = [p for g in optimizer.param_groups for p in g["params"]]
        begins = self._stepped and not any(p in self._held for p in parameters)
        self.hold(optimizer)
        if not begins:
            return False
        if self.current == self._wanted:
            self._stop("next")
        self._stepped = False
        self.current += 1
        self.waiting = self.current < self._wanted
        self._emit(Training(self.current, steps, place))
        return not self.waiting

    def hold(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimiser has these parameters."""
        for group in optimizer.param_groups:
            for p in group["params"]:
                self._held[p] = None

    def stepped(self) -> None:
        """An optimiser is about to step."""
        self._stepped = True
