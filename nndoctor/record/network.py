"""The network: its models, modules and parameters as they are built, and how its layers were called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from nndoctor.record.place import Place


@dataclass
class ModelInfo:
    """A module with parameters that was called from outside any other module, at its first call."""

    kind: ClassVar[str] = "model"
    index: int
    name: str  # the user's variable where it could be found, else the class
    type: str
    parameters: int  # numbers, not tensors
    trainable: int
    place: Place | None = None  # where it was constructed
    called: Place | None = None  # where it was first called


@dataclass
class ModuleInfo:
    """One module of a model's tree."""

    kind: ClassVar[str] = "module"
    model: int
    name: str  # dotted, starting with the model's name
    type: str
    leaf: bool
    parameters: int
    settings: dict[str, Any] = field(default_factory=dict)  # in_features, p, momentum, dim, ...
    place: Place | None = None


@dataclass
class ParameterInfo:
    """One parameter tensor with the statistics of its first sight, before any step."""

    kind: ClassVar[str] = "parameter"
    index: int
    name: str
    shape: list[int]
    dtype: str
    requires_grad: bool
    module: str = ""  # dotted name of the owner, "" where no module owns it
    module_type: str = ""
    model: int = -1
    fan_in: int = 0
    mean: float | None = None
    std: float | None = None  # 0 for a constant tensor
    max_abs: float | None = None
    fourth: float | None = None  # kurtosis: 1.8 uniform, 3 normal
    place: Place | None = None


@dataclass
class ModuleMode:
    """How often a module that behaves differently in training (dropout, batch norm) ran in which mode."""

    kind: ClassVar[str] = "mode"
    module: str
    type: str
    training: int  # training forwards with module.training on
    evaluating: int  # training forwards with module.training off
    first_off: int | None  # step of the first training forward in eval mode
    root_training: int  # training forwards in which the whole model's flag was on
    fresh: bool = True  # batch norm: running statistics still at their first values
    strange: float | None = None  # batch norm in validation with its flag on: distance of the batch's mean from the running one, in deviations
    place: Place | None = None
    still: int = 0  # batch norm: training forwards with its flag on and a momentum that moves next to nothing


@dataclass(frozen=True)
class Reshaping:
    """A view or reshape that gave the length of the first axis to the second one, and not by joining axes: rows are cut up and dealt out anew."""

    kind: ClassVar[str] = "reshaping"
    before: list[int]  # shape
    after: list[int]
    place: Place | None = None


@dataclass
class Sequence:
    """A layer that takes the first axis of its input for time (`batch_first=False`), at its first call in training."""

    kind: ClassVar[str] = "sequence"
    module: str
    type: str
    shape: list[int]  # of its input
    place: Place | None = None
