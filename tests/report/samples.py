"""Diagnoses made by hand, one for each kind of report."""

from __future__ import annotations

import math
from dataclasses import replace

from nndoctor.diagnosis.model import Curve, Diagnosis, RuledOut, Suspect, Trial, UnusedComment
from nndoctor.findings.baseline import compared, fingerprinted
from nndoctor.knowledge.model import Cause, Evidence, Fix
from nndoctor.record.model import (
    Activation,
    Call,
    End,
    Evaluation,
    Features,
    Graph,
    Header,
    Labels,
    LoaderInfo,
    LossInfo,
    ModelInfo,
    ModuleInfo,
    OptimizerGroup,
    OptimizerInfo,
    ParameterInfo,
    ParameterSample,
    Place,
    Recording,
    Sample,
    SchedulerInfo,
    SettingChange,
    Site,
    Step,
    TensorStats,
)
from nndoctor.symptoms.model import Symptom

SCRIPT = "train.py"


def cause(name: str, title: str, **fields: object) -> Cause:
    """A page with everything on it; `fields` replace what a sample wants otherwise."""
    page = Cause(
        id=name,
        title=title,
        stage="loss",
        what="The values that reach the loss are not what the loss expects.",
        why="The loss normalises what it is given.\nGiven probabilities, it normalises twice.",
        severity="error",
        prior=-3.0,
        needs=["double-softmax"],
        evidence=[Evidence("double-softmax", 6.0), Evidence("loss-flat", 0.5), Evidence("learns", -2.0)],
        leads_to=["lr-too-low"],
        known_problems="A softmax inside attention is no fault.",
        fixes=[Fix("Return the logits.", "return self.head(x)")],
        documents=["B-output"],
        references=["https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html"],
    )
    return replace(page, **fields)  # type: ignore[arg-type]


LOSS_INPUT = cause(
    "loss-input",
    "Softmax before a loss that applies its own",
    fixes=[
        Fix(
            "Remove the nn.Softmax at the end of the model: nn.CrossEntropyLoss wants the logits.",
            "nn.Linear(128, 10),",
        ),
        Fix(
            "Keep the probabilities, take their logarithm, and use nn.NLLLoss.",
            "loss = F.nll_loss(p.clamp_min(1e-8).log(), y)",
        ),
        Fix("Normalise the inputs.", "", ["input-scale"]),
    ],
    documents=["B-output", "A-lr-overflow", "B-loss"],
)
LR_LOW = cause(
    "lr-too-low",
    "Learning rate too low",
    severity="warning",
    stage="optimization",
    fixes=[
        Fix("Raise the learning rate tenfold and look again.", "optimizer = torch.optim.SGD(net.parameters(), lr=0.5)")
    ],
    documents=["A-lr-low"],
)
INIT = cause("bad-initialization", "Weights that start at an unsuitable size", severity="warning", stage="model")
SMALL = cause("dataset-too-small", "Too few samples", severity="note", stage="data")
BATCH = cause("batch-too-large", "Batch so large that few updates are made", severity="note", stage="optimization")

DOUBLE = Symptom(
    "double-softmax",
    "cross_entropy applies log-softmax to the output of a softmax: probabilities are normalised twice.",
    2.0,
    1.0,
    where="net.2",
    place=Place(SCRIPT, 14),
)
FLAT = Symptom("loss-flat", "The loss fell by 3.1 % from its first value in 161 steps (2.31 to 2.24).", 0.031, 0.05)
TINY = Symptom(
    "updates-tiny", "A step changes the weights of net.0 by 2.1e-6 of their size.", 2.1e-6, 1e-5, where="net.0.weight"
)
ROWS = Symptom("logits-as-probabilities", "Each row of the output sums to 1.000.", 1.0, 0.999)
PRESENT = Symptom("signal-present", "A linear learner reaches 91 % accuracy on the same batches.", 0.91, 0.3)


