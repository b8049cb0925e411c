"""What was watched, in a line each: model, loss, optimiser, data, and how the run ended."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from os.path import normpath

from nndoctor.diagnosis.model import Diagnosis
from nndoctor.record.model import End, Features, Labels, LoaderInfo, LossInfo, OptimizerInfo, Place, RankInfo, Recording
from nndoctor.report.words import clean, count, duration, listing, number, percent, place, setting, shape

_MANY = 3  # models, losses or optimisers named before "and 2 more"
_BY_HAND = "by-hand:"
_TASKS = {
    "classes": "class numbers",
    "binary": "0 or 1",
    "multilabel": "0 or 1 for each label",
    "real": "real numbers",
    "probabilities": "probabilities",
}

_ADVICE = {
    "error": "Mend the exception, then run nndoctor again; a loss is needed before it can be judged.",
    "exit": "See why the script exits; arguments of its own go after its name: nndoctor check train.py --data DIR",
    "finished": "Let it train longer (more epochs or data); a hundred steps are enough to judge by.",
    "left": "Let more of the training run in the block; a hundred steps are enough to judge by.",
    "steps": "Let nndoctor see more: --steps 1000",
    "seconds": "Let nndoctor see more: --seconds 300",
    "timeout": "Raise the limit with --timeout, or give the script less data to load.",
    "interrupt": "Let it run on; the limits are --steps and --seconds.",
    "signal": "Find what killed it: SIGKILL is often a lack of memory, SIGSEGV a fault in native code.",
    "peer": "See in the script's output why another of its processes ended first.",
}
_ADVICE_UNSEEN = 'Start the processes by spawn (multiprocessing.get_context("spawn")) while you look, or train in one.'
_ADVICE_UNTRAINED = "Name a script that trains: a loss that is taken back, and an optimiser that steps."
_ADVICE_UNTRAINED_BLOCK = "Put the loop that trains into the block: a loss that is taken back, and an optimiser that steps."
_ADVICE_OTHER = "Run it once as `python SCRIPT` to see whether it trains."


def watched(recording: Recording) -> list[tuple[str, str]]:
    """Label and words for each thing that the report's first screen names."""
    lines = [
        ("model", _model(recording)),
        ("loss", _loss(recording)),
        ("optimiser", _optimizer(recording)),
        ("batch", _batch(recording)),
        ("data", _data(recording)),
        ("processes", _processes(recording)),
        ("watched", _run(recording)),
    ]
    return [(label, words) for label, words in lines if words]


def _model(recording: Recording) -> str:
    if not recording.models:
        tensors = count(len(recording.parameters), "loose tensor")
        size = count(parameter_count(recording), "parameter")
        return f"no module was called; {size} in {tensors}" if recording.parameters else "none seen"
    words = []
    for model in recording.models[:_MANY]:
        name = model.name if model.name == model.type else f"{model.name} ({model.type})"
        frozen = "" if model.trainable == model.parameters else f", {model.trainable:,} trainable"
        layers = sum(1 for m in recording.modules if m.model == model.index and m.leaf and m.parameters)
        depth = f" in {count(layers, 'layer')}" if layers else ""
        words.append(f"{clean(name)}, {count(model.parameters, 'parameter')}{depth}{frozen}")
    return "; ".join(words) + _more(len(recording.models), "model")


def parameter_count(recording: Recording) -> int:
    """Numbers that training could change or keep: of all models, or of the loose tensors where there is no model."""
    if recording.models:
        return sum(m.parameters for m in recording.models)
    total = 0
    for parameter in recording.parameters:
        size = 1
        for n in parameter.shape:
            size *= n
        total += size
    return total


def loss_name(loss: LossInfo) -> str:
    """`cross_entropy`, or `squared error, by hand`."""
    if loss.function.startswith(_BY_HAND):
        form = clean(loss.function.removeprefix(_BY_HAND)).replace("_", " ").replace("-", " ")
        return "by hand" if form == "other" else f"{form}, by hand"
    return clean(loss.function)


def main_loss(recording: Recording) -> LossInfo | None:
    """The loss that was computed most often."""
    return max(recording.losses, key=lambda loss: loss.calls, default=None)


def _loss(recording: Recording) -> str:
    if not recording.losses:
        return ""
    ranked = sorted(recording.losses, key=lambda loss: -loss.calls)
    return "; ".join(loss_name(loss) + _at(loss.place, recording) for loss in ranked[:_MANY]) + _more(
        len(ranked), "loss", "losses"
    )


def _optimizer(recording: Recording) -> str:
    if not recording.optimizers:
        return "none that made a step" if recording.steps else ""
    words = [_one_optimizer(o, recording) for o in recording.optimizers[:_MANY]]
    return "; ".join(words) + _more(len(recording.optimizers), "optimiser")


