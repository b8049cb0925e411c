"""The loss, and the way from it back through the network, as the autograd graph tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from nndoctor.record.place import Place


@dataclass(frozen=True)
class Link:
    """One operation of the autograd graph, read from the loss towards the input."""

    op: str  # "Softmax", "Addmm", ... without "Backward0"
    place: Place | None = None
    module: str = ""  # dotted name of the module whose output it is
    dim: int | None = None  # softmax and log-softmax: the axis, from the front
    normalised: bool = False  # a difference x - log(sum(exp(x))), which is a log-softmax that is written out and never above zero


@dataclass
class TensorStats:
    """What one tensor held. Shares are of its elements, `row_sum` is over the class axis (dim 1, or the last)."""

    shape: list[int]
    dtype: str
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    nonfinite: float = 0.0
    integers: bool = False  # every finite value is a whole number
    distinct: int | None = None  # number of distinct values, None above 1000
    row_sum: float | None = None  # mean over rows
    row_sum_spread: float | None = None  # largest distance of a row's sum from 1
    log_row_sum_spread: float | None = None  # the same for exp(values)
    one_hot: bool = False


@dataclass(frozen=True)
class Stretch:
    """A number for each sample, as [N, 1], met one for each sample, as [N], on the way to the loss, and both became [N, N]."""

    prediction: list[int]  # shape of the side that carries gradient
    target: list[int]
    place: Place | None = None


@dataclass
class LossInfo:
    """One loss function at one place, as first seen in training. `function` is F's name, or `by-hand:<form>`."""

    kind: ClassVar[str] = "loss"
    index: int
    function: str
    place: Place | None
    prediction: TensorStats | None = None
    target: TensorStats | None = None
    target_source: str = ""  # dtype of the loader's tensor that the target was cast from, where seen
    settings: dict[str, Any] = field(default_factory=dict)
    chain: list[Link] = field(default_factory=list)  # from the prediction up to and with the last parametric layer
    calls: int = 0


@dataclass(frozen=True)
class Strait:
    """A narrow layer below another one, which one backward call came through once."""

    parameter: int  # its weight
    values: int  # that it put out, all samples together
    around: bool  # a path from the loss reaches the first layers without it


@dataclass
class Graph:
    """What the autograd graph said at one backward call."""

    kind: ClassVar[str] = "graph"
    step: int
    place: Place | None  # of the backward call
    ops: dict[str, int]  # how often each operation occurs
    reached: list[int]  # parameters that the loss reaches
    chain: list[Link]  # from the loss down to the first parametric layer
    layers: int  # parametric operations on the longest path
    nonlinear: int  # operations that bend, anywhere on a path between loss and first layer
    linear_pairs: int  # parametric operations that feed another with nothing bending between
    losses: list[int] = field(default_factory=list)  # indices of the LossInfo that feed it
    requires_grad: bool = True
    truncated: bool = False
    stretched: list[Stretch] = field(default_factory=list)  # at any line, that of the main difference included
    float16: bool = False  # the gradient passes numbers of float16
    straits: list[Strait] = field(default_factory=list)
    factors: list[int] = field(default_factory=list)  # widths of rows that were looked up and are multiplied with one another


@dataclass
class Recurrence:
    """How far back through time the gradient comes, in one step that was looked at: of a recurrent layer's inputs, or of the
    outputs of a layer that is called again and again.
    """

    kind: ClassVar[str] = "recurrence"
    step: int
    module: str
    type: str
    length: int  # steps of time, or calls
    reach: float  # largest gradient norm in the first quarter of time over the largest at all
    place: Place | None = None