def network(recording: Recording) -> None:
    """Two linear layers and a relu, under SGD with momentum, on a shuffled loader of digits."""
    recording.models.append(
        ModelInfo(0, "net", "Sequential", 9610, 9610, Place(SCRIPT, 11, "build"), Place(SCRIPT, 30))
    )
    recording.modules += [
        ModuleInfo(0, "net", "Sequential", False, 9610),
        ModuleInfo(0, "net.0", "Linear", True, 8320, {"in_features": 64, "out_features": 128}),
        ModuleInfo(0, "net.1", "ReLU", True, 0),
        ModuleInfo(0, "net.drop", "Dropout", True, 0, {"p": 0.2}),
        ModuleInfo(0, "net.2", "Linear", True, 1290, {"in_features": 128, "out_features": 10}),
    ]
    for i, (name, shape) in enumerate(
        [("net.0.weight", [128, 64]), ("net.0.bias", [128]), ("net.2.weight", [10, 128]), ("net.2.bias", [10])]
    ):
        recording.parameters.append(
            ParameterInfo(i, name, shape, "float32", True, name.rpartition(".")[0], "Linear", 0, 64, 0.0, 0.07, 0.12)
        )
    group = OptimizerGroup({"lr": 0.05, "momentum": 0.9, "weight_decay": 0, "nesterov": False}, [0, 1, 2, 3])
    recording.optimizers.append(OptimizerInfo(0, "SGD", [group], Place(SCRIPT, 22)))
    recording.schedulers.append(SchedulerInfo(0, "StepLR", Place(SCRIPT, 23)))
    recording.settings.append(SettingChange(101, 0, 0, {"lr": 0.005}))
    recording.loaders.append(LoaderInfo(0, 64, True, "RandomSampler", 1437, 2, False, Place(SCRIPT, 18)))
    recording.losses.append(
        LossInfo(
            0, "cross_entropy", Place(SCRIPT, 31, "train"), TensorStats([64, 10], "float32", 0.0, 1.0),
            TensorStats([64], "int64", 0, 9, integers=True), calls=161,
        )
    )  # fmt: skip
    recording.graphs.append(Graph(1, Place(SCRIPT, 32), {"Addmm": 2}, [0, 1, 2, 3], [], 2, 1, 0))
    recording.features.append(Features(0, [64, 64], "float32", 1437, 1437, [0.3], [0.4], [0.0], [1.0], [0.0]))
    recording.labels.append(
        Labels(0, "classes", 1437, 10, {str(i): 150 - 2 * i for i in range(10)}, {"3": 400, "7": 112})
    )
    recording.calls.append(Call("backward", 161, Place(SCRIPT, 32)))


def sampled(recording: Recording, scale: float = 1.0) -> None:
    """Three closer looks at the weights and activations of `network`."""
    for step in (1, 80, 160):
        recording.samples.append(
            Sample(
                step,
                [
                    ParameterSample(0, 9.2, 2e-5 * scale, 4e-4 * scale, 0.1, 0.0),
                    ParameterSample(1, 0.8, 2e-6 * scale, 4e-5 * scale, 0.0, 0.0),
                    ParameterSample(2, 1.9, 6e-5 * scale, 1.2e-3 * scale, 0.0, 0.0),
                    ParameterSample(3, 0.2, 6e-6 * scale, 1.2e-4 * scale, 0.0, 0.0),
                ],
            )
        )
        recording.activations += [
            Activation(step, "net.0", "Linear", 0.01, 0.62, 3.1, 0.0, None, 0.5),
            Activation(step, "net.1", "relu", 0.24, 0.4, 3.1, 0.503, None, 0.3),
            Activation(step, "net.2", "softmax", 0.1, 0.02, 0.2, 0.0, 0.004, 0.01),
        ]
    recording.sites += [
        Site("net.0", "Linear", 0, 128, None, None, 3, module="net.0"),
        Site("net.1", "relu", 1, 128, 0.0, 0.0313, 3, module="net.1", place=Place(SCRIPT, 12)),
        Site("net.2", "softmax", 2, 10, None, None, 3, False, module="net.2"),
    ]


def steps(recording: Recording, losses: list[float]) -> None:
    """One step a loss, 25 ms apart."""
    recording.steps += [
        Step(i, round(0.025 * i, 6), loss, batch=64 if i % 23 else 29, gradient_norm=0.01, optimizers=[0])
        for i, loss in enumerate(losses, 1)
    ]


def header(**fields: object) -> Header:
    return replace(Header(1, "0.1.0", SCRIPT, ["--epochs", "7"], "3.11.7", "2.13.0", "cpu", 2, 300, 60.0), **fields)  # type: ignore[arg-type]


