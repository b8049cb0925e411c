"""Reads the autograd graph: what the loss is made of, what feeds it, and which parameters it reaches.

The graph holds the operations whatever API made them (module, functional, by hand), so nothing here depends on the
user's style. Nodes are read, never kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nndoctor.record.model import Link, Place

Node = Any
_MARK = "nndoctor"
_SUFFIX = re.compile(r"Backward\d*$")
_MOST_NODES = 40_000
# Operations that move, copy, add or scale values: a stack of layers with only these between is one linear map.
_SHAPE = frozenset({
    "T", "Transpose", "Permute", "View", "UnsafeView", "Reshape", "ReshapeAlias", "Expand", "Squeeze", "Unsqueeze", "Select",
    "Slice", "Index", "IndexSelect", "Clone", "AsStrided", "Cat", "Stack", "Split", "SplitWithSizes", "Unbind", "ToCopy", "Alias",
    "Repeat", "Flip", "Roll", "Unfold", "ConstantPadNd", "CopySlices", "Copy", "Narrow", "Chunk", "Movedim", "Detach", "Gather",
    "MaskedSelect", "View_", "Contiguous",
})  # fmt: skip
_LINEAR = _SHAPE | {
    "Mean", "Sum", "Neg", "Add", "Sub", "Rsub", "NativeDropout", "FusedDropout", "NativeBatchNorm", "CudnnBatchNorm",
    "MiopenBatchNorm", "AvgPool1D", "AvgPool2D", "AvgPool3D", "AdaptiveAvgPool1D", "AdaptiveAvgPool2D", "AdaptiveAvgPool3D",
    "UpsampleNearest1D", "UpsampleNearest2D", "UpsampleBilinear2D", "Cumsum", "MaskedFill", "Where",
}  # fmt: skip
_PRODUCTS = frozenset({
    "Addmm", "Mm", "Addmv", "Mv", "Bmm", "Baddbmm", "Addbmm", "Convolution", "MkldnnConvolution", "CudnnConvolution", "Linear",
    "MkldnnLinear", "Embedding", "EmbeddingBag", "Dot", "Einsum", "Matmul", "SlowConv2D", "ThnnConv2D", "Mul",
})  # fmt: skip
# Attention weights, the gates of a cell, the tanh within a GELU: they stand beside the signal that they are multiplied with.
_SQUASHING = frozenset({"Softmax", "Sigmoid", "Tanh", "Hardsigmoid", "Hardtanh"})
_KEEPING = _SHAPE | {"MaskedFill", "Where", "Diagonal"}
_LOG_SUMS = frozenset({"Logsumexp", "Logcumsumexp"})
_MOST_BETWEEN = 8  # operations between a gate and its product: dropout, heads that are moved, a constant that is added
_NEAR = 24  # nodes from the output of attention to what was added to its scores
_RECURRENT = ("Rnn", "RNN", "Lstm", "LSTM", "Gru", "GRU")


def op_of(node: Node) -> str:
    """"Softmax" for a SoftmaxBackward0 node."""
    return _SUFFIX.sub("", node.name())


def mark(tensor: Tensor, place: Place | None, module: str) -> None:
    """Remember on the graph where in the user's code an operation was made, for as long as its graph lives."""
    node: Node = tensor.grad_fn
    if node is not None and _MARK not in node.metadata:
        node.metadata[_MARK] = (place, module)


def note_operands(tensor: Tensor, operands: tuple[Tensor, Tensor], stretched: bool = False) -> None:
    """Remember the two sides of a difference on its own node, so that they live no longer than the graph does; and, apart from that, those
    of any operation that were `stretched` against one another.
    """
    node: Node = tensor.grad_fn
    if node is not None:
        node.metadata[_operands(stretched)] = operands


def operands_of(node: Node, stretched: bool = False) -> tuple[Tensor, Tensor] | None:
    """What `note_operands` left on a node."""
    found = node.metadata.get(_operands(stretched))
    return found if isinstance(found, tuple) else None


def _operands(stretched: bool) -> str:
    return _MARK + (".stretch" if stretched else ".operands")


