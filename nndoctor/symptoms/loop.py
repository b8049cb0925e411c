"""The loop itself: clearing, backward, step, who is optimised, which mode."""

from __future__ import annotations

import math

import numpy as np

from nndoctor.record.model import Features, ParameterInfo, Place
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.objective import is_leaf, is_rebuilt, made_anew
from nndoctor.symptoms.view import View, is_norm

INFO = (
    SymptomInfo("gradients-carried", "loop", "Gradients of earlier steps are still there when backward begins, and are stepped on again.", 0.5, "Share of a parameter's steps; deliberate accumulation clears after each step and has 0."),
    SymptomInfo("no-backward", "loop", "The optimiser steps, but backward is never called."),
    SymptomInfo("no-step", "loop", "Backward is called, but no weight is ever changed."),
    SymptomInfo("optimizer-idle", "loop", "An optimiser was built and never steps, though the loss reaches what it holds."),
    SymptomInfo("cleared-before-step", "loop", "Gradients are cleared after backward and before the step that should use them.", 0.5, "Share of backward calls (or steps) lost."),
    SymptomInfo("parameters-outside-optimizer", "loop", "Parameters that the loss reaches are in no optimiser that steps.", 0.02, "Their share of the reached numbers."),
    SymptomInfo("optimizer-holds-strangers", "loop", "The optimiser holds parameters that the loss does not reach.", 0.5, "Their share of what it holds."),
    SymptomInfo("frozen-parameters", "loop", "Parameters of the model have requires_grad off.", 0.02, "Their share of the model's numbers."),
    SymptomInfo("frozen-from-scratch", "loop", "Frozen, or left out of the optimiser, while still at a fresh random initialisation.", 0.3, "Share of the frozen numbers whose distribution is that of a standard initialisation."),
    SymptomInfo("same-batch", "loop", "Every step sees the same few samples of a larger data set.", 4.0, "Samples of the loader's data set, or of a validation pass where rows are taken by hand, over the different ones that were trained on."),
    SymptomInfo("accumulates-unscaled", "loop", "Several backward calls of the same loss add up to one step, and nothing divides by their number.", 2.0, "Backward calls a step; two already double the step of SGD."),
    SymptomInfo("evaluates-in-training-mode", "loop", "Validation runs with model.training on, and layers that mind are among them.", 0.5, "Share of the validation passes."),
    SymptomInfo("eval-mode", "loop", "Training forwards run with model.training off, and layers that mind are among them.", 0.3, "Share of the training forwards."),
)  # fmt: skip
_STRANGE = 0.7  # deviations; a batch of eight rows like the others strays by 0.35, one of a single class by about 1
_AGAIN = 0.9  # share of forwards with the rows of the one before
_ALL = 1.2  # times the rows that were seen: hardly more than these
_THINS = 0.2  # share of units that dropout leaves out, from which validation under it is plainly worse


def gradients_carried(view: View) -> Symptom | None:
    """By step: how many of the parameters that stepped did so on left-over gradients."""
    limit = view.thresholds.get("gradients-carried", 0.5)
    steps = [s for s in view.steps_seen[1:] if s.held]
    calls = sum(max(1, len(s.evaluations)) for s in steps)  # each evaluation of a closure moves the weights
    # Who copies gradients to weights of the optimiser's own overwrites what is left over.
    if calls < 4 or (view.reached and view.optimised and not view.reached & view.optimised):
        return None
    shares = np.array([min(1.0, s.carried / s.held) for s in steps])
    carrying = float((shares > 0).mean())
    if carrying < limit:
        return None
    backward = view.recording.call("backward")
    part = float(shares[shares > 0].mean())
    text = f"In {carrying:.0%} of the steps {'all' if part > 0.99 else f'{part:.0%} of the'} gradients were left over from earlier steps when backward began: they add up."
    strength = 1.0 if carrying > 0.9 else 0.6
    return Symptom("gradients-carried", text, carrying, limit, strength, "", backward.place if backward else None)


def _grew(view: View) -> bool:
    return bool(view.recording.end and view.recording.end.weights_moved)


def no_backward(view: View) -> Symptom | None:
    """Steps without any backward."""
    end = view.recording.end
    steps = view.recording.steps
    by_hand = any(s.held for s in steps)  # somebody writes .grad
    if end is None or end.backwards > 0 or len(steps) < 3 or _grew(view) or by_hand:
        return None
    step = view.recording.call("step")
    return Symptom("no-backward", f"The optimiser made {len(steps)} steps and backward was never called.", 0, 1, 1.0, "", step.place if step else None)