def _one_optimizer(optimizer: OptimizerInfo, recording: Recording) -> str:
    parts = [clean(optimizer.type)]
    for key, always in (("lr", True), ("momentum", False), ("weight_decay", False)):
        values = list(dict.fromkeys(setting(g.settings[key]) for g in optimizer.groups if key in g.settings))
        if values and (always or values != ["0"]):
            parts.append(f"{key} {listing(values[:4])}{_rate_change(optimizer, recording) if key == 'lr' else ''}")
    return ", ".join(parts) + _at(optimizer.place, recording)


def _rate_change(optimizer: OptimizerInfo, recording: Recording) -> str:
    """Where the rate went, where it moved."""
    rates = [c.values["lr"] for c in recording.settings if c.optimizer == optimizer.index and "lr" in c.values]
    if not rates:
        return ""
    scheduler = recording.schedulers[0].type if len(recording.schedulers) == 1 else ""
    return f" → {setting(rates[-1])}" + (f" by {clean(scheduler)}" if scheduler else "")


def training_loader(recording: Recording) -> LoaderInfo | None:
    """The loader that shuffles, or else the first one."""
    return next((x for x in recording.loaders if x.shuffled), recording.loaders[0] if recording.loaders else None)


def batch_size(recording: Recording) -> int | None:
    """The most frequent number of samples in a step."""
    sizes = Counter(s.batch for s in recording.steps if s.batch)
    return sizes.most_common(1)[0][0] if sizes else None


def _batch(recording: Recording) -> str:
    size = batch_size(recording)
    features: Features | None = recording.features[0] if recording.features else None
    parts = []
    if features is not None:
        parts.append(f"inputs {shape(features.shape)} {clean(features.dtype).removeprefix('torch.')}")
    loss = main_loss(recording)
    if loss is not None and loss.target is not None:
        parts.append(f"targets {shape(loss.target.shape)} {clean(loss.target.dtype).removeprefix('torch.')}")
    return ": ".join(p for p in (count(size, "sample") if size else "", ", ".join(parts)) if p)


def _data(recording: Recording) -> str:
    parts = []
    loader = training_loader(recording)
    if loader is not None:
        parts.append(count(loader.length, "sample") if loader.length else "a stream of samples")
        parts.append({True: "shuffled", False: "in fixed order", None: ""}[loader.shuffled])
        if loader.workers:
            parts.append(count(loader.workers, "worker"))
    elif recording.features:
        seen = max((r.distinct for r in recording.rows), default=recording.features[0].distinct)
        parts.append(f"{count(seen, 'different sample')} seen")
    labels = recording.labels[0] if recording.labels else None
    if labels is not None:
        parts.append(_targets(labels))
    return ", ".join(p for p in parts if p)


def _targets(labels: Labels) -> str:
    if labels.task == "classes" and labels.counts:
        return count(len(labels.counts), "class", "classes")
    words = f"targets are {_TASKS.get(labels.task, clean(labels.task))}"
    if labels.task == "real" and labels.min is not None and labels.max is not None:
        words += f" from {number(labels.min)} to {number(labels.max)}"
    return words


def _run(recording: Recording) -> str:
    header, end = recording.header, recording.end
    command = clean(" ".join([header.script, *header.arguments])).replace("\n", " ")
    time = f" in {duration(end.seconds)}" if end is not None and recording.steps else ""
    steps = count(step_count(recording), "step")
    return f"{command}: {steps}{time} on {clean(header.device)}{_which(recording)}; {ending(recording)}"


def _which(recording: Recording) -> str:
    """Of several trainings, the one that is judged."""
    if recording.header.run:
        return f", training {recording.header.run} of the script"
    trainings = 1 + len(recording.trainings)
    return f", {trainings} trainings, of which the last is judged (--run K judges another)" if trainings > 1 else ""


def _processes(recording: Recording) -> str:
    """How many train together, and what became of those that did not end as the others."""
    ranks = [r for r in recording.ranks if r.world]
    loose = [r for r in recording.ranks if not r.world]
    parts = []
    if ranks:
        backend = f", {clean(ranks[0].backend)}" if ranks[0].backend else ", in no process group"
        parts.append(count(len(ranks), "rank") + backend)
        told = ranks[0].ended
        parts += [f"rank {r.rank} {_RANK_ENDINGS.get(r.ended, 'ended otherwise')}{_after(r)}" for r in ranks if r.watched and r.ended != told]
        silent = [str(r.rank) for r in ranks if not r.watched]
        if silent:
            parts.append(f"no word came from rank{'s' if len(silent) > 1 else ''} {listing(silent[:8])}, which {'are' if len(silent) > 1 else 'is'} not compared")
    seen = [r for r in loose if r.watched]
    if seen:
        parts.append(f"{count(len(seen), 'process', 'processes')} trained, each without a group; the first one is judged")
    if len(loose) > len(seen):
        parts.append(f"{count(len(loose) - len(seen), 'forked process', 'forked processes')} trained unseen")
    return "; ".join(parts)


def _after(rank: RankInfo) -> str:
    why = clean(rank.error).strip().split("\n")[0] if rank.ended in ("error", "signal") else ""
    return f"{' ' if rank.ended == 'signal' else ': ' if why else ''}{why} after {count(rank.steps, 'recorded step')}"