def note_padding(attended: Tensor) -> None:
    """Remember on the node that brings a mask into attention that it says which keys are there, and not which place is which."""
    reach: list[Node] = [attended.grad_fn] if attended.grad_fn is not None else []
    for node in reach:
        op = "" if is_leaf(node) else op_of(node)
        if op.startswith("ScaledDotProduct") or (op == "Add" and any(n is None for n, _ in node.next_functions)):
            node.metadata[_MARK + ".padding"] = True
            return
        if op and len(reach) < _NEAR:
            reach += inputs_of(node)


def link_of(node: Node) -> Link:
    """A node as a line of the recording."""
    place, module = node.metadata.get(_MARK, (None, ""))
    return Link(op_of(node), place, module, axis_of(node), is_normalised(node))


def axis_of(node: Node) -> int | None:
    """The axis of a softmax, counted from the front."""
    dim = getattr(node, "_saved_dim", None)
    if not isinstance(dim, int):
        return None
    if dim >= 1 << 63:
        dim -= 1 << 64
    shape = shape_of(node)
    return dim + len(shape) if dim < 0 and shape is not None else dim


def shape_of(node: Node) -> tuple[int, ...] | None:
    """Shape of an operation's (first) result."""
    try:
        return tuple(int(n) for n in node._input_metadata[0].shape)
    except (AttributeError, IndexError, TypeError, RuntimeError):
        return None


def _is_float16(node: Node) -> bool:
    """Whether an operation's (first) result is in float16."""
    try:
        return bool(node._input_metadata[0].dtype == torch.float16)
    except (AttributeError, IndexError, TypeError, RuntimeError):
        return False


def inputs_of(node: Node) -> list[Node]:
    """The nodes that made this operation's inputs, those that carry gradient."""
    return [n for n, _ in node.next_functions if n is not None]


def _only_input(node: Node) -> Node | None:
    """The one node that made an operation's input; None where there are several, or none."""
    following = inputs_of(node)
    return following[0] if len(following) == 1 else None


def is_leaf(node: Node) -> bool:
    """Whether a node is a parameter's entry to the graph."""
    return hasattr(node, "variable")


def is_sigmoid(node: Node | None) -> bool:
    """Whether an operation is the quotient of a sigmoid that is written out: 1 / (1 + exp(-x))."""
    wanted = [("Mul", "Div"), ("Reciprocal",), ("Add",), ("Exp",)]
    if node is not None and op_of(node) in ("Div", "Reciprocal"):
        wanted = [("Div", "Reciprocal"), *wanted[2:]]
    for ops in wanted:
        if node is None or is_leaf(node) or op_of(node) not in ops:
            return False
        node = _only_input(node)
    return node is not None


def is_normalised(node: Node) -> bool:
    """Whether an operation is a log-softmax that is written out, as Cox's partial likelihood is: x - log(sum(exp(x))), of the same x or
    a choice from it.
    """
    inputs = inputs_of(node) if op_of(node) == "Sub" else []
    if len(inputs) < 2:
        return False
    below = _summed_exponentials(inputs[1])
    return below is not None and bool(set(_moved(inputs[0])) & set(_moved(below)))


def _summed_exponentials(node: Node) -> Node | None:
    """What an operation is the logarithm of summed exponentials of, maybe moved since; None where it is something else."""
    *_, node = _moved(node)
    if op_of(node) in _LOG_SUMS:
        return _only_input(node)
    for ops in (("Log",), ("Sum", "Cumsum"), ("Exp",)):
        *_, node = _moved(node)
        if is_leaf(node) or op_of(node) not in ops or (following := _only_input(node)) is None:
            return None
        node = following
    return node


def _moved(node: Node) -> list[Node]:
    """A node, and those above it of which it holds the numbers, moved, chosen or masked."""
    found = [node]
    while len(found) < _MOST_BETWEEN and not is_leaf(node) and op_of(node) in _KEEPING and (following := _only_input(node)) is not None:
        node = following
        found.append(node)
    return found