def no_step(view: View) -> Symptom | None:
    """Backward calls, and weights as they were at the start."""
    end = view.recording.end
    if end is None or end.backwards < 5 or _grew(view):
        return None
    idle = [o for o in view.recording.optimizers if not o.stepped]
    if len(idle) < len(view.recording.optimizers):
        return None
    backward = view.recording.call("backward")
    place: Place | None = (idle[0].place if idle else None) or (backward.place if backward else None)
    text = f"Backward was called {end.backwards} times, and no weight has changed: " + ("optimizer.step() is never called." if idle else "nothing steps.")
    return Symptom("no-step", text, 0, 1, 1.0, "", backward.place if backward and backward.place else place)


def _idle(view: View) -> set[int]:
    """Parameters that only optimisers hold that never stepped."""
    held = {i for o in view.recording.optimizers if not o.stepped for g in o.groups for i in g.parameters}
    return held - {i for o in view.recording.optimizers if o.stepped for g in o.groups for i in g.parameters}


def optimizer_idle(view: View) -> Symptom | None:
    """One of several optimisers is forgotten."""
    waiting = _idle(view) & view.reached
    if not waiting or not any(o.stepped for o in view.recording.optimizers):
        return None
    idle = next(o for o in view.recording.optimizers if not o.stepped and any(i in waiting for g in o.groups for i in g.parameters))
    text = f"{idle.type} holds {_names([view.parameters[i] for i in sorted(waiting)])}, which the loss reaches, and its step() is never called."
    return Symptom("optimizer-idle", text, float(len(waiting)), 0, 1.0, "", idle.place)


def cleared_before_step(view: View) -> Symptom | None:
    """Steps that find no gradient, or backward calls whose gradients no step sees."""
    limit = view.thresholds.get("cleared-before-step", 0.5)
    steps = [s for s in view.steps_seen if s.optimizers]
    end = view.recording.end
    if len(steps) < 3 or end is None or end.backwards == 0 or is_leaf(view):
        return None
    where = view.recording.call("zero_grad")
    place = where.place if where else None
    empty = float(np.mean([s.held == 0 and s.backwards > 0 for s in steps]))
    reached_held = bool(view.reached & view.optimised) or not view.reached
    if empty > limit and reached_held and not view.gradients_vanish_numerically():
        text = f"In {empty:.0%} of the steps the optimiser found no gradient although backward had just run."
        return Symptom("cleared-before-step", text, empty, limit, 1.0, "", place)
    looked = [s for s in steps if s.made]
    zeroed = float(np.mean([s.held == 0 for s in looked])) if len(looked) >= 3 else 0.0
    if zeroed > limit:
        text = f"In {zeroed:.0%} of the steps looked at, gradients that backward had made were zero when the optimiser stepped."
        return Symptom("cleared-before-step", text, zeroed, limit, 1.0, "", place)
    wasted = sum(s.wasted for s in steps)
    made = sum(s.backwards for s in steps)
    if made and wasted / made > limit:
        text = f"{wasted / made:.0%} of {made} backward calls were cleared away before any step used them ({len(steps)} steps)."
        return Symptom("cleared-before-step", text, wasted / made, limit, 1.0, "", view.place_of("step") or place)
    return None


def _numbers(parameters: list[ParameterInfo]) -> int:
    return sum(math.prod(p.shape) for p in parameters)


def _names(parameters: list[ParameterInfo]) -> str:
    names = list(dict.fromkeys(p.module or p.name for p in parameters))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def parameters_outside_optimizer(view: View) -> Symptom | None:
    """Reached and trainable, but nobody steps on them. Layers the model does not own are told elsewhere."""
    limit = view.thresholds.get("parameters-outside-optimizer", 0.02)
    if not view.optimised or not view.reached or not any(o.stepped for o in view.recording.optimizers):
        return None
    stepped = view.optimised
    reached = [view.parameters[i] for i in view.reached if i in view.parameters and view.parameters[i].requires_grad]
    anew = {p.index for p in made_anew(view)}
    outside = [p for p in reached if p.index not in stepped | anew | _idle(view) | _lagging(view) and not (p.model < 0 and ".(" in p.name)]
    if not reached or not outside:
        return None
    share = _numbers(outside) / max(_numbers(reached), 1)
    if share <= limit and not any(len(p.shape) >= 2 for p in outside):
        return None
    optimizer = next(o for o in view.recording.optimizers if o.stepped)
    text = f"The loss reaches {len(outside)} tensors ({share:.0%} of the numbers) that no optimiser holds: {_names(outside)}."
    strength = min(1.0, 0.5 + share)
    return Symptom("parameters-outside-optimizer", text, share, limit, strength, outside[0].module, optimizer.place)