_RANK_ENDINGS = {
    "finished": "ended by itself",
    "steps": "was stopped at the limit",
    "seconds": "was stopped at the limit",
    "error": "raised an exception",
    "signal": "was killed by",
    "lost": "went away without a word",
    "peer": "was ended because another one was gone",
    "timeout": "hung",
    "interrupt": "was interrupted",
}


def step_count(recording: Recording) -> int:
    """Optimiser steps made, as the child counted them; as they arrived where it could not say."""
    return max(recording.end.steps if recording.end else 0, len(recording.steps))


def validation_score(recording: Recording, name: str) -> float | None:
    """Accuracy or R2 of the last validation pass that has one."""
    scores = [e.accuracy if name == "accuracy" else e.r2 for e in recording.evaluations]
    return next((score for score in reversed(scores) if score is not None), None)


def seen(recording: Recording) -> str:
    """`300 steps show`: how far a verdict of health reaches."""
    n = step_count(recording)
    return f"{count(n, 'step')} show" + ("s" if n == 1 else "")


def scores(diagnosis: Diagnosis) -> str:
    """The first loss and the mean of the last tenth, accuracy or R2 in training and at the last validation, as a sentence;
    empty where none was measured. Numbers, as a drawing from 0 hides a loss that falls by little.
    """
    curve, parts = diagnosis.curve, []
    if curve.first is not None and curve.last is not None:
        parts.append(f"loss {number(curve.first)} → {number(curve.last)}")
    if curve.task_score is not None and curve.score_name:
        validated = validation_score(diagnosis.recording, curve.score_name)
        further = f", {_score(curve.score_name, validated)} in validation" if validated is not None else ""
        parts.append(f"{clean(curve.score_name)} {_score(curve.score_name, curve.task_score)} in training{further}")
    said = "; ".join(parts)
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def _score(name: str, value: float) -> str:
    return percent(value) if name == "accuracy" else number(value)


def advice(recording: Recording) -> str:
    """What to do where a run could not be judged."""
    if recording.ranks and not recording.steps and not any(r.watched for r in recording.ranks):
        return _ADVICE_UNSEEN
    reason = recording.end.reason if recording.end is not None else ""
    if reason in ("finished", "left") and not step_count(recording):
        return _ADVICE_UNTRAINED if reason == "finished" else _ADVICE_UNTRAINED_BLOCK
    return _ADVICE.get("signal" if recording.gone is not None else reason, _ADVICE_OTHER)


def ending(recording: Recording, full: bool = False) -> str:
    """How the run ended, as half a sentence; `full` gives the script's own message as well."""
    end = recording.end
    if end is None:
        return "the recording breaks off"
    if end.reason == "error":
        error = error_line(end)
        return f"the script raised {error if full else error.partition(':')[0]}"
    if end.reason == "exit":
        said = f": {error_line(end)}" if full and end.error else ""
        return f"the script exited with code {end.exit_code}{said}"
    words = _ENDINGS.get(end.reason)
    return words(end, recording) if words else f"it ended ({clean(end.reason)})"


def signal_name(code: int) -> str:
    """SIGKILL for -9, and for 137 as shells count it."""
    number = -code if code < 0 else code - 128 if code > 128 else code
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def error_line(end: End) -> str:
    """The first line of the script's exception."""
    return clean(end.error).strip().split("\n")[0] or "an exception"


def _limit_of_steps(end: End, recording: Recording) -> str:
    limit = recording.header.steps_limit
    if not 0 < limit < end.steps:
        return "stopped at the limit of steps"
    seen = any(e.step for e in recording.evaluations)
    return "stopped after its first validation pass" if seen else f"stopped: {limit:,} steps and more without a validation pass"


_ENDINGS: dict[str, Callable[[End, Recording], str]] = {
    "finished": lambda end, recording: "the script ended by itself",
    "left": lambda end, recording: "the block was left",
    "steps": _limit_of_steps,
    "next": lambda end, recording: "stopped where the next training began",
    "seconds": lambda end, recording: f"stopped at the limit of {duration(recording.header.seconds_limit)}",
    "interrupt": lambda end, recording: "it was interrupted",
    "peer": lambda end, recording: "stopped because another of its processes was gone",
    "signal": lambda end, recording: f"the script was killed by {signal_name(end.exit_code)}",
    "timeout": lambda end, recording: "the time for the whole run was over",
    "lost": lambda end, recording: "the script went away without a word",
}


def _at(where: Place | None, recording: Recording) -> str:
    """` at line 14`, with the file where it is not the script."""
    if where is None:
        return ""
    own = normpath(where.file) == normpath(recording.header.script)
    return f" at line {where.line}" if own else f" at {place(where)}"


def _more(n: int, noun: str, plural: str = "") -> str:
    left = n - _MANY
    return f"; and {count(left, f'more {noun}', plural and f'more {plural}')}" if left > 0 else ""