def noisy(i: int) -> float:
    """A number between -1 and 1 that looks like noise and is not random."""
    return math.sin(12.9898 * i) * math.cos(78.233 * i)


BYPASSED = Trial(
    "output activation bypassed", 161, 0.21, 0.97, "accuracy", "confirmed", "output=identity", "loss-input",
    gain=0.84, reached=0.96, seconds=3.1, way="fork", losses=[(n, 2.3 / n) for n in range(1, 162, 20)],
)  # fmt: skip
REFUTED = Trial(
    "learning rate x 10", 161, 0.21, 0.18, "accuracy", "refuted", "lr*10", "lr-too-low", 1, -0.03, 0.09, seconds=2.7, way="fork"
)
IMPOSSIBLE = Trial(
    "loader shuffled", 161, None, None, "", "not possible", "loader=shuffled", "not-shuffled",
    reason="there was nothing in this run that it could change", seconds=4.4, way="fresh",
)  # fmt: skip
CONTROL = Trial(
    "one batch, repeated", 161, 0.21, 0.95, "accuracy", "control", "one-batch=repeated", "", 1, 0.8, 0.94, seconds=2.2, way="fork"
)


def sick() -> Diagnosis:
    """A softmax before cross-entropy: two suspects, one a consequence, and two notes."""
    recording = Recording(header())
    network(recording)
    sampled(recording)
    steps(recording, [2.303 - 0.0004 * i + 0.01 * noisy(i) for i in range(161)])
    recording.evaluations += [
        Evaluation(
            23 * k, 0, 6, 360, False, False, 0.02, 2.301 - 0.01 * k, "cross_entropy", 0.2, place=Place(SCRIPT, 40)
        )
        for k in range(1, 8)
    ]
    recording.end = End("finished", 161, 161, 203, 4.1, 6.2, peak_memory=412_000_000)
    return Diagnosis(
        verdict="sick",
        suspects=[
            Suspect(
                LOSS_INPUT, 0.97, "error", [DOUBLE, ROWS, FLAT], [], Place(SCRIPT, 14, "build"), "net.3",
                BYPASSED,
            ),
            Suspect(LR_LOW, 0.21, "warning", [TINY, FLAT], [], Place(SCRIPT, 22), consequence_of="loss-input"),
            Suspect(INIT, 0.06, "warning", [FLAT], [PRESENT]),
            Suspect(SMALL, 0.4, "note", [Symptom("few-samples", "1,437 samples for 9,610 parameters.", 0.15, 0.2)]),
            Suspect(BATCH, 0.1, "note", [], location=Place(SCRIPT, 18)),
        ],
        symptoms=[DOUBLE, ROWS, FLAT, TINY, PRESENT],
        trials=[BYPASSED, REFUTED, IMPOSSIBLE, CONTROL],
        ruled_out=[
            RuledOut(cause("dying-relu", "ReLU units that are dead"), "3.1 % of the units of net.1 never fired; half would be a fault."),
            RuledOut(cause("missing-zero-grad", "Gradients that are never cleared"), "No gradient was left over when backward began."),
        ],
        curve=Curve(
            "The loss hardly falls in training or in validation.", 2.303, 2.241, 2.302, 0.03, "accuracy", 0.21, 0.2
        ),
        reasons=[],
        recording=recording,
    )  # fmt: skip


def healthy() -> Diagnosis:
    """A run that learns, with one note."""
    recording = Recording(header())
    network(recording)
    sampled(recording, 40.0)
    steps(recording, [0.08 + 2.25 * math.exp(-i / 35) * (1 + 0.1 * noisy(i)) for i in range(300)])
    recording.evaluations += [
        Evaluation(23 * k, 0, 6, 360, False, False, 0.02, 0.15 + 2.25 * math.exp(-23 * k / 35), "cross_entropy", 0.95)
        for k in range(1, 13)
    ]
    recording.end = End("steps", 300, 300, 372, 7.6, 9.1)
    return Diagnosis(
        verdict="healthy",
        suspects=[
            Suspect(SMALL, 0.4, "note", [Symptom("few-samples", "1,437 samples for 9,610 parameters.", 0.15, 0.2)])
        ],
        symptoms=[PRESENT],
        ruled_out=[RuledOut(LOSS_INPUT, "cross_entropy is given the output of a linear layer.")],
        curve=Curve(
            "Training and validation loss both fall: still learning.", 2.21, 0.085, 2.302, 0.96, "accuracy", 0.98, 0.95
        ),
        reasons=[
            "The loss fell from 2.21 to 0.085, where the best constant prediction stays at 2.30.",
            "98 % of the training batches' samples are classified correctly, 95 % in validation.",
            "Every one of the 4 parameter tensors receives a gradient and moves, by 1e-3 of its size a step.",
        ],
        recording=recording,
    )


