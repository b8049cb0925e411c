"""The loop: what it is made of, each of its steps, and a closer look at some of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from nndoctor.record.place import Place


@dataclass
class OptimizerGroup:
    """One parameter group: its plain settings (lr, momentum, ...) and the indices of its parameters."""

    settings: dict[str, Any]
    parameters: list[int]


@dataclass
class OptimizerInfo:
    """An optimiser at its first step, or at the end where it never made one."""

    kind: ClassVar[str] = "optimizer"
    index: int
    type: str
    groups: list[OptimizerGroup]
    place: Place | None = None
    stepped: bool = True  # False for one that was built and never stepped, written at the end


@dataclass
class SettingChange:
    """Settings of one group that differ from those at the step before."""

    kind: ClassVar[str] = "setting"
    step: int
    optimizer: int
    group: int
    values: dict[str, Any]


@dataclass
class SchedulerInfo:
    """A learning-rate scheduler at its construction."""

    kind: ClassVar[str] = "scheduler"
    index: int
    type: str
    place: Place | None = None


@dataclass
class LoaderInfo:
    """A DataLoader at its construction. `length` is the number of samples, None where it has none."""

    kind: ClassVar[str] = "loader"
    index: int
    batch_size: int | None
    shuffled: bool | None
    sampler: str
    length: int | None
    workers: int
    drop_last: bool
    place: Place | None = None


@dataclass
class Call:
    """How often, where first, and where most one thing of the loop was called."""

    kind: ClassVar[str] = "call"
    what: str  # "backward", "step", "zero_grad", "clip", "train", "eval", "schedule", "loader-iter"
    count: int
    place: Place | None


@dataclass
class Step:
    """One optimiser step (or one backward call, where no optimiser ever steps)."""

    kind: ClassVar[str] = "step"
    index: int  # from 1
    seconds: float  # since the first training forward
    loss: float | None = None  # the value backward was called on (mean over the step's backward calls)
    backwards: int = 1
    batch: int | None = None
    gradient_norm: float | None = None  # over all optimised parameters, as the optimiser saw it
    unclipped_norm: float | None = None  # as it was before clipping
    clip: float | None = None  # max_norm or clip_value in force
    carried: int = 0  # parameters whose gradient was left over from an earlier step when backward began
    held: int = 0  # parameters with a gradient at the step
    made: int | None = None  # parameters with a gradient right after backward, in steps that were looked at
    made_norm: float | None = None  # norm of these gradients, over all of them
    wasted: int = 0  # backward calls whose gradients were cleared before any step used them
    evaluations: list[float] = field(default_factory=list)  # losses of a closure's evaluations, where the optimiser made several
    input_sum: float | None = None  # fingerprint of the first model input
    target_sum: float | None = None
    optimizers: list[int] = field(default_factory=list)
    training: bool | None = None  # model.training in the forward that fed it
    norms: list[float | None] = field(default_factory=list)  # gradient norm by parameter index; [] on most steps of a huge model


@dataclass
class ParameterSample:
    """One parameter at one sampled step. Norms are Euclidean; the update is weight after minus weight before."""

    parameter: int
    weight: float
    update: float | None
    gradient: float | None
    zero: float | None  # share of exact zeros in the gradient
    nonfinite: float  # 1 where gradient, weight or update hold NaN or Inf, else 0
    rounded: float | None = None  # share of non-zero gradients whose weight did not move
    agreement: float | None = None  # cosine with the gradient of the sampled step before it, where adjacent
    undone: float | None = None  # share of the numbers that the step before moved, and that were back when this one began
    coarse: float | None = None  # share of the numbers, kept in float32, that half precision could hold as well
    inward: float | None = None  # cosine of the gradient with the weight: 1 where a step can do nothing but shrink it
    climb: float | None = None  # of a step by hand: cosine of the change with the gradient, -1 straight down, 1 straight up
    written: Place | None = None  # ... the line that makes it, where it was seen


@dataclass
class Sample:
    """A closer look at one step."""

    kind: ClassVar[str] = "sample"
    step: int
    parameters: list[ParameterSample]
    expected: float | None = None  # sum of gradient * update: first-order change of the loss
    accuracy: float | None = None  # of the training batch, from the prediction's argmax or sign
    r2: float | None = None  # of the training batch, against its own mean
    predicted: dict[str, int] = field(default_factory=dict)  # predicted class counts in the batch
    balanced: float | None = None  # accuracy in which every class of the batch counts the same
    r2_rest: float | None = None  # without the twentieth of its rows that is predicted worst


@dataclass
class NonFinite:
    """First sight of NaN or Inf in a place."""

    kind: ClassVar[str] = "nonfinite"
    step: int
    where: str  # "input", "target", "loss", "gradient", "weight", "prediction"
    name: str
    share: float
    count: int = 1  # batches in which it was seen
    batches: int = 1  # batches in which it was looked for
    place: Place | None = None