def leaf_of(node: Node | None) -> Tensor | None:
    """The parameter that a node is, or is a view or cast of."""
    for _ in range(6):
        if node is None:
            return None
        if is_leaf(node):
            variable: Tensor = node.variable
            return variable
        if op_of(node) not in _SHAPE:
            return None
        node = _only_input(node)
    return None


def last_width(node: Node | None) -> int | None:
    """Output units of the layer that is nearest above a node, along the first inputs; None where there is none, or it is transposed."""
    for _ in range(_MOST_BETWEEN):
        if node is None or is_leaf(node):
            return None
        if is_layer(node):
            weights = [w for n in inputs_of(node) if (w := leaf_of(n)) is not None and w.dim() >= 2]
            return int(weights[0].shape[0]) if len(weights) == 1 and not getattr(node, "_saved_transposed", False) else None
        node = next(iter(inputs_of(node)), None)
    return None


def is_layer(node: Node) -> bool:
    """Whether an operation multiplies its input with a parameter (a recurrent kernel counts)."""
    op = op_of(node)
    if any(word in op for word in _RECURRENT):
        return True
    if op not in _PRODUCTS or op == "Mul":
        return False
    return any(leaf_of(n) is not None for n in inputs_of(node))


def _bends(node: Node) -> bool:
    """Whether an operation, no layer itself, is anything but linear in what comes from below."""
    op = op_of(node)
    if op in _LINEAR or is_leaf(node):
        return False
    if op in ("Mul", "Div", *_PRODUCTS):
        # A product with a constant, or with a parameter alone, is linear; one of two signals is not.
        return sum(1 for n in inputs_of(node) if leaf_of(n) is None) > 1
    return True


def _orders(node: Node, op: str) -> bool:
    """Whether an operation may bring in the order of what attention sees: something fixed is added, or a table that is learnt; a mask;
    a fixed matrix that says who is next to whom.
    """
    if _MARK + ".padding" in node.metadata:
        return bool(getattr(node, "_saved_is_causal", False))
    fixed = any(n is None for n, _ in node.next_functions)
    if op == "Add":
        tables = [t for n in inputs_of(node) if (t := leaf_of(n)) is not None and t.dim() >= 2]
        return bool(tables) or (len(node.next_functions) > 1 and fixed) or all(map(_is_lookup, inputs_of(node)))
    if op in ("Bmm", "Baddbmm"):
        return fixed
    if op.startswith("ScaledDotProduct"):
        return bool(getattr(node, "_saved_is_causal", False)) or any(getattr(node, f"_saved_attn_{what}", None) is not None for what in ("mask", "bias"))
    return op in ("MaskedFill", "Where", "Tril", "Triu")


def _is_lookup(node: Node) -> bool:
    """Whether a signal is rows of a table, maybe moved or scaled since."""
    following: Node | None = node
    while following is not None and op_of(following) in (*_SHAPE, "Mul"):
        following = _only_input(following)
    return following is not None and op_of(following) == "Embedding"


def path_of_shape(node: Node) -> Node:
    """The node below those that only move or copy what it made."""
    while op_of(node) in _SHAPE and (following := _only_input(node)) is not None:
        node = following
    return node


def _gates(node: Node) -> list[str]:
    """Where an operation multiplies signals with one another: the sites of those squashed ones that came to it unmixed."""
    if op_of(node) not in _PRODUCTS or is_layer(node):
        return []
    signals = [n for n in inputs_of(node) if leaf_of(n) is None]
    return [site for n in signals if (site := _squashed(n))] if len(signals) > 1 else []


def _squashed(node: Node) -> str:
    """The site of the squashing operation that made a signal, maybe moved, scaled or dropped since; "" where none did."""
    for _ in range(_MOST_BETWEEN):
        op = op_of(node)
        if op in _SQUASHING:
            return link_of(node).module
        following = [n for n in inputs_of(node) if leaf_of(n) is None]
        if len(following) != 1 or (op not in _LINEAR and op not in ("Mul", "Div")):
            return ""
        node = following[0]
    return ""


