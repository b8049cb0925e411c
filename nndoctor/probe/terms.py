"""Puts the loss together with its graph: which loss functions feed a backward call, and losses written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch import Tensor

from nndoctor.probe import graph, stats, straits
from nndoctor.probe.loss import LossWatch
from nndoctor.probe.registry import Registry
from nndoctor.probe.targets import Rows
from nndoctor.record.model import Graph, LossInfo, ParameterInfo, Place, Strait, Stretch

_FORMS = (
    (("Pow",), "squared-error"), (("Abs",), "absolute-error"), (("LinalgVectorNorm", "Norm"), "norm"), (("Mul",), "squared-error"),
)  # fmt: skip
_LOSS_NODES = frozenset({
    "NllLoss", "NllLoss2D", "NllLossNd", "MseLoss", "SmoothL1Loss", "HuberLoss", "L1Loss", "BinaryCrossEntropy",
    "BinaryCrossEntropyWithLogits", "KlDiv", "MultiMarginLoss", "MultilabelMarginLoss", "SoftMarginLoss", "CtcLoss",
})  # fmt: skip
# What a loss function leaves in the graph of a loss that it is a part of.
_NODES_OF = {
    "cross_entropy": ("NllLoss", "NllLoss2D", "NllLossNd"), "nll_loss": ("NllLoss", "NllLoss2D", "NllLossNd"), "mse_loss": ("MseLoss",),
    "smooth_l1_loss": ("SmoothL1Loss",), "huber_loss": ("HuberLoss",), "binary_cross_entropy": ("BinaryCrossEntropy",),
    "binary_cross_entropy_with_logits": ("BinaryCrossEntropyWithLogits",),
}  # fmt: skip
# Operations of layers that know neighbours or order: convolutions are asked for their kernel. Products of two batches are attention,
# which knows as much of order as it is told.
_KNOW_PLACE = ("Rnn", "RNN", "Lstm", "LSTM", "Gru", "GRU", "Unfold", "Im2Col", "Roll", "Fft", "Cumsum")
_ATTEND = ("ScaledDotProduct", "Bmm", "Baddbmm")
_PRODUCTS = ("Addmm", "Mm", "Addmv", "Convolution", "MkldnnConvolution", "CudnnConvolution")
# A difference below one of these is no error of a prediction: one component of a mixture, a distance in a kernel.
_BLENDING = frozenset({"Logsumexp", "LogSoftmax", "Softmax", "Exp"})
_MEANS = ("Mean", "Sum")
_TAMING = ("Log", "Log1P", "Sqrt")
# Reading costs some microseconds a node: a graph of this size stays below ten milliseconds.
_CHEAP = 1500


class LossTerms:
    """Reads the graph at the first backward calls."""

    def __init__(self, emit: Callable[[Any], None], registry: Registry, losses: LossWatch) -> None:
        self._emit = emit
        self._registry = registry
        self._losses = losses
        self._noted: list[LossInfo] = []
        self.cheap = False  # the last graph was small enough to be read at every look
        self.root: Place | None = None  # the line that makes the loss, where that is known
        self._places: dict[str, Place | None] = {}
        self._knows_place = False

    def note(self, info: LossInfo, prediction: Tensor) -> None:
        """A loss function was called in this step."""
        self._places[info.function] = info.place
        if info not in self._noted:
            self._noted.append(info)

    def last_place(self, function: str) -> Place | None:
        """Where this loss function was last called: stands in for the place in steps that are not looked at."""
        return self._places.get(function)

    def read(self, loss: Tensor, step: int, place: Place | None, looking: bool, x: Rows) -> tuple[set[str], set[str]]:
        """Walk the graph of one backward call and write what it says. Returns the sites that form the output, and those of gates."""
        root = loss.grad_fn
        if root is None:
            self._noted = []
            self._emit(Graph(step, place, {}, [], [], 0, 0, 0, []))
            return set(), set()
        walk = graph.walk_from(root)
        reading = graph.read(walk)
        self.cheap = sum(reading.ops.values()) < _CHEAP
        reached = [i for t in reading.leaves if not self._registry.is_input(t) and (i := self._registry.parameter(t)) is not None]
        self._knows_place = self._knows_place or _knows_place(reading, [self._registry.infos[i] for i in set(reached)])
        self._losses.blind_to_place = not self._knows_place
        noted, self._noted = [n for n in self._noted if reading.truncated or _is_in(n, reading)], []
        if not noted and looking:
            by_hand = self._by_hand(root, reading, step, place, x)
            noted = [by_hand] if by_hand is not None else []
        chain = graph.chain_from(root)
        self.root = chain[0].place if chain and chain[0].place is not None else self.root
        self._emit(
            Graph(
                step, place, reading.ops, sorted(set(reached)), chain, reading.layers, reading.nonlinear, reading.linear_pairs,
                [n.index for n in noted], True, reading.truncated, _stretched(root, x[1]) if looking else [], reading.float16,
                *self._straits(walk),
            )
        )  # fmt: skip
        return {link.module for c in (chain, *(n.chain for n in noted)) for link in c if link.module}, reading.gates

    def _straits(self, walk: graph.Walk) -> tuple[list[Strait], list[int]]:
        found = straits.read(walk)
        narrow = [(self._registry.parameter(n.weight), n) for n in found.narrow if not self._registry.is_input(n.weight)]
        return [Strait(i, n.values, n.around) for i, n in narrow if i is not None], found.factors

    def _by_hand(self, root: Any, reading: graph.Reading, step: int, place: Place | None, x: Rows) -> LossInfo | None:
        """A loss that no loss function made: the difference it is built on, or the logarithm it takes."""
        if any(op in _LOSS_NODES for op in reading.ops):
            return None
        above, operands, node = _find_difference(root)
        if operands is None or node is None or _BLENDING & set(above):
            head = graph.chain_from(root)
            ops = [link.op for link in head]
            form = "log-softmax" if "LogSoftmax" in ops else "log" if "Log" in ops else "other"
            info, new = self._losses.index(f"by-hand:{form}", head[0].place if head else place)
            if info is not None and new:
                info.chain = head
                info.calls = 1
            return info
        form = "difference" if _is_tamed(above) else next((f for ops, f in _FORMS if any(op in above for op in ops)), "difference")
        prediction, target = operands
        where = graph.link_of(node).place or place
        return self._losses.called(f"by-hand:{form}", where, prediction, target, None, {}, step, True, x, "")


def _knows_place(reading: graph.Reading, parameters: list[ParameterInfo]) -> bool:
    """Whether a layer looks at several places together: a kernel wider than one, recurrence, attention that is told of order, weights used again."""
    if reading.truncated or any(word in op for op in reading.ops for word in _KNOW_PLACE):
        return True
    if any(max(p.shape[2:], default=1) > 1 for p in parameters if len(p.shape) >= 3):
        return True
    if any(word in op for op in reading.ops for word in _ATTEND):
        turned = "Neg" in reading.ops and bool({"Cat", "Stack"} & set(reading.ops))  # rotary embeddings
        return reading.ordered or turned
    products = sum(n for op, n in reading.ops.items() if op in _PRODUCTS)
    return products > 2 * max(1, sum(len(p.shape) >= 2 for p in parameters))


def _is_in(info: LossInfo, reading: graph.Reading) -> bool:
    """Whether a loss function's node is in a graph; where it leaves no node of its own, having been called must do."""
    if info.function == "cross_entropy" and info.target is not None and info.target.dtype.startswith("float"):
        return True  # probabilities: a sum of products
    nodes = _NODES_OF.get(info.function)
    return nodes is None or any(n in reading.ops for n in nodes)


