"""The training data, as they reached the network and its loss, and what plain learners make of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass
class Features:
    """Inputs as they reached a model (or the first layer), summed over the sampled steps and written at the end.

    Lists are by feature (last axis of a 2-D input, channel of an image, last axis of a sequence), at most 256 of
    them. `rows` counts samples seen, `distinct` how many of them differ.
    """

    kind: ClassVar[str] = "features"
    model: int
    shape: list[int]
    dtype: str
    rows: int
    distinct: int
    mean: list[float]
    std: list[float]
    min: list[float]
    max: list[float]
    missing: list[float]  # share of NaN or Inf by feature
    outliers: float = 0.0  # share of values more than 20 robust deviations from the median
    outlier_size: float = 0.0  # the largest such distance
    integers: bool = False
    between: float | None = None  # mean deviation between samples
    structure: float | None = None  # variance in the first tenth of the principal directions beyond its share: 0 noise, 1 all
    noise: bool = False  # every column looks drawn by torch.randn or torch.rand, and no two are related
    position: int = 0  # which of the forward's tensor arguments
    made: bool = False  # computed from what requires gradient: another network's output, no data


@dataclass
class Labels:
    """Targets as they reached one loss function in training, written at the end."""

    kind: ClassVar[str] = "labels"
    loss: int
    task: str  # "classes", "binary", "multilabel", "real", "probabilities"
    rows: int
    classes: int | None = None  # outputs the model offers
    counts: dict[str, int] = field(default_factory=dict)
    predicted: dict[str, int] = field(default_factory=dict)  # predicted classes over the last sampled steps
    mean: list[float] = field(default_factory=list)  # by output, at most 64
    std: list[float] = field(default_factory=list)
    min: float | None = None
    max: float | None = None
    nonfinite: float = 0.0
    outside: float = 0.0  # share of values that the output activation cannot reach
    twins: float = 0.0  # share of rows whose input is bit by bit that of another row
    twins_agree: float | None = None  # share of pairs of such rows, of one input, that have one target too; classes only
    between: float | None = None  # share of the targets' variance that lies between batches, beyond what chance leaves there
    positional: bool = False  # every batch has the same labels, each row another: they say which row of the batch belongs to which
    outliers: float = 0.0  # of real targets: share more than 20 robust deviations from the median of their column
    outlier_size: float = 0.0  # the largest such distance


@dataclass
class TrainingRows:
    """All rows that one model was trained on, compared whole; written at the end."""

    kind: ClassVar[str] = "rows"
    model: int
    rows: int
    distinct: int
    forwards: int
    fresh: float  # share of the last fifth that was new then: 0 once the training set was seen whole
    even: bool = False  # whether no row came more often than the others
    same: float = 0.0  # share of forwards with the rows of the forward before, in their order
    handed: float = 0.0  # share of forwards that were given the very tensor of the forward before


@dataclass
class Reference:
    """Scores of closed-form learners on rows of the training batches, held out from their own fit.

    Accuracy for classes, R2 for real targets; `constant` is what the best constant reaches.
    """

    kind: ClassVar[str] = "reference"
    loss: int
    task: str
    rows: int
    features: int
    constant: float
    linear: float | None
    neighbours: float | None
    kernel: float | None
    shifted: float | None = None  # best score with targets moved against inputs
    shift: int = 0  # ... by this many rows
    chance: float | None = None  # score above `constant` that chance alone reaches one time in a hundred
    tamed: float | None = None  # best score with values cut off at eight robust deviations, where some lie beyond twenty
    selected: float | None = None  # best score on the features that vary with the target by themselves, where they are few
    relevant: float | None = None  # ... their share
    wrong: float | None = None  # classes: share of the kernel's held-out answers that are wrong
    sure_wrong: float | None = None  # ... of the surest quarter of them
    encoded: float | None = None  # best linear score with the columns of few evenly spaced values taken as categories
    codes: int = 0  # how many such columns there are
    local: float | None = None  # best linear score with features of place and order, where rows may have either
    as_classes: float | None = None  # few whole-numbered targets: what a linear map makes of them as classes, 0 (a constant) to 1
    blind: bool = False  # whether no layer of the model knows of place or order

    @property
    def plain(self) -> float:
        """The best score without knowledge of place or order; NaN where there is none."""
        return max((s for s in (self.linear, self.neighbours, self.kernel) if s is not None), default=math.nan)

    def skill(self, score: float) -> float:
        """A score on the scale where a constant is 0 and a perfect score 1."""
        return (score - self.constant) / self._room

    def gain(self, score: float, other: float) -> float:
        """What one score is above another, on the same scale."""
        return (score - other) / self._room

    @property
    def _room(self) -> float:
        return max(1.0 - self.constant, 1e-9)

    @property
    def best(self) -> float:
        """The best score of any learner on all columns."""
        return max([self.plain, *(s for s in (self.local, self.tamed) if s is not None)])
