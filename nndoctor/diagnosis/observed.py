"""What a run was made of, as plain names and values: what two runs can be compared by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from nndoctor.record.model import LoaderInfo, Recording
from nndoctor.symptoms.view import View

Facts = dict[str, Any]  # name -> a number, a string, a bool, None, or a list of them


def settings_of(recording: Recording) -> dict[str, Facts]:
    """Everything that somebody chose, by subject: the run, its loss, optimiser, loop, data and model.

    The names within a subject are those that a person would use; a value that was not seen is left out.
    """
    found = {
        "run": _run(recording),
        "loss": dict(_loss(recording)),
        "optimiser": dict(_optimizers(recording)),
        "loop": dict(_loop(recording)),
        "data": dict(_data(recording)),
        "model": dict(_model(recording)),
    }
    return {subject: {k: v for k, v in facts.items() if v is not None} for subject, facts in found.items()}


def _run(recording: Recording) -> Facts:
    header = recording.header
    return {
        "script": header.script, "arguments": list(header.arguments), "device": header.device, "threads": header.threads or None,
        "Python": header.python or None, "torch": header.torch or None, "nndoctor": header.nndoctor,
    }  # fmt: skip


def _model(recording: Recording) -> Iterator[tuple[str, Any]]:
    for model in recording.models:
        yield model.name, model.type
        yield f"{model.name} parameters", model.parameters
        yield f"{model.name} trainable", model.trainable
    for module in recording.modules:
        if module.leaf or module.settings:
            yield module.name, module.type
        for key, value in module.settings.items():
            yield f"{module.name} {key}", value
    for parameter in recording.parameters:
        yield f"{parameter.name} shape", list(parameter.shape)
        yield f"{parameter.name} type", parameter.dtype
    for site in recording.sites:
        if not site.module:  # a function: modules have been named above
            yield f"function {site.order}", site.function


def _loss(recording: Recording) -> Iterator[tuple[str, Any]]:
    for i, loss in enumerate(recording.losses):
        name = "loss" if i == 0 else f"loss {i + 1}"
        yield name, loss.function
        for key, value in loss.settings.items():
            yield f"{name} {key}", value
        for part, stats in (("prediction", loss.prediction), ("target", loss.target)):
            if stats is not None:
                yield f"{name} {part} type", stats.dtype
                yield f"{name} {part} shape", list(stats.shape)
        if loss.chain:
            yield f"{name} reads", " <- ".join(link.op for link in loss.chain)


def _optimizers(recording: Recording) -> Iterator[tuple[str, Any]]:
    yield "optimisers", [o.type for o in recording.optimizers]
    for i, optimizer in enumerate(recording.optimizers):
        for j, group in enumerate(optimizer.groups):
            name = " ".join(x for x in (f"optimiser {i + 1}" if i else "", f"group {j + 1}" if j else "") if x)
            for key, value in group.settings.items():
                yield f"{name} {key}".strip(), value
            yield f"{name} tensors".strip(), len(group.parameters)
            moves = [c.values["lr"] for c in recording.settings if (c.optimizer, c.group) == (optimizer.index, j) and "lr" in c.values]
            yield f"{name} lr changes".strip(), len(moves)
    yield "schedulers", [s.type for s in recording.schedulers]


def _loop(recording: Recording) -> Iterator[tuple[str, Any]]:
    yield "batch size", _usual([s.batch for s in recording.steps])
    yield "backward calls a step", _usual([s.backwards for s in recording.steps])
    yield "gradients clipped at", _usual([s.clip for s in recording.steps])
    yield "training mode", _usual([s.training for s in recording.steps])
    yield "gradients left over", any(s.carried for s in recording.steps) if recording.steps else None
    for what in ("zero_grad", "step", "clip", "train", "eval", "schedule"):
        yield f"calls {what}", recording.call(what) is not None
    yield "validation samples", _usual([e.samples for e in recording.evaluations])
    yield "validation in training mode", _usual([e.training for e in recording.evaluations])


def _data(recording: Recording) -> Iterator[tuple[str, Any]]:
    for i, loader in enumerate(recording.loaders):
        yield from _loader("loader" if i == 0 else f"loader {i + 1}", loader)
    for i, features in enumerate(recording.features):
        name = "inputs" if i == 0 else f"inputs {i + 1}"
        yield f"{name} type", features.dtype
        yield f"{name} shape", list(features.shape[1:])
    for i, labels in enumerate(recording.labels):
        name = "targets" if i == 0 else f"targets {i + 1}"
        yield name, labels.task
        yield f"{name} classes", len(labels.counts) or None


def _loader(name: str, loader: LoaderInfo) -> Iterator[tuple[str, Any]]:
    yield f"{name} batch size", loader.batch_size
    yield f"{name} shuffled", loader.shuffled
    yield f"{name} sampler", loader.sampler
    yield f"{name} samples", loader.length
    yield f"{name} workers", loader.workers
    yield f"{name} drops the last batch", loader.drop_last


def _usual(values: list[Any]) -> Any:
    """The most frequent value; None where there is none."""
    known = Counter(v for v in values if v is not None)
    return known.most_common(1)[0][0] if known else None


def measures_of(recording: Recording) -> dict[str, float]:
    """What came out, as numbers: losses, scores, gradients, and the scale of inputs, targets and first weights.

    The same measure of two runs of equal length can be compared; seeds alone move all of them a little.
    """
    view = View(recording)
    validated = [e.loss for e in view.evaluations if e.loss is not None]
    found = {
        "first loss": view.first, "last loss": view.last, "loss of a constant": view.constant, "training accuracy": view.accuracy,
        "training R2": view.r2, "validation loss": validated[-1] if validated else None, "gradient norm": _middle([s.gradient_norm for s in view.steps_seen]),
        "update": _middle([p.update / p.weight for s in view.samples for p in s.parameters if p.update is not None and p.weight]),
        "first weights": _middle([p.std for p in view.weights()]),
    }  # fmt: skip
    last = next((e for e in reversed(view.evaluations) if e.accuracy is not None or e.r2 is not None), None)
    if last is not None:
        found["validation accuracy" if last.accuracy is not None else "validation R2"] = last.accuracy if last.accuracy is not None else last.r2
    features = view.features
    if features is not None:
        found |= {"input mean": _middle(features.mean), "input deviation": _middle(features.std)}
        found |= {"input smallest": min(features.min, default=None), "input largest": max(features.max, default=None)}
    if view.labels is not None and view.labels.task == "real":
        found |= {"target mean": _middle(view.labels.mean), "target deviation": _middle(view.labels.std)}
    return {name: float(value) for name, value in found.items() if value is not None}


def _middle(values: list[Any]) -> float | None:
    """The median of what is known."""
    known = sorted(v for v in values if v is not None and v == v)
    return float(known[len(known) // 2]) if known else None
