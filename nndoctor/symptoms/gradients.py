"""How gradients are spread over depth and over the run."""

from __future__ import annotations

import math

import numpy as np

from nndoctor.record.model import ParameterInfo
from nndoctor.symptoms.measures import Array
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import View

INFO = (
    SymptomInfo("gradient-vanishes", "gradients", "The first layers get a vanishing part of the gradient that the last ones get.", 1e-3, "Gradient per weight of the first against the last layer (AutoTrainer's ratio)."),
    SymptomInfo("gradient-fades-in-time", "gradients", "Of the gradient at the end of a sequence next to nothing comes back to its beginning.", 1e-4, "Largest gradient norm in the first quarter of time over the largest at all, of the recurrence that carries it farthest, median over the looks; float32 holds seven digits, so that below 1e-7 the beginning has no say."),
    SymptomInfo("gradient-zero", "gradients", "Parameters that are optimised get a gradient of exactly zero.", 0.3, "Share of the optimised numbers with zero gradient norm in nearly every step."),
    SymptomInfo("gradient-explodes", "gradients", "The gradient norm grows by orders of magnitude or spikes.", 100.0, "Largest norm over the median; heavy-tailed batches reach 10 to 20."),
    SymptomInfo("gradient-nonfinite", "gradients", "Gradients hold NaN or infinite values."),
)  # fmt: skip


def _norms(view: View) -> Array:
    """Gradient norms [steps, parameters]; NaN where there was none."""
    steps = [s for s in view.steps_seen if s.norms]
    table = np.full((len(steps), max((len(s.norms) for s in steps), default=0)), np.nan)
    for i, s in enumerate(steps):
        table[i, : len(s.norms)] = [np.nan if v is None else v for v in s.norms]
    return table


def _rms_by_layer(view: View) -> list[tuple[ParameterInfo, float]]:
    """Weight matrices in order of construction with the median size of their gradient per number, in the first half."""
    table = _norms(view)
    if not len(table):
        return []
    half = table[: max(3, len(table) // 2)]
    found = []
    for p in view.weights():
        if p.index < half.shape[1] and p.index in view.optimised and np.isfinite(half[:, p.index]).any():
            found.append((p, float(np.nanmedian(half[:, p.index])) / math.sqrt(math.prod(p.shape))))
    return found


def gradient_vanishes(view: View) -> Symptom | None:
    """First against last layer of the model with most layers."""
    limit = view.thresholds.get("gradient-vanishes", 1e-3)
    layers = _rms_by_layer(view)
    if len(layers) < 3:
        return None
    (first, small), (last, large) = layers[0], layers[-1]
    if large <= 0 or small / large >= limit:
        return None
    ratio = small / large
    text = f"The gradient of {first.name} is {ratio:.1e} times that of {last.name}, per weight."
    return Symptom("gradient-vanishes", text, ratio, limit, min(1.0, 0.4 + 0.2 * math.log10(limit / max(ratio, 1e-9))), first.name, first.place)


def gradient_fades_in_time(view: View) -> Symptom | None:
    """The recurrence that reaches farthest counts: the network can make use of that one."""
    limit = view.thresholds.get("gradient-fades-in-time", 1e-4)
    reaches: dict[str, list[float]] = {}
    for r in view.recording.recurrences:
        if r.step >= view.since and math.isfinite(r.reach):
            reaches.setdefault(r.module, []).append(r.reach)
    if not reaches:
        return None
    reach, name = max((float(np.median(found)), name) for name, found in reaches.items())
    if reach >= limit:
        return None
    r = next(r for r in view.recording.recurrences if r.module == name)
    text = f"Of the gradient at the end of the {r.length} steps of time of {name} ({r.type}), {reach:.0e} comes back to the first quarter."
    return Symptom("gradient-fades-in-time", text, reach, limit, float(np.clip(0.3 + 0.7 * math.log10(limit / max(reach, 1e-12)) / 3, 0.3, 1.0)), name, r.place)


def gradient_zero(view: View) -> Symptom | None:
    """Exactly zero: dead units, a constant output, a saturated loss."""
    limit = view.thresholds.get("gradient-zero", 0.3)
    table = _norms(view)
    if len(table) < 5:
        return None
    tail = table[len(table) // 2 :]
    sizes, zeros, worst = 0, 0, ""
    for i in range(tail.shape[1]):
        p = view.parameters.get(i)
        if p is None or i not in view.optimised or not np.isfinite(tail[:, i]).any():
            continue
        size = math.prod(p.shape)
        sizes += size
        if float(np.nanmean(tail[:, i] == 0)) > 0.9:
            zeros += size
            worst = worst or p.name
    if not sizes or zeros / sizes < limit:
        return None
    return Symptom("gradient-zero", f"{zeros / sizes:.0%} of the optimised numbers get a gradient of exactly zero ({worst} and others).", zeros / sizes, limit, zeros / sizes, worst)


def gradient_explodes(view: View) -> Symptom | None:
    """Spikes and growth of the whole gradient's norm."""
    limit = view.thresholds.get("gradient-explodes", 100.0)
    norms = np.array([s.unclipped_norm if s.unclipped_norm is not None else s.gradient_norm or 0.0 for s in view.steps_seen])
    known = norms[np.isfinite(norms) & (norms > 0)]
    if len(known) < 10:
        return None
    middle, peak = float(np.median(known)), float(known.max())
    start = float(np.median(known[:3]))
    base = min(middle, start) if not np.isfinite(norms).all() else middle
    if peak / base < limit:
        return None
    text = f"The gradient norm reaches {peak:.3g} against a median of {middle:.3g}."
    return Symptom("gradient-explodes", text, peak / base, limit, min(1.0, 0.3 + 0.25 * math.log10(peak / base / limit)))


def gradient_nonfinite(view: View) -> Symptom | None:
    """NaN or Inf in gradients."""
    bad = [s.index for s in view.steps_seen if s.gradient_norm is not None and not math.isfinite(s.gradient_norm)]
    if not bad:
        return None
    return Symptom("gradient-nonfinite", f"Gradients hold NaN or infinite values from step {bad[0]} on, in {len(bad)} steps.", float(bad[0]))


DETECTORS = (gradient_vanishes, gradient_fades_in_time, gradient_zero, gradient_explodes, gradient_nonfinite)
