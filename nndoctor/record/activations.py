"""What came out of the network's layers, in the forwards that were looked at, and over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nndoctor.record.place import Place


@dataclass
class Activation:
    """Outputs of one site (a leaf module, or a functional call) in one sampled training forward."""

    kind: ClassVar[str] = "activation"
    step: int
    site: str
    function: str  # "relu", "sigmoid", "Linear", ...
    mean: float | None
    std: float | None
    max_abs: float | None
    zero: float  # share of exact zeros
    saturated: float | None  # share near an asymptote; None for functions without one
    spread: float | None  # deviation between samples, root mean square over units
    nonfinite: float = 0.0


@dataclass
class Site:
    """Summary of one site over the probe, written at its end."""

    kind: ClassVar[str] = "site"
    name: str
    function: str
    order: int  # of first call within the forward
    units: int
    dead_start: float | None  # share of units never above zero in the first sampled steps
    dead_end: float | None  # ... in the last sampled steps
    samples: int
    hidden: bool = True  # False for the site whose output reaches the loss
    place: Place | None = None
    module: str = ""
    values: int | None = None  # batch norm: values behind one statistic, in the smallest call
    axis: int | None = None  # softmax: over which it runs, from the front, where it has more than one
    length: int | None = None  # ... and how long that is, in the first call
    square: bool = False  # ... and whether another axis is as long
    gate: bool = False  # another signal is multiplied by it, as by attention weights