def _lagging(view: View) -> set[int]:
    """Parameters of a model that came as a copy of one that is trained, as the target network of Q-learning: it is meant to lag behind.

    Tensors of one shape whose moments agree to the last digit are copies; constant ones tell nothing and go with the others.
    """
    trained = {_moments(view.parameters[i]) for i in view.reached & view.optimised if i in view.parameters}
    left = {p.model for p in view.recording.parameters if p.model >= 0} - {view.parameters[i].model for i in view.optimised if i in view.parameters}
    copied = set()
    for model in left:
        told = [p for p in view.recording.parameters if p.model == model and p.std]
        if told and all(_moments(p) in trained for p in told):
            copied.add(model)
    return {p.index for p in view.recording.parameters if p.model in copied}


def _moments(p: ParameterInfo) -> tuple[object, ...]:
    return (*p.shape, p.mean, p.std, p.max_abs, p.fourth)


def optimizer_holds_strangers(view: View) -> Symptom | None:
    """What it holds has nothing to do with the loss."""
    limit = view.thresholds.get("optimizer-holds-strangers", 0.5)
    if not view.reached or is_rebuilt(view):
        return None
    worst: Symptom | None = None
    live = {view.parameters[i].model for i in view.reached if i in view.parameters}
    for o in view.recording.optimizers:
        if view.used and o.index not in view.used:
            continue
        held = [view.parameters[i] for g in o.groups for i in g.parameters if i in view.parameters]
        strangers = [p for p in held if p.index not in view.reached and p.index not in view.frozen and (p.model < 0 or p.model not in live)]
        if not held or not strangers:
            continue
        share = _numbers(strangers) / max(_numbers(held), 1)
        if share > limit and (worst is None or share > (worst.value or 0)):
            text = f"{share:.0%} of what {o.type} holds is not reached by the loss ({_names(strangers)}): it steps on another model's parameters."
            worst = Symptom("optimizer-holds-strangers", text, share, limit, min(1.0, share), "", o.place)
    return worst


def frozen_parameters(view: View) -> Symptom | None:
    """requires_grad off in a model that learns otherwise."""
    limit = view.thresholds.get("frozen-parameters", 0.02)
    frozen = _frozen(view)
    models = {p.model for p in frozen}
    everything = [p for p in view.recording.parameters if p.model in models]
    if not frozen or (models == {-1} and not any(looks_fresh(p) or p.index in view.optimised for p in frozen)):
        return None  # a fixed matrix that no module owns may be anything: a graph, a filter, a mixing matrix
    share = _numbers(frozen) / max(_numbers(everything), 1)
    if share <= limit:
        return None
    text = f"requires_grad is off for {len(frozen)} of {len(everything)} parameters ({share:.0%} of the numbers): {_names(frozen)}."
    return Symptom("frozen-parameters", text, share, limit, min(1.0, 0.4 + share), frozen[0].module, frozen[0].place)


def _frozen(view: View) -> list[ParameterInfo]:
    """Frozen parameters of models that are partly trained, or that an optimiser holds; a teacher frozen as a whole is none of them."""
    live = {view.parameters[i].model for i in view.reached if i in view.parameters}
    chosen = [view.parameters[i] for i in sorted(view.frozen) if i in view.parameters]
    return [p for p in chosen if not is_norm(p) and (p.model in live or p.model < 0 or p.index in view.optimised)]


def looks_fresh(p: ParameterInfo) -> bool | None:
    """Whether a weight tensor has the distribution of a standard initialisation; None where it is too small to tell.

    Uniform within plus or minus 1/sqrt(fan_in) (torch's default) or within Xavier's or He's bound, or normal with one of their
    deviations. Training spoils the match of bound, deviation and kurtosis.
    """
    if len(p.shape) < 2 or math.prod(p.shape) < 64 or not p.std or not p.fan_in or p.fourth is None or p.max_abs is None:
        return None
    if p.model < 0 and ".(" not in p.name and len(p.shape) == 2:  # a raw tensor may be used as x @ w: either axis feeds
        return _matches(p, p.shape[0], p.shape[1]) or _matches(p, p.shape[1], p.shape[0])
    return _matches(p, p.fan_in, math.prod(p.shape) / max(p.shape[1], 1))


