"""Numbers that the script was given, held against the run: batch size, momentum, length."""

from __future__ import annotations

import math

import numpy as np

from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import HARDLY_NEW, View

INFO = (
    SymptomInfo("batch-tiny", "settings", "A step sees one or two samples of many.", 2.0, "Samples a step, accumulated ones included; the gradient's noise falls with their root, and four already halve it.", fact=True),
    SymptomInfo("few-updates", "settings", "An epoch is a handful of steps, because a batch holds most of the data.", 4.0, "Steps an epoch, of a data set of 500 samples or more; smaller sets are trained whole with success."),
    SymptomInfo("momentum-long", "settings", "Momentum averages over a good part of the whole run.", 0.25, "1 / (1 - momentum), the number of steps that it remembers, over the steps of the run; 0.9 remembers ten.", fact=True),
    SymptomInfo("short-run", "settings", "The script itself ended after very few steps.", 100.0, "Optimiser steps; the first hundred of most runs are spent on leaving the start.", fact=True),
    SymptomInfo("ended-falling", "settings", "The script itself ended while the loss was falling fast.", 0.05, "Share of its level lost over the last third of the steps, beyond its noise."),
)  # fmt: skip
_MANY = 64  # samples of which one or two are few
_PATIENT = 100  # steps
_LARGE = 500  # samples that are worth several batches


def _samples_a_step(view: View) -> float | None:
    sizes = [s.batch * max(1, s.backwards) for s in view.steps_seen if s.batch]
    return float(np.median(sizes)) if sizes else None


def _data(view: View) -> int:
    """Samples that the script trains on: what its loaders hold, or what was seen; where no sample came twice, all that came."""
    size, f, seen = _samples_a_step(view), view.features, view.trained_rows
    if seen is not None:
        return seen.distinct
    if size is not None and f is not None and f.distinct >= 0.95 * f.rows:
        return int(size * len(view.steps_seen))
    lengths = [x.length for x in view.recording.loaders if x.length and x.shuffled is not False] or [x.length for x in view.recording.loaders if x.length]
    return max([*lengths, *(f.distinct for f in view.recording.features)], default=0)


def batch_tiny(view: View) -> Symptom | None:
    """Of rows that could have come together."""
    limit = view.thresholds.get("batch-tiny", 2.0)
    size, there = _samples_a_step(view), _data(view)
    if size is None or size > limit or there < _MANY:
        return None
    return Symptom("batch-tiny", f"Each step sees {size:g} of some {there:,} samples: its gradient is mostly noise.", size, limit, 1.0 if size <= 1 else 0.7, "batch")


def few_updates(view: View) -> Symptom | None:
    """Steps an epoch, by the loader's own figures."""
    limit = view.thresholds.get("few-updates", 4.0)
    size, seen = _samples_a_step(view), view.trained_rows
    loader = next((x for x in view.recording.loaders if x.length and x.batch_size and size and x.batch_size * 1.01 >= size), None)
    there = loader.length if loader is not None else seen.distinct if seen is not None and seen.fresh <= HARDLY_NEW else None
    if size is None or there is None or there < _LARGE:
        return None
    steps = math.ceil(there / size - 0.01)
    if steps > limit:
        return None
    text = f"A batch holds {min(size, there):,.0f} of {there:,} samples, so that an epoch is {steps} step{'s' if steps > 1 else ''}."
    # A full batch, a hundred times and more, is a choice.
    strength = 1.0 if len(view.steps_seen) < _PATIENT else 0.7
    return Symptom("few-updates", text, float(steps), limit, strength, "batch", loader.place if loader is not None else None)


def momentum_long(view: View) -> Symptom | None:
    """SGD's momentum, or the first beta of the Adam family."""
    limit = view.thresholds.get("momentum-long", 0.25)
    steps = len(view.steps_seen)
    used = {i for s in view.steps_seen for i in s.optimizers}
    for o in view.recording.optimizers:
        for group in o.groups:
            betas = group.settings.get("betas")
            momentum = betas[0] if isinstance(betas, (list, tuple)) and betas else group.settings.get("momentum")
            if o.index not in used or not isinstance(momentum, (int, float)) or not 0.95 < momentum < 1 or steps < 30:
                continue
            memory = 1 / (1 - momentum)
            if memory / steps > limit:
                whole = _ended_by_itself(view)  # else it goes on, maybe for long enough
                text = f"{o.type} has a momentum of {momentum:g}: each step is an average over some {memory:,.0f} steps, and the run has {steps}{'' if whole else ' so far'}."
                return Symptom("momentum-long", text, memory / steps, limit, 1.0 if whole else 0.8, "optimiser", o.place)
    return None


def _ended_by_itself(view: View) -> bool:
    end = view.recording.end
    return end is not None and end.reason == "finished" and view.steps >= 5


def short_run(view: View) -> Symptom | None:
    """What the script was told to do, not what the probe cut off."""
    limit = view.thresholds.get("short-run", 100.0)
    made = max(view.steps, len(view.steps_seen))
    if not _ended_by_itself(view) or made >= limit:
        return None
    return Symptom("short-run", f"The script ended by itself after {made} {view.unit}s.", float(made), limit, float(np.clip(math.log10(limit / made) + 0.3, 0.3, 1.0)))


def ended_falling(view: View) -> Symptom | None:
    """The last third against the one before; what falls in a contest says nothing."""
    limit = view.thresholds.get("ended-falling", 0.05)
    if not _ended_by_itself(view) or view.learns > 0.8 or view.judge is not None:
        return None
    third = max(2, len(view.finite) // 3)
    if len(view.finite) < 3 * third - 2:
        return None
    before, after = view.finite[-2 * third : -third], view.finite[-third:]
    drop = float(before.mean() - after.mean())
    noise = math.sqrt(float(before.var() + after.var()) / third)
    level = abs(float(before.mean()))
    if level <= 0 or drop / level < limit or drop < 2 * noise:
        return None
    text = f"Over the last third of its {view.steps} {view.unit}s the loss fell by another {drop / level:.0%}, and the script ended."
    return Symptom("ended-falling", text, drop / level, limit, float(np.clip(0.4 + 3 * (drop / level - limit), 0.4, 1.0)))


DETECTORS = (batch_tiny, few_updates, momentum_long, short_run, ended_falling)
