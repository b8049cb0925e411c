"""The recording: one dataclass per kind of line, and the `Recording` they add up to.

Every line of a saved recording is one of these objects (see `codec.py` and the README beside this file).
Numbers are plain Python floats; a number that was not measured is `None`, a non-finite one is itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

# One line a version, newest last.
# 1: first format.
FORMAT = 1


@dataclass(frozen=True)
class Place:
    """A line of the user's own code. `file` is relative to the working directory where it lies below it."""

    file: str
    line: int
    function: str = ""


@dataclass
class Header:
    """First line: which run this is and under which limits it was watched."""

    kind: ClassVar[str] = "header"
    format: int
    nndoctor: str
    script: str
    arguments: list[str] = field(default_factory=list)
    python: str = ""
    torch: str = ""
    device: str = "cpu"
    threads: int = 0
    steps_limit: int = 0
    seconds_limit: float = 0.0
    run: int = 0  # which training of the script was to be watched, from 1; 0: each, and the last one is judged


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


@dataclass(frozen=True)
class Link:
    """One operation of the autograd graph, read from the loss towards the input."""

    op: str  # "Softmax", "Addmm", ... without "Backward0"
    place: Place | None = None
    module: str = ""  # dotted name of the module whose output it is
    dim: int | None = None  # softmax and log-softmax: the axis, from the front


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
    gate: bool = False  # another signal is multiplied by it, as by attention weights


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
class Holdout:
    """Real-valued inputs of a model in validation passes, by feature as in `Features`; written at the end."""

    kind: ClassVar[str] = "holdout"
    model: int
    rows: int  # values of each feature that were seen
    mean: list[float]
    std: list[float]
    missing: float = 0.0  # share of rows with NaN or Inf


@dataclass
class Overlap:
    """Rows of the last evaluation that one line of the script made, held against the training rows before it.

    Forwards whose rows were all trained on evaluate the training set itself, and do not count where there are others.
    """

    kind: ClassVar[str] = "overlap"
    model: int
    rows: int  # that count
    known: float  # share of them that were trained on
    trained: int  # distinct training rows
    fresh: float  # share of the last fifth of the training rows that were new then: 0 once the training set was seen whole
    twins: float = 0.0  # share of the evaluated rows that repeat another one of them
    covered: float = 0.0  # share of the training rows that were evaluated
    even: bool = False  # whether no training row came more often than the others
    chance: float = 0.0  # that a row equals a training row by luck, were its columns independent
    real: bool = True  # whether the rows hold real numbers
    ahead: float = 0.0  # share of the rows that were first trained on after it, and that were in it
    named: bool = False  # whether the calls of the script that make it speak of validation or test, and not of training
    place: Place | None = None


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
class Sequence:
    """A layer that takes the first axis of its input for time (`batch_first=False`), at its first call in training."""

    kind: ClassVar[str] = "sequence"
    module: str
    type: str
    shape: list[int]  # of its input
    place: Place | None = None


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


@dataclass
class Evaluation:
    """One validation pass: forwards without gradient between two training steps."""

    kind: ClassVar[str] = "evaluation"
    step: int  # training steps made before it
    model: int
    forwards: int
    samples: int
    training: bool  # model.training during the pass
    gradients: bool  # grad mode during the pass
    seconds: float
    loss: float | None = None
    function: str = ""
    accuracy: float | None = None
    r2: float | None = None
    predicted: dict[str, int] = field(default_factory=dict)
    place: Place | None = None


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
        return self.plain if self.local is None else max(self.plain, self.local)


@dataclass
class Call:
    """How often, where first, and where most one thing of the loop was called."""

    kind: ClassVar[str] = "call"
    what: str  # "backward", "step", "zero_grad", "clip", "train", "eval", "schedule", "loader-iter"
    count: int
    place: Place | None


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


@dataclass
class RankInfo:
    """One process of a training that is spread over several.

    The process itself writes what it is; how it ended stands in the recording of all, which holds one for each process.
    """

    kind: ClassVar[str] = "rank"
    rank: int  # -1: of no process group
    world: int  # processes in the group, 0: there is no group
    backend: str = ""  # "" where the launcher named a rank and the script never joined a group
    place: Place | None = None  # where it joined
    watched: bool = True  # False: it trained unseen, or no word came from it
    ended: str = ""  # as the end's reason
    error: str = ""
    steps: int = 0


@dataclass
class Replica:
    """Weights and gradients of one process of a group in a sampled step, as one number a parameter that others can be held against.

    The number is the sum of the leading elements under fixed signs, scaled to the whole tensor: that of a difference of two
    tensors is about as large as its norm.
    """

    kind: ClassVar[str] = "replica"
    step: int  # 0: before the first one
    weights: list[float | None]  # by parameter index, once the step is over; None where each process keeps a part of its own
    gradients: list[float | None] = field(default_factory=list)  # as the optimiser saw them
    rank: int = 0


