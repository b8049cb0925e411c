"""What a validation pass hands out of torch, for scores that torch does not see: arrays and lists of predictions and of targets."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from nndoctor.probe import stats

_MOST = 2000  # tensors of a pass
_MOST_NUMBERS = 1024  # of each that are kept


@dataclass
class _Item:
    kind: str  # "class" or "value" where the model made it, "" where it did not
    size: int
    numbers: Tensor


class Handed:
    """In the order in which they were handed out. Copies are kept, as the script may write into its own."""

    def __init__(self) -> None:
        self._items: list[_Item] = []

    def add(self, kind: str, tensor: Tensor) -> None:
        """A tensor became an array or a list."""
        if len(self._items) < _MOST:
            self._items.append(_Item(kind, tensor.numel(), stats.thinned(tensor.detach(), _MOST_NUMBERS).clone()))

    def pairs(self) -> list[tuple[str, Tensor, Tensor]]:
        """Kind, prediction and target of each batch; none where it is not plain which belong together.

        Targets follow on their predictions, or go before them. The first of those that go before may be missed: a pass begins with its
        first forward.
        """
        made = [i for i, item in enumerate(self._items) if item.kind]
        after = [self._target(at, made[k + 1 : k + 2], 1) for k, at in enumerate(made)]
        before = [self._target(at, made[max(k - 1, 0) : k], -1) for k, at in enumerate(made)]
        targets = after if None not in after else before if None not in before[1:] else []
        return [(self._items[at].kind, self._items[at].numbers, t) for at, t in zip(made, targets, strict=False) if t is not None]

    def _target(self, at: int, neighbour: list[int], step: int) -> Tensor | None:
        """What has the size of a prediction, between it and the next one, or the one before."""
        end = neighbour[0] if neighbour else (len(self._items) if step > 0 else -1)
        return next((self._items[i].numbers for i in range(at + step, end, step) if self._items[i].size == self._items[at].size), None)
