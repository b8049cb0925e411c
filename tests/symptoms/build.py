"""Recordings built by hand: two healthy runs that lack nothing, and small parts from which a test makes a sick one.

The records are plain mutable objects: a test takes `healthy()`, changes the one thing that it is about, and asks which
symptoms hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from nndoctor.record.model import (
    FORMAT,
    Activation,
    Call,
    End,
    Evaluation,
    Features,
    Graph,
    Header,
    Labels,
    Link,
    LoaderInfo,
    LossInfo,
    ModelInfo,
    ModuleInfo,
    OptimizerGroup,
    OptimizerInfo,
    ParameterInfo,
    ParameterSample,
    Place,
    RankInfo,
    Recording,
    Reference,
    Replica,
    Sample,
    Shard,
    Site,
    Step,
    TensorStats,
)
from nndoctor.symptoms.catalogue import notice
from nndoctor.symptoms.model import Symptom

SCRIPT = "train.py"
BUILT, LOSS, BACKWARD, CLEARED, STEPPED, OPTIMIZER = (Place(SCRIPT, line) for line in (10, 30, 31, 29, 32, 20))
LOOKS = (1, 2, 3, 5, 7, *range(10, 101, 10))  # steps that were looked at closely
NUMBERS = 3466  # of the healthy network: 64*32+32, 32*32+32 and 32*10+10


# --- asking -------------------------------------------------------------------------------------------------------


def symptom_of(recording: Recording, name: str, limit: float | None = None) -> Symptom:
    """The symptom of that name, which must hold; `limit` replaces its own threshold."""
    found = {s.name: s for s in notice(recording, {} if limit is None else {name: limit})}
    assert name in found, f"{name} does not hold; what does: {', '.join(found) or 'nothing'}"
    return found[name]


def lacks(recording: Recording, name: str, limit: float | None = None) -> bool:
    """Whether the symptom of that name does not hold; `limit` replaces its own threshold."""
    return name not in {s.name for s in notice(recording, {} if limit is None else {name: limit})}


# --- parts --------------------------------------------------------------------------------------------------------


def header() -> Header:
    """The first line of every recording here."""
    return Header(FORMAT, "0.1.0", SCRIPT, steps_limit=300, seconds_limit=60.0)


def geometric(first: float, last: float, count: int = 100, ripple: float = 0.01) -> list[float]:
    """Losses from first to last by the same factor a step, every other one off by a ripple."""
    factor = (last / first) ** (1 / (count - 1))
    return [first * factor**i * (1 - ripple if i % 2 else 1) for i in range(count)]


def steps(losses: Iterable[float | None], **fields: Any) -> list[Step]:
    """One step a loss, all with the same fields."""
    return [replace(Step(i, 0.01 * i, loss), **deepcopy(fields)) for i, loss in enumerate(losses, 1)]


def run_of(losses: Iterable[float | None], **fields: Any) -> Recording:
    """A recording that knows its losses and nothing else; `fields` are those of every step."""
    return Recording(header(), steps=steps(losses, **fields))


def links(*ops: str, module: str = "net.4") -> list[Link]:
    """Operations from the prediction towards the last layer."""
    return [Link(op, LOSS, module, 1 if "Softmax" in op else None) for op in ops]


def tensor(*shape: int, dtype: str = "float32", min: float = -3.0, max: float = 3.0, **fields: Any) -> TensorStats:
    """Numbers of that shape."""
    return TensorStats(list(shape), dtype, min, max, 0.0, 1.0, **fields)


def parameter(index: int, name: str, *shape: int, **fields: Any) -> ParameterInfo:
    """A tensor as torch's layers make it: uniform within one over the root of the fan-in."""
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else 0
    bound = 1 / math.sqrt(fan_in or shape[0])
    made = ParameterInfo(
        index, name, list(shape), "float32", True, name.rpartition(".")[0], "Linear", 0, fan_in,
        0.0, bound / math.sqrt(3), bound, 1.8, BUILT,
    )  # fmt: skip
    return replace(made, **fields)


def layers(*widths: int) -> list[ParameterInfo]:
    """Weights and biases of net.0, net.2, net.4 and so on, from the width of the input to that of the output."""
    found: list[ParameterInfo] = []
    for i, (n, m) in enumerate(zip(widths, widths[1:])):  # noqa: B905 - one shorter on purpose
        found.append(parameter(2 * i, f"net.{2 * i}.weight", m, n))
        found.append(parameter(2 * i + 1, f"net.{2 * i}.bias", m))
    return found