@dataclass
class Shard:
    """What one process of a group trained on: a checksum of each batch, whatever the order of its rows; written at the end."""

    kind: ClassVar[str] = "shard"
    model: int
    batches: list[int]
    rank: int = 0


@dataclass
class Training:
    """A training of the script after its first one; earlier lines belong to those before it."""

    kind: ClassVar[str] = "training"
    index: int  # from 1; the first has no line
    step: int  # steps that were watched before it
    place: Place | None = None  # where its optimiser was constructed


@dataclass
class ChangeMade:
    """A trial only: a change of the run, and how often it took hold."""

    kind: ClassVar[str] = "change"
    change: str  # as `nndoctor try --change` takes it
    applied: int


@dataclass
class SourceHint:
    """A line of the user's files that looks like a slip: `uncalled:METHOD` or `moved-apart`. Whether it was reached is not known."""

    kind: ClassVar[str] = "hint"
    what: str
    place: Place
    text: str


@dataclass
class Problem:
    """A part of the watch that could not do its work; the rest of the recording stands."""

    kind: ClassVar[str] = "problem"
    part: str
    error: str


@dataclass
class End:
    """Last line: how the run ended."""

    kind: ClassVar[str] = "end"
    reason: str  # "finished", "left" (the block of a program), "steps", "seconds", "error", "exit", "interrupt", "peer", "next" (training of the script); "signal", "timeout", "lost" by the parent
    steps: int
    backwards: int
    forwards: int
    seconds: float  # of training
    total_seconds: float
    exit_code: int = 0
    error: str = ""  # "ValueError: ..."
    traceback: str = ""  # the script's own lines only
    place: Place | None = None
    peak_memory: int = 0  # bytes, resident
    events: list[str] = field(default_factory=list)  # the loop's first calls, in order
    weights_moved: bool | None = None  # parameters differ from their first sight
    moved_by_hand: bool = False  # ... without an optimiser's step
    frozen: list[int] = field(default_factory=list)  # parameters with requires_grad off at the last look
    ran: list[str] = field(default_factory=list)  # modules with parameters that ran in a training forward


RECORD_TYPES: tuple[type, ...] = (
    Header, ModelInfo, ModuleInfo, ParameterInfo, OptimizerInfo, SettingChange, SchedulerInfo, LoaderInfo, LossInfo,
    Graph, Step, Sample, Activation, Site, Features, Labels, Holdout, Overlap, TrainingRows, Sequence, Recurrence, Evaluation, Reference, Call, ModuleMode, NonFinite, Training, RankInfo, Replica, Shard, SourceHint, ChangeMade, Problem, End,
)  # fmt: skip


@dataclass
class Recording:
    """A whole run as it was seen. Lists are in order of time; `end` is None where the stream broke off."""

    header: Header
    models: list[ModelInfo] = field(default_factory=list)
    modules: list[ModuleInfo] = field(default_factory=list)
    parameters: list[ParameterInfo] = field(default_factory=list)
    optimizers: list[OptimizerInfo] = field(default_factory=list)
    settings: list[SettingChange] = field(default_factory=list)
    schedulers: list[SchedulerInfo] = field(default_factory=list)
    loaders: list[LoaderInfo] = field(default_factory=list)
    losses: list[LossInfo] = field(default_factory=list)
    graphs: list[Graph] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    activations: list[Activation] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    features: list[Features] = field(default_factory=list)
    labels: list[Labels] = field(default_factory=list)
    holdouts: list[Holdout] = field(default_factory=list)
    overlaps: list[Overlap] = field(default_factory=list)
    rows: list[TrainingRows] = field(default_factory=list)
    sequences: list[Sequence] = field(default_factory=list)
    recurrences: list[Recurrence] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    modes: list[ModuleMode] = field(default_factory=list)
    nonfinite: list[NonFinite] = field(default_factory=list)
    hints: list[SourceHint] = field(default_factory=list)
    ranks: list[RankInfo] = field(default_factory=list)
    replicas: list[Replica] = field(default_factory=list)
    shards: list[Shard] = field(default_factory=list)
    trainings: list[Training] = field(default_factory=list)
    changes: list[ChangeMade] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    end: End | None = None

    @property
    def gone(self) -> RankInfo | None:
        """The first process of the group, other than the one that this is of, that was killed or left without a word."""
        return next((r for r in self.ranks[1:] if r.world and r.ended in ("signal", "lost")), None)

    def call(self, what: str) -> Call | None:
        """The record of one of the loop's calls, None where it never happened."""
        return next((c for c in self.calls if c.what == what), None)
