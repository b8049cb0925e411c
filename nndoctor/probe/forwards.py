"""The calls of models with gradients on since the last step, and the first input among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

_TINY = 4  # rows of a batch


@dataclass
class Forward:
    """A call of a model with gradients on, not yet followed by a backward call."""

    model: int  # index; -1 where the network is no module
    training: bool
    rows: int | None
    losses: list[tuple[str, Tensor, int]]  # function, value and rows of what was computed from it in evaluation mode


class Forwards:
    """What the step in the making was fed with."""

    def __init__(self) -> None:
        self.calls: list[Forward] = []
        self.rows: np.ndarray[Any, Any] | None = None  # first rows of the input, as columns ...
        self.raw: np.ndarray[Any, Any] | None = None  # ... and in their own shape
        self.input_sum: Tensor | None = None
        self.fed = 0  # inputs that were handed in since the last loss

    def clear(self) -> None:
        """A new step begins."""
        self.calls, self.rows, self.raw, self.input_sum, self.fed = [], None, None, None, 0

    @property
    def batch(self) -> int | None:
        """Rows of the latest call."""
        return self.calls[-1].rows if self.calls else None

    @property
    def seen(self) -> tuple[np.ndarray[Any, Any] | None, int | None, np.ndarray[Any, Any] | None]:
        """The input as those take it who compare predictions with it; no rows where a prediction is made of several inputs."""
        return (None, self.batch, None) if self.fed > 1 else (self.rows, self.batch, self.raw)

    @property
    def is_tiny(self) -> bool:
        """Whether the latest batch is so small that the steps that are looked at hold too few rows to say anything of the data."""
        return is_tiny(self.batch)

    def take_out_evaluating(self) -> list[Forward]:
        """The calls in evaluation mode, which are no part of the step any more."""
        out = [f for f in self.calls if not f.training]
        self.calls = [f for f in self.calls if f.training]
        return out


def is_tiny(rows: int | None) -> bool:
    """Whether a batch has hardly any rows."""
    return rows is not None and rows <= _TINY