@dataclass
class Reading:
    """What the nodes of one walk say."""

    ops: dict[str, int] = field(default_factory=dict)
    leaves: list[Tensor] = field(default_factory=list)
    layers: int = 0
    nonlinear: int = 0
    linear_pairs: int = 0
    ordered: bool = False  # something may tell attention which place is which
    gates: set[str] = field(default_factory=set)  # sites of squashed signals that another signal is multiplied by
    float16: bool = False  # a gradient is cast to or from float16
    truncated: bool = False


@dataclass(frozen=True)
class Walk:
    """The nodes above a loss, inputs before what is made of them, with the inputs of each. Bounded to 40,000 nodes."""

    root: Node
    order: list[Node]
    below: dict[Node, list[Node]]
    truncated: bool  # there are more


def read(walk: Walk) -> Reading:
    """What the graph above a loss says of the network."""
    reading = Reading(truncated=walk.truncated)
    order, below = walk.order, walk.below
    depth: dict[Node, int] = {}
    layer: dict[Node, bool] = {}
    for node in order:  # inputs before what is made of them
        inputs = below[node]
        if is_leaf(node):
            reading.leaves.append(node.variable)
        else:
            op = op_of(node)
            reading.ops[op] = reading.ops.get(op, 0) + 1
            reading.ordered = reading.ordered or _orders(node, op)
            reading.float16 = reading.float16 or (op == "ToCopy" and any(map(_is_float16, (node, *inputs))))
        layer[node] = not is_leaf(node) and is_layer(node)
        if not is_leaf(node):
            reading.gates.update(_gates(node))
        own = 0
        if layer[node]:
            own = 2 if any(w in op_of(node) for w in _RECURRENT) else 1
        depth[node] = own + max((depth[n] for n in inputs), default=0)
    reading.layers = depth.get(walk.root, 0)
    _count_bends(order, below, depth, layer, reading)
    return reading


def _count_bends(order: list[Node], below: dict[Node, list[Node]], depth: dict[Node, int], layer: dict[Node, bool], reading: Reading) -> None:
    """Bending operations with a layer on either side, and layers that feed a layer with nothing bending between."""
    under: dict[Node, bool] = dict.fromkeys(order, False)  # reached downwards through a layer
    direct: dict[Node, bool] = dict.fromkeys(order, False)  # ... and through nothing bending since
    for node in reversed(order):
        recurrent = layer[node] and any(w in op_of(node) for w in _RECURRENT)
        bends = not layer[node] and not is_leaf(node) and _bends(node)
        if recurrent or (bends and under[node] and depth[node] > 0):
            reading.nonlinear += 1
        if layer[node] and direct[node] and not recurrent:
            reading.linear_pairs += 1
        passes = (direct[node] or layer[node]) and not bends and not recurrent
        for n in below[node]:
            under[n] = under[n] or under[node] or layer[node]
            direct[n] = direct[n] or passes


def walk_from(root: Node) -> Walk:
    """Walk the whole graph above a loss once."""
    truncated = False
    order: list[Node] = []
    below: dict[Node, list[Node]] = {}
    stack: list[tuple[Node, Iterator[Node]]] = []

    def enter(node: Node) -> None:
        below[node] = inputs_of(node)
        stack.append((node, iter(below[node])))

    enter(root)
    while stack:
        node, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            order.append(node)
            stack.pop()
        elif following not in below:
            if len(below) >= _MOST_NODES:
                truncated = True
                below[node] = [n for n in below[node] if n in below]
                continue
            enter(following)
    if truncated:
        known = set(order)
        below = {n: [m for m in ms if m in known] for n, ms in below.items()}
    return Walk(root, order, below, truncated)


def chain_from(node: Node | None, most: int = 24, keep: Callable[[Node], bool] | None = None) -> list[Link]:
    """Operations from a node up to and with the first layer, along the inputs that lead to one."""
    links: list[Link] = []
    while node is not None and not is_leaf(node) and len(links) < most:
        if keep is None or keep(node):
            links.append(link_of(node))
        if is_layer(node):
            break
        following = [n for n in inputs_of(node) if leaf_of(n) is None]
        node = following[0] if following else None
    return links