def adam(*parameters: int, index: int = 0, **fields: Any) -> OptimizerInfo:
    """An optimiser of these parameters."""
    return replace(
        OptimizerInfo(index, "Adam", [OptimizerGroup({"lr": 1e-3}, list(parameters))], OPTIMIZER), **fields
    )


def looks(
    parameters: Sequence[int],
    at: Iterable[int] = LOOKS,
    *,
    weight: float = 4.0,
    update: float | None = 4e-3,
    gradient: float | None = 0.5,
    agreement: float | None = 0.2,
    **fields: Any,
) -> list[Sample]:
    """A closer look at some steps, at each the same; `fields` are those of the samples."""
    seen = [ParameterSample(i, weight, update, gradient, 0.0, 0.0, 0.0, agreement) for i in parameters]
    return [Sample(step, deepcopy(seen), **fields) for step in at]


def relu(number: int, **fields: Any) -> Site:
    """The activation after net.<number - 1>, in good health."""
    return replace(Site(f"net.{number}", "relu", number, 32, 0.0, 0.05, 15, place=BUILT, module=f"net.{number}"), **fields)


def outputs(site: str, function: str = "relu", **fields: Any) -> list[Activation]:
    """What one site put out at the steps that were looked at."""
    seen = Activation(1, site, function, 0.4, 0.6, 3.0, 0.5, None, 0.5)
    return [replace(seen, step=step, **fields) for step in LOOKS]


def inputs(*, columns: int = 64, mean: float = 0.0, std: float = 1.0, **fields: Any) -> Features:
    """Inputs of which every feature has that mean and that deviation."""
    made = Features(
        0, [32, columns], "float32", 3200, 1500, [mean] * columns, [std] * columns, [mean - 3 * std] * columns,
        [mean + 3 * std] * columns, [0.0] * columns, between=std, structure=0.5,
    )  # fmt: skip
    return replace(made, **fields)


def classes(counts: dict[str, int], predicted: dict[str, int] | None = None, **fields: Any) -> Labels:
    """Class labels seen that often; predicted as often in the last looks, where nothing else is said."""
    made = Labels(0, "classes", sum(counts.values()), len(counts), dict(counts), dict(predicted or counts))
    return replace(made, **fields)


def reals(mean: float = 0.0, std: float = 1.0, **fields: Any) -> Labels:
    """Real targets."""
    made = Labels(0, "real", 3200, mean=[mean], std=[std], min=mean - 2.5 * std, max=mean + 2.5 * std)
    return replace(made, **fields)


def reference(
    constant: float, linear: float | None, neighbours: float | None, kernel: float | None, **fields: Any
) -> Reference:
    """What closed-form learners reach on 600 of the training rows."""
    return replace(Reference(0, "classes", 600, 64, constant, linear, neighbours, kernel, chance=0.06), **fields)


def evaluation(step: int, **fields: Any) -> Evaluation:
    """One validation pass."""
    return replace(Evaluation(step, 0, 4, 128, False, False, 0.1, function="cross_entropy"), **fields)


# --- whole runs ---------------------------------------------------------------------------------------------------


