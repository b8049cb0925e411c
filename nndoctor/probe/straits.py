"""Reads the autograd graph for where little comes through: narrow layers, and what leads around them.

It knows tensors only; which of them are parameters that the recording names is the reader's affair. Nodes are read, never kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from nndoctor.probe.graph import Node, Walk, inputs_of, is_layer, is_leaf, leaf_of, op_of, path_of_shape, shape_of

_WIDEST = 8  # units of a layer that can be too narrow for what has to come through
_MOST = 8  # such layers that are looked at: each is a walk of its own


@dataclass
class Narrow:
    """A layer of few units below another layer, which is used once."""

    weight: Tensor
    values: int  # that it puts out
    around: bool  # a path from the loss reaches the first layers without it


@dataclass
class Straits:
    """What one walk shows."""

    narrow: list[Narrow] = field(default_factory=list)
    factors: list[int] = field(default_factory=list)  # widths of looked-up rows that are multiplied with one another


def read(walk: Walk) -> Straits:
    """Look through the graph above a loss, and once more for each narrow layer. Nothing is said of one that is too large to be walked whole."""
    if walk.truncated:
        return Straits()
    order, below = walk.order, walk.below
    layers = [n for n in order if not is_leaf(n) and is_layer(n)]
    first = _first(layers, order, below)
    uses: dict[int, list[tuple[Node, Tensor]]] = {}
    for node in layers:
        if (weight := _weight(node)) is not None:
            uses.setdefault(id(weight), []).append((node, weight))
    under = _under_a_layer(layers, order, below)
    once = [found[0] for found in uses.values() if len(found) == 1 and found[0][1].shape[0] <= _WIDEST and found[0][0] in under]
    narrow = [Narrow(weight, _values(node), _around(walk.root, node, below, first)) for node, weight in once[:_MOST]]
    return Straits(narrow, [w for node in order if not is_leaf(node) for w in _factors(node)])


def _weight(node: Node) -> Tensor | None:
    """The weight of a layer's node; that of an embedding is a table, whose rows are no units."""
    if op_of(node).startswith("Embedding"):
        return None
    return next((w for n in inputs_of(node) if (w := leaf_of(n)) is not None and w.dim() >= 2), None)


def _values(node: Node) -> int:
    values = 1
    for size in shape_of(node) or ():
        values *= size
    return values


def _first(layers: list[Node], order: list[Node], below: dict[Node, list[Node]]) -> set[Node]:
    """Layers with no layer below them: those that are given the data."""
    is_one, has_below = set(layers), set[Node]()
    for node in order:  # inputs before what is made of them
        if any(n in has_below or n in is_one for n in below[node]):
            has_below.add(node)
    return is_one - has_below


def _under_a_layer(layers: list[Node], order: list[Node], below: dict[Node, list[Node]]) -> set[Node]:
    is_one, under = set(layers), set[Node]()
    for node in reversed(order):
        if node in under or node in is_one:
            under.update(below[node])
    return under


def _around(root: Node, node: Node, below: dict[Node, list[Node]], first: set[Node]) -> bool:
    """Whether a first layer, other than the node, is reached without going through the node."""
    seen, waiting = {root, node}, [root]
    while waiting:
        for n in below[waiting.pop()]:
            if n in seen:
                continue
            if n in first:
                return True
            seen.add(n)
            waiting.append(n)
    return False


def _factors(node: Node) -> list[int]:
    """Widths of the rows that an operation multiplies with one another, where each is looked up in a table of its own."""
    if op_of(node) not in ("Mul", "Bmm", "Baddbmm"):
        return []
    rows = [path_of_shape(n) for n in inputs_of(node) if leaf_of(n) is None]
    if len(rows) < 2 or any(op_of(n) != "Embedding" for n in rows):
        return []
    return [(shape_of(n) or (0,))[-1] for n in rows]
