"""Watches how far back through time a recurrence learns, in some of the steps that are looked at.

A cell of the user's own is a layer that is called again and again in a forward: the gradient at its outputs is read off
the backward call. Torch's recurrent layers run through all of time in one call; what of the outputs' gradient comes to the
inputs of each time step is computed once more, on a copy of a few rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nndoctor.probe import stats
from nndoctor.record.model import Place, Recurrence

_LOOKS = 6  # in which a recurrence is followed
_ROWS = 16
_LONGEST = 2000  # steps of time, and calls of a cell, that are followed
_KNOWN = (nn.RNN.forward, nn.LSTM.forward, nn.GRU.forward)
_SHORTEST = 8  # below which hardly anything can fade


class RecurrenceWatch:
    """Follows the recurrences of one step at a time."""

    def __init__(self, emit: Callable[[Any], None], later: stats.Later, attempt: Callable[..., Any]) -> None:
        self._emit = emit
        self._later = later
        self._attempt = attempt
        self._looks = 0
        self._cells: dict[str, tuple[nn.Module, Place | None, list[Tensor | None]]] = {}
        self._layers: list[tuple[nn.RNNBase, str, Place | None, Tensor, dict[int, Tensor]]] = []

    def begin(self) -> None:
        """A step begins that is looked at."""
        self._cells.clear()
        self._layers.clear()

    def left(self, module: nn.Module, name: str, args: tuple[Any, ...], output: Any, place: Place | None) -> None:
        """A module inside a model has returned, in a training forward of a step that is looked at."""
        if self._looks >= _LOOKS:
            return
        if isinstance(module, nn.RNNBase):
            self._follow_layer(module, name, args, output, place)
        elif module._parameters:
            states = [t for t in (output if isinstance(output, tuple) else (output,)) if isinstance(t, Tensor) and t.requires_grad]
            if states:
                self._follow_cell(module, name, states, place)

    def _follow_cell(self, module: nn.Module, name: str, states: list[Tensor], place: Place | None) -> None:
        """One more call of a layer, and the one or two states that it made: their gradients arrive in the backward call."""
        norms = self._cells.setdefault(name, (module, place, []))[2]
        if len(norms) >= _LONGEST:
            return
        index = len(norms)
        norms.append(None)

        def arrived(gradient: Tensor) -> None:
            self._attempt(keep, gradient)

        def keep(gradient: Tensor) -> None:
            norm, other = torch.linalg.vector_norm(stats.plain(gradient).float()), norms[index]
            norms[index] = norm if other is None else torch.hypot(norm, other)

        for state in states:
            state.register_hook(arrived)

    def _follow_layer(self, module: nn.RNNBase, name: str, args: tuple[Any, ...], output: Any, place: Place | None) -> None:
        x = args[0] if args else None
        if type(module).forward not in _KNOWN:
            return
        if not isinstance(x, Tensor) or x.dim() != 3 or not x.is_floating_point() or module.proj_size or len(args) > 1 and args[1] is not None:
            return
        length = x.shape[1 if module.batch_first else 0]
        if not _SHORTEST <= length <= _LONGEST:
            return
        rows = x.detach()[:_ROWS] if module.batch_first else x.detach()[:, :_ROWS]
        arrived: dict[int, Tensor] = {}
        for i, t in enumerate(_outputs(output)):
            if isinstance(t, Tensor) and t.requires_grad:
                t.register_hook(_Keeper(arrived, i))
        self._layers.append((module, name, place, rows.clone(), arrived))

    def after_backward(self, step: int) -> None:
        """The backward call of the step has ended."""
        for name, (module, place, norms) in self._cells.items():
            known = [n for n in norms if n is not None]
            if len(known) == len(norms) >= _SHORTEST:
                self._note(step, name, type(module).__name__, place, known)
        for module, name, place, rows, arrived in self._layers:
            if arrived:
                self._note(step, name, type(module).__name__, place, _through_time(module, rows, arrived))
        self._looks += bool(self._layers or any(len(norms) >= _SHORTEST for _, _, norms in self._cells.values()))
        self.begin()

    def _note(self, step: int, name: str, kind: str, place: Place | None, norms: list[Tensor]) -> None:
        """Gradient norms over time, first to last."""

        def use(values: list[float]) -> None:
            quarter = max(2, len(values) // 4)
            first, most = max(values[:quarter]), max(values)
            self._emit(Recurrence(step, name, kind, len(values), first / most if most > 0 else 1.0, place))

        self._later.add(norms, use)


class _Keeper:
    """A tensor's hook that keeps the gradient of the first rows. It holds nothing of the graph."""

    def __init__(self, arrived: dict[int, Tensor], index: int) -> None:
        self._arrived, self._index = arrived, index

    def __call__(self, gradient: Tensor) -> None:
        self._arrived[self._index] = gradient.detach()


def _outputs(output: Any) -> list[Any]:
    """Of a recurrent layer: its outputs over time, and its last state or states."""
    over_time, state = output
    return [over_time, *(state if isinstance(state, tuple) else (state,))]


def _through_time(module: nn.RNNBase, rows: Tensor, arrived: dict[int, Tensor]) -> list[Tensor]:
    """Norms, step of time by step of time, of the gradient with regard to the layer's inputs.

    Without the user's hooks and random numbers: what dropout between the layers leaves out may differ from the forward's.
    """
    devices = [rows.device] if rows.device.type == "cuda" else []
    x = rows.requires_grad_()
    with torch.random.fork_rng(devices=devices), torch.enable_grad(), torch.autocast(rows.device.type, enabled=False), torch.backends.cudnn.flags(enabled=False):
        outputs = _outputs(type(module).forward(module, x))
        pairs = []
        for i, g in arrived.items():
            few = g[:_ROWS] if i == 0 and module.batch_first else g[:, :_ROWS]
            pairs.append((outputs[i], few.to(outputs[i].dtype)))
        (gradient,) = torch.autograd.grad([o for o, _ in pairs], [x], [g for _, g in pairs])
    over_time = gradient if module.batch_first else gradient.transpose(0, 1)
    return list(torch.linalg.vector_norm(over_time.float(), dim=(0, 2)))