def _matches(p: ParameterInfo, fan_in: float, fan_out: float) -> bool:
    assert p.std is not None and p.fourth is not None and p.max_abs is not None
    width = 0.12 + 2.5 / math.sqrt(math.prod(p.shape))
    if abs(p.fourth - 1.8) < width and abs(p.std * math.sqrt(3) / p.max_abs - 1) < 0.12:
        bounds = (1 / math.sqrt(fan_in), math.sqrt(6 / fan_in), math.sqrt(3 / fan_in), math.sqrt(6 / (fan_in + fan_out)), 1 / math.sqrt(max(p.shape[0], 1)), 1 / math.sqrt(max(p.shape[0] // 3, 1)), 1 / math.sqrt(max(p.shape[0] // 4, 1)))
        return any(0.9 < p.max_abs / b <= 1.005 for b in bounds)
    if abs(p.fourth - 3.0) < 4 * width:
        deviations = (math.sqrt(2 / fan_in), math.sqrt(1 / fan_in), math.sqrt(2 / (fan_in + fan_out)), 0.02, 0.1, 1.0)
        return any(abs(p.std / d - 1) < width for d in deviations)
    return False


def frozen_from_scratch(view: View) -> Symptom | None:
    """Freezing makes sense for weights that were trained before; these never were."""
    limit = view.thresholds.get("frozen-from-scratch", 0.3)
    stepped = view.optimised if any(o.stepped for o in view.recording.optimizers) else set()
    lagging = _lagging(view)
    outside = [view.parameters[i] for i in view.reached if i in view.parameters and stepped and i not in stepped | lagging]
    still = [p for p in [*_frozen(view), *outside] if looks_fresh(p) is not None]
    if not still:
        return None
    fresh = [p for p in still if looks_fresh(p) and p.index not in view.moved]
    share = _numbers(fresh) / max(_numbers(still), 1)
    if share < limit:
        return None
    text = f"{_names(fresh)} never change{'s' if len(fresh) == 1 else ''} and still hold{'s' if len(fresh) == 1 else ''} a fresh random initialisation."
    return Symptom("frozen-from-scratch", text, share, limit, share, fresh[0].module, fresh[0].place)


def eval_mode(view: View) -> Symptom | None:
    """Dropout and batch norm in evaluation mode because the whole model is."""
    limit = view.thresholds.get("eval-mode", 0.3)
    modes = [m for m in view.recording.modes if m.training + m.evaluating > 0]
    flags = [s.training for s in view.steps_seen if s.training is not None]
    if not modes or not flags:
        return None
    off = float(np.mean([not f for f in flags]))
    # A layer that is frozen by design evaluates while the model trains; one that minds the switch trains as often as the model.
    minding = [m for m in modes if m.evaluating > m.root_training or (m.evaluating and m.training >= m.root_training)]
    if off < limit or not minding:
        return None
    first = flags.index(False) + 1
    kinds = sorted({m.type for m in minding})
    fresh = [m for m in minding if "BatchNorm" in m.type and m.fresh]
    text = f"model.training is off in {off:.0%} of the training forwards, from step {first} on; {', '.join(kinds)} behave{'s' if len(kinds) == 1 else ''} as at test time"
    text += ", and the running statistics are still 0 and 1, so nothing is normalised." if fresh else "."
    # Switched off half-way, or by a validation pass, it is an oversight; from the start on it may be meant, and then counts where it shows.
    overfits = view.shortfall is not None and view.shortfall > 0.2
    harmful = bool(fresh) or first > 1 or _left_by_validation(view) or view.learns < 0.3 or overfits
    return Symptom("eval-mode", text, off, limit, (0.6 + 0.4 * off) if harmful else 0.5, minding[0].module, view.place_of("eval"))


def _left_by_validation(view: View) -> bool:
    """Whether what came between the last call of `eval` and the first training forward was a forward without gradient."""
    events = view.recording.end.events if view.recording.end is not None else []
    before = events[: events.index("forward")] if "forward" in events else []
    return "eval" in before and "evaluate" in before[len(before) - before[::-1].index("eval") :]


def same_batch(view: View) -> Symptom | None:
    """A loader of many samples that yields the same few, or rows taken by hand that are the same in every step.

    Who hands in the same tensor again and again trains on all that there is, and means it.
    """
    limit = view.thresholds.get("same-batch", 4.0)
    seen, f = view.trained_rows, view.features
    batch = next((s.batch for s in view.steps_seen if s.batch), None)
    if seen is None or not batch or seen.forwards < 20 or (seen.distinct > 2 * batch and seen.same <= _AGAIN) or (f is not None and f.dtype.startswith("int") and seen.fresh > 0):
        return None
    if view.labels is not None and view.labels.twins_agree is not None and view.labels.twins_agree < 0.9:
        return None  # rows that are alike by accident: their targets differ
    if any(seen.distinct <= length <= _ALL * seen.distinct for length in view.lengths):
        return None  # these rows are all that one of the loaders has
    loader = max((x for x in view.recording.loaders if x.length), key=lambda x: x.length or 0, default=None)
    if loader is not None and loader.length:
        ratio = loader.length / max(seen.distinct, 1)
        text = f"In {seen.rows:,} rows that were trained on only {seen.distinct} differ, though the loader has {loader.length:,} samples ({loader.sampler})."
        return Symptom("same-batch", text, ratio, limit, 1.0, "data", loader.place) if ratio >= limit else None
    if f is not None and _is_binary(f) and seen.same <= _AGAIN:
        return None  # there may be no others: inputs of few values come again
    held = max((e.samples for e in view.recording.evaluations), default=0)
    taken = seen.handed < 0.5 and (seen.same > _AGAIN or seen.distinct < batch)
    ratio = held / max(seen.distinct, 1)
    if not taken or ratio < limit:
        return None
    few = f"All {seen.forwards} steps see the same {seen.distinct} rows" if seen.distinct <= batch else f"{seen.same:.0%} of the {seen.forwards} steps see the rows of the step before, {seen.distinct} in all"
    text = f"{few}, taken anew each time, while validation has {held:,}."
    return Symptom("same-batch", text, ratio, limit, 1.0, "data")


def _is_binary(f: Features) -> bool:
    """Whether every input is 0 or 1, by its mean and deviation."""
    mean, std = np.array(f.mean), np.array(f.std)
    return min(f.min, default=1) >= 0 and max(f.max, default=0) <= 1 and bool(np.allclose(std**2, mean * (1 - mean), atol=1e-3))


def accumulates_unscaled(view: View) -> Symptom | None:
    """The same loss each time (several losses are several terms), and no quotient or product between it and backward."""
    limit = view.thresholds.get("accumulates-unscaled", 2.0)
    counts = [s.backwards for s in view.steps_seen if s.backwards]
    if len(counts) < 5 or float(np.median(counts)) < limit or len({tuple(g.losses) for g in view.graphs}) != 1 or not (view.single_term or len(view.graphs[0].losses) > 1):
        return None
    first = next((link.op for link in view.graphs[0].chain), "")
    if first in ("Div", "Mul"):
        return None
    k = float(np.median(counts))
    place = view.place_of("backward")
    return Symptom("accumulates-unscaled", f"Each step adds up the gradients of {k:g} backward calls, of a loss that is not divided by {k:g}.", k, limit, float(np.clip(0.4 + 0.3 * math.log2(k / limit + 1), 0.4, 1.0)), "", place)


def evaluates_in_training_mode(view: View) -> Symptom | None:
    """Dropout and batch statistics in validation, where it shows."""
    limit = view.thresholds.get("evaluates-in-training-mode", 0.5)
    passes = [e for e in view.recording.evaluations if view.is_judged(e.step) and not e.gradients]
    minding = {m.module.split(".")[0] for m in view.recording.modes}
    names = {m.index: m.name.split(".")[0] for m in view.recording.models}
    passes = [e for e in passes if names.get(e.model, "") in minding]
    share = float(np.mean([e.training for e in passes])) if passes else 0.0
    if share < limit:
        return None
    kinds = sorted({m.type for m in view.recording.modes})
    text = f"model.training is on in {share:.0%} of the validation passes ({', '.join(kinds[:3])})"
    # Dropout thins validation as it does training; batch norm harms it where the batches are small or of another kind.
    dropped = max((float(m.settings.get("p", 0.0)) for m in view.recording.modules if "Dropout" in m.type), default=0.0)
    strength = 0.9 if dropped >= _THINS else 0.1
    strange = max((m.strange for m in view.recording.modes if m.strange is not None and math.isfinite(m.strange)), default=0.0)
    if strange >= _STRANGE / 2:
        text += f"; the batches' means lie {strange:.2g} deviations from the running ones"
        strength = max(strength, min(1.0, strange / _STRANGE))
    if view.skill is not None and view.validation_skill is not None:
        text += f"; validation scores {view.validation_skill:.2f}, training {view.skill:.2f}"
        strength = float(np.clip((view.skill - view.validation_skill) / 0.15, strength, 1.0))
    return Symptom("evaluates-in-training-mode", f"{text}.", share, limit, strength, "", passes[-1].place)


DETECTORS = (
    gradients_carried, no_backward, no_step, optimizer_idle, cleared_before_step, parameters_outside_optimizer, optimizer_holds_strangers,
    frozen_parameters, frozen_from_scratch, same_batch, accumulates_unscaled, evaluates_in_training_mode, eval_mode,
)  # fmt: skip
