"""Watches what layers and activation functions put out, in the sampled training forwards."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nndoctor.probe import graph, stats
from nndoctor.record.model import Activation, Place, Site

LAYERS = frozenset({
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "embedding", "embedding_bag",
    "matmul", "mm", "bmm", "addmm", "einsum", "bilinear", "__matmul__", "lstm", "gru", "rnn_tanh", "rnn_relu",
    "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell", "scaled_dot_product_attention", "batch_norm", "layer_norm", "group_norm", "instance_norm",
})  # fmt: skip
_RECTIFIERS = frozenset({"relu", "relu_", "relu6", "threshold", "threshold_"})
# Name of the function -> (lower asymptote, upper asymptote); an output this close to one passes no gradient on.
_ASYMPTOTES: dict[str, tuple[float, float]] = {
    "sigmoid": (0.0, 1.0), "sigmoid_": (0.0, 1.0), "tanh": (-1.0, 1.0), "tanh_": (-1.0, 1.0), "softsign": (-1.0, 1.0),
    "hardtanh": (-1.0, 1.0), "hardsigmoid": (0.0, 1.0),
}  # fmt: skip
# Within 3 % of the range: Karpathy's |tanh| > 0.97; a sigmoid's slope there is below a tenth of its best.
_NEAR = 0.015
BENDS = frozenset({
    *_RECTIFIERS, *_ASYMPTOTES, "softmax", "log_softmax", "gelu", "silu", "silu_", "elu", "elu_", "leaky_relu", "leaky_relu_", "selu",
    "selu_", "celu", "mish", "softplus", "hardswish", "prelu", "rrelu", "logsigmoid", "softmin", "glu", "sin", "cos", "exp", "square",
})  # fmt: skip
_MOST_SITES = 160
_MOST_PER_LINE = 24
_MOST_UNITS = 4096
_ROWS = 64


@dataclass
class _Seen:
    site: Site
    alive_start: Tensor | None = None
    alive_recent: deque[Tensor] = field(default_factory=lambda: deque(maxlen=5))


class ActivationWatch:
    """Statistics by site; a site is a leaf module's n-th call in a forward, or a line's n-th call of a function."""

    def __init__(self, emit: Callable[[Any], None], later: stats.Later) -> None:
        self._emit = emit
        self._later = later
        self._seen: dict[str, _Seen] = {}
        self._calls: dict[str, int] = {}
        self._convolution = False
        self.output_sites: set[str] = set()
        self.gates: set[str] = set()

    def begin(self) -> None:
        """A new forward begins: the n-th calls are counted from one again."""
        self._calls.clear()
        self._convolution = False

    def forget(self) -> None:
        """Another network is trained from here on, and its layers may bear the same names."""
        self._seen.clear()
        self.output_sites, self.gates = set(), set()

    def watches(self, name: str) -> bool:
        """Whether calls of this function are of interest."""
        return name in LAYERS or name in BENDS

    def saw(self, step: int, name: str, output: Tensor, module: str, place: Place | None) -> str:
        """One call in a sampled training forward. Returns the site's name."""
        if name in LAYERS:
            self._convolution = name.startswith("conv")
        base = module or (f"{name}@{os.path.basename(place.file)}:{place.line}" if place is not None else name)
        count = self._calls[base] = self._calls.get(base, 0) + 1
        site = base if count == 1 else f"{base}#{count}"
        seen = self._seen.get(site)
        if seen is None:
            if len(self._seen) >= _MOST_SITES or count > _MOST_PER_LINE:
                return site
            function = name.rstrip("_") if not name.startswith("__") else "matmul"
            units = int(output.shape[self._unit_axis(output)]) if output.dim() > 1 else 1
            seen = _Seen(Site(site, function, len(self._seen), units, None, None, 0, place=place, module=module))
            self._seen[site] = seen
            if name == "softmax" and output.grad_fn is not None and (axis := graph.axis_of(output.grad_fn)) is not None and output.dim() > 1:
                seen.site.axis, seen.site.length = axis, int(output.shape[axis])
                seen.site.square = list(output.shape).count(seen.site.length) > 1
        if name == "batch_norm" and output.dim() > 1:
            values = output.numel() // max(output.shape[1], 1)
            seen.site.values = min(values, seen.site.values or values)
        self._measure(step, name, output, seen)
        return site

    def _unit_axis(self, output: Tensor) -> int:
        """Channels of a convolution are on axis 1, features of anything else on the last."""
        return 1 if self._convolution and output.dim() >= 3 else output.dim() - 1

    def _measure(self, step: int, name: str, output: Tensor, seen: _Seen) -> None:
        seen.site.samples += 1
        if output.dim() == 0 or output.numel() == 0:
            return
        rows = stats.plain(output[:_ROWS])
        flat = rows.reshape(rows.shape[0], -1)
        if flat.numel() > stats.MOST_ELEMENTS:
            flat = flat[:, :: -(-flat.numel() // stats.MOST_ELEMENTS)]
        if name in _RECTIFIERS:
            self._count_alive(rows, seen)
        deviation, mean = torch.std_mean(flat, correction=0)
        low, high = torch.aminmax(flat)
        spread = (flat - flat.mean(0)).square().mean() if len(flat) > 1 else mean * 0
        wanted = [mean, deviation, low, high, spread, torch.count_nonzero(flat)]
        size = flat.numel()
        ends = _ASYMPTOTES.get(name)
        if ends is not None:
            margin = _NEAR * (ends[1] - ends[0])
            wanted.append(((flat < ends[0] + margin) | (flat > ends[1] - margin)).float().mean())
        site, function = seen.site.name, seen.site.function

        def use(v: list[float]) -> None:
            saturated = v[6] if len(v) > 6 else None
            bad = 0.0 if math.isfinite(v[0]) else 1.0
            self._emit(Activation(step, site, function, v[0], v[1], max(abs(v[2]), abs(v[3])), 1.0 - v[5] / size, saturated, math.sqrt(max(v[4], 0.0)) if v[4] == v[4] else v[4], bad))

        self._later.add(wanted, use)

    def _count_alive(self, rows: Tensor, seen: _Seen) -> None:
        rows = rows.unsqueeze(1) if rows.dim() == 1 else rows  # one unit
        axis = self._unit_axis(rows)
        others = [d for d in range(rows.dim()) if d != axis]
        alive = (rows > 0).any(dim=others[0]) if len(others) == 1 else (rows > 0).movedim(axis, 0).flatten(1).any(dim=1)
        alive = alive[:_MOST_UNITS]
        if seen.site.samples <= 3:
            start = seen.alive_start
            seen.alive_start = alive if start is None or start.shape != alive.shape else start | alive
        if seen.alive_recent and seen.alive_recent[-1].shape != alive.shape:
            seen.alive_recent.clear()
        seen.alive_recent.append(alive)

    def finish(self) -> None:
        """Write the summary of every site. Waits for the device."""
        for seen in self._seen.values():
            site = seen.site
            site.hidden = site.name not in self.output_sites
            site.gate = site.name in self.gates
            if seen.alive_start is not None:
                site.dead_start = 1.0 - stats.number(seen.alive_start.float().mean())
            if seen.alive_recent:
                recent = torch.stack(list(seen.alive_recent)).any(dim=0)
                site.dead_end = 1.0 - stats.number(recent.float().mean())
            self._emit(site)