def _find_difference(root: Any) -> tuple[list[str], tuple[Tensor, Tensor] | None, Any]:
    """Breadth first from the loss: the nearest difference of a prediction and a target, and the operations above it."""
    for node, above in _between_loss_and_layers(root):
        operands = graph.operands_of(node)
        if operands is not None:
            return above, operands, node
    return [], None, None


def _is_tamed(above: list[str]) -> bool:
    """Whether each error goes through a root or a logarithm before the mean of them is taken, so that a large one counts little more."""
    last = max((i for i, op in enumerate(above) if op in _MEANS), default=None)
    return last is not None and any(op in _TAMING for op in above[last + 1 :])


def _stretched(root: Any, batch: int | None) -> list[Stretch]:
    """Where a number for each sample met one for each sample, and both became a square of the batch's size."""
    found: dict[Place | None, Stretch] = {}
    for node, above in _between_loss_and_layers(root):
        operands = graph.operands_of(node, stretched=True)
        if operands is None or _BLENDING & set(above):
            continue
        prediction, target = operands
        place = graph.link_of(node).place
        if target.shape[0] == batch and place not in found and not _is_in_order(target):
            found[place] = Stretch(list(prediction.shape), list(target.shape), place)
    return list(found.values())


def _is_in_order(target: Tensor) -> bool:
    """Whether numbers only rise or only fall, as those of a fixed grid do; those of a batch are in no order, unless they are all the same."""
    steps = np.diff(stats.array(target).reshape(-1).astype(np.float64))
    return bool((steps >= 0).all() or (steps <= 0).all())


def _between_loss_and_layers(root: Any) -> Iterator[tuple[Any, list[str]]]:
    """Breadth first from the loss down to the last layers: operations, each with those above it."""
    queue: list[tuple[Any, list[str]]] = [(root, [])]
    seen = 0
    while queue and seen < 400:
        node, above = queue.pop(0)
        seen += 1
        yield node, above
        if graph.is_leaf(node) or graph.is_layer(node):
            continue
        above = [*above, graph.op_of(node)]
        queue.extend((n, above) for n in graph.inputs_of(node))