def diverged() -> Diagnosis:
    """A rate far too high: the loss explodes, turns NaN at step 12, and the script raises at step 40."""
    recording = Recording(header(script="runs/train [v2].py", arguments=["--name", "[red]not a style[/red]"]))
    network(recording)
    recording.optimizers[0].groups[0].settings["lr"] = 5.0
    recording.models[0].name, recording.models[0].type = "nets[0]", "Net[bold]"
    recording.settings.clear()
    steps(recording, [2.3 * 9.0**i for i in range(11)] + [math.inf, *[math.nan] * 28])
    place = Place("runs/train [v2].py", 41, "fit")
    recording.end = End(
        "error", 40, 40, 41, 0.9, 2.8, 1, "RuntimeError: loss is [nan]", place=place,
        traceback='Traceback (most recent call last):\n  File "runs/train [v2].py", line 41, in fit\n'
        '    raise RuntimeError(f"loss is [{loss}]")\nRuntimeError: loss is [nan]\n',
    )  # fmt: skip
    high = cause("lr-too-high", "Learning rate too high", stage="optimization", documents=["A-lr-high", "A-lr-clip"])
    nan = Symptom("loss-nonfinite", "The loss is not a number from step 12 on.", 12.0, None)
    huge = Symptom("updates-huge", "A step changes the weights of nets[0].0 by 310 times their size.", 310.0, 0.1)
    return Diagnosis(
        verdict="sick",
        suspects=[Suspect(high, 0.99, "error", [nan, huge], [PRESENT], Place("runs/train [v2].py", 22), "nets[0]")],
        symptoms=[nan, huge, PRESENT],
        ruled_out=[],
        curve=Curve("Training loss rises: a bad structure, bad settings or dirty data.", 2.3, math.nan, 2.302),
        reasons=[],
        recording=recording,
    )


def inconclusive() -> Diagnosis:
    """The script raises before its first step."""
    recording = Recording(header())
    recording.end = End(
        "error", 0, 0, 0, 0.0, 1.3, 1, "FileNotFoundError: [Errno 2] No such file or directory: 'digits.csv'",
        'Traceback (most recent call last):\n  File "train.py", line 8, in <module>\n    data = load("digits.csv")\n'
        '  File "train.py", line 4, in load\n    return open(name)\n'
        "FileNotFoundError: [Errno 2] No such file or directory: 'digits.csv'\n",
        Place(SCRIPT, 4, "load"),
    )  # fmt: skip
    return Diagnosis(
        "inconclusive", [], [], [], Curve("", None, None, None), ["The script raised FileNotFoundError: [Errno 2] No such file or directory: 'digits.csv' after 0 training steps."], recording
    )  # fmt: skip


def weighed() -> Diagnosis:
    """The sick run against a baseline that holds its second suspect, with a comment that silences a cause and one that does not."""
    marked = fingerprinted(sick())
    dropped = cause("over-regularization", "Regularisation too strong for what there is to learn", severity="warning")
    silenced = Suspect(dropped, 0.61, "warning", [FLAT], location=Place(SCRIPT, 12), fingerprint="0" * 32)
    unused = UnusedComment(Place(SCRIPT, 20), "# nndoctor: ignore[not-shuffled]", "not-shuffled was not found there")
    return replace(compared(marked, {marked.suspects[1].fingerprint}), silenced=[silenced], unused_comments=[unused], fail_on="error")


SAMPLES = {"sick": sick, "healthy": healthy, "diverged": diverged, "inconclusive": inconclusive, "weighed": weighed}