def healthy(
    losses: Sequence[float | None] | None = None,
    *,
    accuracy: float | None = 0.95,
    widths: Sequence[int] = (64, 32, 32, 10),
) -> Recording:
    """A classifier of ten classes that learns: linear layers with ReLU between, Adam, cross-entropy, 100 steps."""
    made = layers(*widths)
    every = [p.index for p in made]
    depth = len(widths) - 1
    size = sum(math.prod(p.shape) for p in made)
    losses = geometric(2.3, 0.2) if losses is None else losses
    counts = {str(k): 320 for k in range(10)}
    hidden = [2 * i + 1 for i in range(depth - 1)]
    return Recording(
        header(),
        models=[ModelInfo(0, "net", "Sequential", size, size, BUILT, LOSS)],
        modules=[ModuleInfo(0, p.module, "Linear", True, math.prod(p.shape), place=BUILT) for p in made[::2]],
        parameters=made,
        optimizers=[adam(*every)],
        loaders=[LoaderInfo(0, 32, True, "RandomSampler", 1500, 0, False, Place(SCRIPT, 5))],
        losses=[
            LossInfo(
                0, "cross_entropy", LOSS, tensor(32, 10), tensor(32, dtype="int64", min=0.0, max=9.0, integers=True),
                "int64", {"reduction": "mean"}, links("Addmm", module=made[-1].module), len(losses),
            )
        ],
        graphs=[
            Graph(
                1, BACKWARD, {"NllLoss": 1, "LogSoftmax": 1, "Addmm": depth, "Relu": depth - 1}, every,
                links("NllLoss", "LogSoftmax", "Addmm"), depth, depth - 1, 0, [0],
            )
        ],
        steps=steps(
            losses, batch=32, gradient_norm=1.0, held=len(made), input_sum=1.0, target_sum=1.0, optimizers=[0], training=True,
            norms=[0.1 * math.sqrt(math.prod(p.shape)) for p in made],
        ),
        samples=looks(every, expected=-0.02, accuracy=accuracy),
        activations=[a for n in hidden for a in outputs(f"net.{n}")],
        sites=[relu(n) for n in hidden],
        features=[inputs(columns=widths[0])],
        labels=[classes(counts)],
        evaluations=[evaluation(s, loss=1.0 - 0.007 * s, accuracy=accuracy) for s in (25, 50, 75, 100)],
        references=[reference(0.1, 0.9, 0.92, 0.94)],
        calls=[
            Call("forward", 100, LOSS), Call("zero_grad", 100, CLEARED), Call("backward", 100, BACKWARD), Call("step", 100, STEPPED),
        ],
        end=End("steps", len(losses), len(losses), len(losses) + 16, 2.0, 4.0, weights_moved=True, ran=[p.module for p in made[::2]]),
    )  # fmt: skip


def regression(losses: Sequence[float | None] | None = None, *, r2: float | None = 0.9) -> Recording:
    """A regression of one real value that learns: the same layers, squared error."""
    recording = healthy(geometric(1.0, 0.1) if losses is None else losses, accuracy=None, widths=(64, 32, 32, 1))
    loss = recording.losses[0]
    loss.function, loss.prediction, loss.target, loss.target_source = "mse_loss", tensor(32, 1), tensor(32, 1), "float32"
    recording.graphs[0].chain = links("MseLoss", "Addmm")
    recording.labels = [reals()]
    recording.references = [reference(0.0, 0.85, 0.8, 0.9, task="real")]
    recording.evaluations = [evaluation(s, loss=0.2, r2=r2, function="mse_loss") for s in (25, 50, 75, 100)]
    for sample in recording.samples:
        sample.r2 = r2
    return recording


def stuck() -> Recording:
    """The classifier where it learns nothing: losses at ln 10, accuracy at a tenth."""
    return healthy([2.302, 2.304] * 50, accuracy=0.1)


def spread(
    weights: Callable[[int, int], list[float | None]] = lambda rank, step: [1.0 + 0.01 * step] * 6,
    gradients: Callable[[int, int], list[float | None]] = lambda rank, step: [0.5] * 6,
    batches: Callable[[int], list[int]] = lambda rank: list(range(1000 * rank, 1000 * rank + 100)),
    ranks: int = 2,
) -> Recording:
    """The healthy classifier, trained by several ranks that are wrapped; what each holds by rank and step."""
    recording = healthy()
    recording.ranks = [RankInfo(rank, ranks, "gloo", Place(SCRIPT, 3), ended="steps", steps=100) for rank in range(ranks)]
    looked = [(rank, step) for rank in range(ranks) for step in (0, *LOOKS)]
    recording.replicas = [Replica(step, weights(rank, step), gradients(rank, step) if step else [], rank) for rank, step in looked]
    recording.shards = [Shard(0, batches(rank), rank) for rank in range(ranks)]
    recording.calls += [Call("wrap", 1, Place(SCRIPT, 12)), Call("wrapped-forward", 100, LOSS), Call("set-epoch", 3, None)]
    return recording


def change(records: Iterable[Any], **fields: Any) -> None:
    """Set fields of every one of these records."""
    for record in records:
        for name, value in fields.items():
            if not hasattr(record, name):
                raise AttributeError(f"{type(record).__name__} has no field {name!r}")
            setattr(record, name, value)
