"""Numbers that the script was given, held against the run: batch size, momentum, length."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nndoctor.symptoms.measures import fall
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import HARDLY_NEW, View

INFO = (
    SymptomInfo("batch-tiny", "settings", "A step sees one or two samples of many.", 2.0, "Samples a step, accumulated ones included; the gradient's noise falls with their root, and four already halve it.", fact=True),
    SymptomInfo("few-updates", "settings", "An epoch is a handful of steps, because a batch holds most of the data.", 4.0, "Steps an epoch, of a data set of 500 samples or more; smaller sets are trained whole with success."),
    SymptomInfo("momentum-long", "settings", "Momentum averages over a good part of the whole run.", 0.25, "1 / (1 - momentum), the number of steps that it remembers, over the steps of the run; 0.9 remembers ten.", fact=True),
    SymptomInfo("short-run", "settings", "The script itself ended after very few steps.", 100.0, "Optimiser steps; the first hundred of most runs are spent on leaving the start.", fact=True),
    SymptomInfo("rate-cut-falling", "settings", "The rate was cut while the loss was falling, and came to nothing.", 0.05, "Share of its level that the loss lost, beyond its noise, over the last third of the steps before the first cut to a fifth."),
    SymptomInfo("ended-falling", "settings", "The script itself ended while the loss was falling fast.", 0.05, "Share of its level lost over the last third of the steps, beyond its noise."),
    SymptomInfo("clip-cuts", "settings", "Clipping cuts nearly every gradient to a small part of itself.", 0.02, "Median of what clipping leaves; clipping as a safety net leaves most steps whole.", fact=True),
    SymptomInfo("rate-decays-away", "settings", "The schedule takes the learning rate to a negligible part of its height within the probe.", 0.01, "Median rate of the steps over the highest one; linear, cosine and one-cycle schedules have about a half.", fact=True),
    SymptomInfo("decay-dominates", "settings", "Weight decay pulls harder on the weights than the loss does.", 2.0, "Decay times weight over gradient, median over weight matrices and looks (TheDeepChecker's over-regularisation).", fact=True),
    SymptomInfo("dropout-strong", "settings", "Dropout leaves next to nothing of the signal.", 0.8, "Probability; half is the usual most, and 0.8 what the original paper drops where it kept a fifth of the inputs.", fact=True),
    SymptomInfo("epsilon-dominates", "settings", "The optimiser's epsilon is far above the gradients that it is added to: its steps are those of plain descent, and short.", 10.0, "Epsilon over the size of a gradient's numbers, median over parameters and looks; epsilon is there to keep a quotient finite, and 1e-8 by default.", fact=True),
    SymptomInfo("smoothing-strong", "settings", "Label smoothing leaves less of the label than it spreads over the other classes.", 0.5, "The share that is spread; a tenth is usual (Szegedy et al. 2016).", fact=True),
    SymptomInfo("few-negatives", "settings", "Each sample is told apart from the others of its batch, and there are hardly any.", 8.0, "Samples in a batch; contrastive losses rank a pair against all others that came with it, hundreds as a rule (Chen et al. 2020).", fact=True),
    SymptomInfo("rate-never-arrives", "settings", "The script itself ended while its warm-up was still raising the learning rate.", 1.2, "Rate of the last step over that of the step at two thirds: a rate that has arrived is level there.", fact=True),
    SymptomInfo("full-batch-optimizer", "settings", "An optimiser that compares gradients from step to step is given another small batch each time.", 0.5, "Share of the data in a batch; Rprop and LBFGS were made for the whole of it.", fact=True),
)  # fmt: skip
_COMPARING = ("Rprop", "LBFGS")
_FEW_LOOKS = 6  # that say something of all steps
_BOLD_EPSILON = 1e-5  # above the default of every optimiser
_MANY = 64  # samples of which one or two are few
_PATIENT = 100  # steps
_HANDFUL = 10  # steps
_CUT = 0.2  # of the largest rate
_FEWEST_TO_FALL = 4  # steps
_LEAST_REST = 0.05  # of a change, that is not told from nothing
_LARGE = 500  # samples that are worth several batches


def momentum_of(settings: Mapping[str, Any]) -> float | None:
    """How much of the past a step of an optimiser with these settings holds: its momentum, or the first of its betas."""
    betas = settings.get("betas")
    momentum = betas[0] if isinstance(betas, (list, tuple)) and betas else settings.get("momentum")
    return float(momentum) if isinstance(momentum, (int, float)) else None


def bold_epsilon(settings: Mapping[str, Any]) -> float | None:
    """An optimiser's epsilon that somebody chose larger than any default; else None."""
    epsilon = settings.get("eps")
    return epsilon if isinstance(epsilon, float) and epsilon >= _BOLD_EPSILON else None


def _data(view: View) -> int:
    """Samples that the script trains on: what its loaders hold, or what was seen; where no sample came twice, all that came."""
    size, f, seen = view.samples_a_step, view.features, view.trained_rows
    if seen is not None:
        return seen.distinct
    if size is not None and f is not None and f.distinct >= 0.95 * f.rows:
        return int(size * len(view.steps_seen))
    lengths = [x.length for x in view.recording.loaders if x.length and x.shuffled is not False] or view.lengths
    return max([*lengths, *(f.distinct for f in view.recording.features)], default=0)


def batch_tiny(view: View) -> Symptom | None:
    """Of rows that could have come together."""
    limit = view.thresholds.get("batch-tiny", 2.0)
    size, there = view.samples_a_step, _data(view)
    if size is None or size > limit or there < _MANY:
        return None
    return Symptom("batch-tiny", f"Each step sees {size:g} of some {there:,} samples: its gradient is mostly noise.", size, limit, 1.0 if size <= 1 else 0.7, "batch")


def few_updates(view: View) -> Symptom | None:
    """Steps an epoch, by the loader's own figures."""
    limit = view.thresholds.get("few-updates", 4.0)
    size, seen = view.samples_a_step, view.trained_rows
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
    for o in view.recording.optimizers:
        for group in o.groups:
            momentum = momentum_of(group.settings)
            if o.index not in view.used or momentum is None or not 0.95 < momentum < 1 or steps < 30:
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
    """What the script was told to do, not what the probe cut off. A handful of steps tries a script out, and trains nothing."""
    limit = view.thresholds.get("short-run", 100.0)
    made = max(view.steps, len(view.steps_seen))
    if not _ended_by_itself(view) or not _HANDFUL <= made < limit:
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
    drop, noise, level = fall(view.finite[-2 * third : -third], view.finite[-third:])
    if level <= 0 or drop / level < limit or drop < 2 * noise:
        return None
    text = f"Over the last third of its {view.steps} {view.unit}s the loss fell by another {drop / level:.0%}, and the script ended."
    return Symptom("ended-falling", text, drop / level, limit, float(np.clip(0.5 + 5 * (drop / level - limit), 0.5, 1.0)))


def _cut_by_hand(view: View) -> list[tuple[float, float]]:
    """Gradients that have the very same norm at every step were brought to it: what is left of each that was looked at, and the norm."""
    norms = np.array([s.gradient_norm for s in view.steps_seen if s.gradient_norm is not None], dtype=np.float64)
    if len(norms) < 20 or not np.isfinite(norms).all() or not norms.std() < 1e-3 * norms.mean():
        return []
    return [(s.gradient_norm / s.made_norm, s.gradient_norm) for s in view.steps_seen if s.gradient_norm and s.made_norm and math.isfinite(s.made_norm)]


def clip_cuts(view: View) -> Symptom | None:
    """By how much clipping shortens the gradient."""
    limit = view.thresholds.get("clip-cuts", 0.02)
    kept = [(s.gradient_norm / s.unclipped_norm, s.clip) for s in view.steps_seen if s.clip and s.gradient_norm and s.unclipped_norm and math.isfinite(s.unclipped_norm)]
    if len(kept) < 10:
        kept = _cut_by_hand(view)
    if len(kept) < _FEW_LOOKS or not (value := float(np.median([ratio for ratio, _ in kept]))) <= limit:
        return None
    text = f"Clipping to {kept[-1][1]:.3g} leaves {value:.2%} of the gradient's norm in the median step."
    return Symptom("clip-cuts", text, value, limit, min(1.0, 0.5 + 0.5 * math.log10(limit / max(value, 1e-9))), "", view.place_of("clip"))


def rate_decays_away(view: View) -> Symptom | None:
    """Most steps are made at a rate that moves nothing."""
    limit = view.thresholds.get("rate-decays-away", 0.01)
    n = len(view.recording.steps)
    if not view.recording.optimizers or n < 30 or not view.recording.schedulers + view.recording.settings:
        return None
    rates = _rates(view)
    if len(rates) < 10 or max(rates) <= 0 or rates.index(max(rates)) > len(rates) // 3:
        return None
    value = float(np.median(rates)) / max(rates)
    if value >= limit:
        return None
    place = next((s.place for s in view.recording.schedulers if s.place), None)
    text = f"The learning rate falls from {max(rates):.3g} to {rates[-1]:.3g} within {len(view.steps_seen)} steps; half of them are made below {value:.1%} of it."
    return Symptom("rate-decays-away", text, value, limit, 1.0, "", place)


def rate_cut_falling(view: View) -> Symptom | None:
    """The rate on its way to nothing is cut for the first time when it still did its work, and then the loss stays where it is."""
    limit = view.thresholds.get("rate-cut-falling", 0.05)
    losses = view.losses
    if not len(losses) or rate_decays_away(view) is None:
        return None
    rates = _rates(view, len(losses))
    if len(rates) != len(losses) or not np.isfinite(losses).all():
        return None
    top = rates.index(max(rates))
    cut = next((i for i in range(top, len(rates)) if rates[i] < _CUT * rates[top]), 0)
    third = cut // 3
    if third < _FEWEST_TO_FALL:
        return None
    after = losses[cut - third : cut]
    drop, noise, level = fall(losses[cut - 2 * third : cut - third], after)
    later, _, _ = fall(after, losses[-third:])
    if level <= 0 or drop / level < limit or drop < 2 * noise or later > drop:
        return None
    text = f"The loss had fallen by {drop / level:.0%} in {third} steps when the rate was cut at step {view.since + cut}; in the {len(losses) - cut} steps after that it fell by {max(later, 0.0) / level:.0%}."
    return Symptom("rate-cut-falling", text, drop / level, limit, float(np.clip(0.5 + 2 * (drop / level - limit), 0.5, 1.0)))


def decay_dominates(view: View) -> Symptom | None:
    """Coupled or decoupled, decay of this size wins over the loss."""
    limit = view.thresholds.get("decay-dominates", 2.0)
    weights = {p.index for p in view.weights()}
    groups = [(o, k, g, d) for o in view.recording.optimizers for k, g in enumerate(o.groups) if (d := float(g.settings.get("weight_decay") or 0.0)) > 0]
    largest = max((d for *_, d in groups), default=0.0)
    ratios: list[float] = []
    for optimizer, k, group, decay in groups:
        mine, apart = weights & set(group.parameters), optimizer.type == "AdamW" or group.settings.get("decoupled_weight_decay")
        for sample in view.samples:
            # Decay that is added to the gradient meets it there; decay that is taken from the weights meets the step.
            rate = view.settings_at(optimizer.index, k, sample.step, "lr") if apart else None
            looks = [x for x in sample.parameters if x.parameter in mine and x.gradient]
            ratios += [_beside_the_step(rate * decay * x.weight, x.update) if isinstance(rate, (int, float)) else decay * x.weight / (x.gradient or 1.0) for x in looks]
    if len(ratios) < 6 or largest < 0.02:
        return None
    value = float(np.median(ratios))
    if not math.isfinite(value) or value < limit:
        return None
    text = f"Weight decay {largest:.3g} pulls on the weights {value:.1f} times as hard as the loss does."
    return Symptom("decay-dominates", text, value, limit, min(1.0, 0.5 + 0.5 * math.log10(value / limit)), "", view.recording.optimizers[0].place)


def _beside_the_step(pull: float, update: float | None) -> float:
    """What decay takes from a weight, over the rest of its change, which the loss makes."""
    return pull / math.sqrt(max(update**2 - pull**2, (_LEAST_REST * update) ** 2)) if update else 0.0


def epsilon_dominates(view: View) -> Symptom | None:
    """Of the optimisers that divide by the size of the gradient; defaults are let be."""
    limit = view.thresholds.get("epsilon-dominates", 10.0)
    found = {i: (e, o) for o in view.recording.optimizers if o.index in view.used for g in o.groups if (e := bold_epsilon(g.settings)) is not None for i in g.parameters}
    sizes = {p.index: math.sqrt(math.prod(p.shape)) for p in view.recording.parameters}
    ratios = [found[x.parameter][0] * sizes[x.parameter] / x.gradient for s in view.samples for x in s.parameters if x.parameter in found and x.parameter in sizes and x.gradient]
    if len(ratios) < 6 or not (value := float(np.median(ratios))) >= limit:
        return None
    epsilon, optimizer = next(iter(found.values()))
    text = f"{optimizer.type} adds an epsilon of {epsilon:.3g} to gradients {value:,.0f} times smaller: it divides by epsilon, not by their size."
    return Symptom("epsilon-dominates", text, value, limit, min(1.0, 0.5 + 0.5 * math.log10(value / limit)), "optimiser", optimizer.place)


def smoothing_strong(view: View) -> Symptom | None:
    """As the loss function was told."""
    limit = view.thresholds.get("smoothing-strong", 0.5)
    loss = view.main_loss
    share = loss.settings.get("label_smoothing") if loss is not None else None
    if loss is None or not isinstance(share, float) or share < limit:
        return None
    return Symptom("smoothing-strong", f"{loss.function} smooths labels by {share:.0%}: that much of each is spread over all classes.", share, limit, float(np.clip(0.6 + share - limit, 0.6, 1.0)), "loss", loss.place)


def dropout_strong(view: View) -> Symptom | None:
    """The strongest dropout layer that ran."""
    limit = view.thresholds.get("dropout-strong", 0.8)
    found = [(p, m) for m in view.recording.modules if "Dropout" in m.type and isinstance(p := m.settings.get("p"), (int, float)) and p >= limit]
    if not found:
        return None
    p, m = max(found, key=lambda pair: pair[0])
    many = f", as do {len(found) - 1} more" if len(found) > 1 else ""
    return Symptom("dropout-strong", f"{m.name} drops {p:.0%} of its inputs in training{many}.", float(p), limit, float(np.clip(0.4 + 4 * (p - limit), 0.4, 1.0)), m.name, m.place)


def few_negatives(view: View) -> Symptom | None:
    """Of targets that are places in the batch."""
    limit = view.thresholds.get("few-negatives", 8.0)
    labels, size = view.labels, view.batch
    if labels is None or not labels.positional or size is None or not size <= limit:
        return None
    text = f"The targets are places in the batch, and a batch has {size:g}: each sample is told apart from {size - 1:g} other{'s' if size != 2 else ''}."
    return Symptom("few-negatives", text, size, limit, float(np.clip(1.0 - (size - 4) / 8, 0.5, 1.0)), "batch", view.main_loss.place if view.main_loss else None)


def _rates(view: View, most: int = 60) -> list[float]:
    """Learning rate of the last optimiser's first group at so many steps, or some more."""
    index, n = view.recording.optimizers[-1].index, len(view.steps_seen)
    return [r for s in range(view.since, view.since + n, max(1, n // most)) if isinstance(r := view.settings_at(index, 0, s, "lr"), (int, float))]


def rate_never_arrives(view: View) -> Symptom | None:
    """Rising from the first step to the last, of a run that nobody cut off."""
    limit = view.thresholds.get("rate-never-arrives", 1.2)
    if not view.recording.optimizers or not _ended_by_itself(view) or len(view.steps_seen) < 20:
        return None
    rates = _rates(view)
    if len(rates) < 10 or rates != sorted(rates) or not rates[-1] > limit * rates[2 * len(rates) // 3]:
        return None
    place = next((s.place for s in view.recording.schedulers if s.place), None)
    text = f"The learning rate was still rising, from {rates[0]:.3g} to {rates[-1]:.3g}, when the script ended after {len(view.steps_seen)} steps."
    return Symptom("rate-never-arrives", text, rates[-1] / max(rates[2 * len(rates) // 3], 1e-30), limit, 1.0, "optimiser", place)


def full_batch_optimizer(view: View) -> Symptom | None:
    """By the kind of an optimiser that steps, and what it is given."""
    limit = view.thresholds.get("full-batch-optimizer", 0.5)
    o = next((o for o in view.recording.optimizers if o.index in view.used and o.type in _COMPARING), None)
    size, there = view.batch, _data(view)
    if o is None or size is None or there < _MANY or size > limit * there:
        return None
    text = f"{o.type} sets its steps by how the gradient changes from one to the next, and each of its gradients comes from another {size:g} of some {there:,} samples."
    return Symptom("full-batch-optimizer", text, size / there, limit, 1.0, "optimiser", o.place)


DETECTORS = (
    batch_tiny, few_updates, momentum_long, short_run, ended_falling, clip_cuts, rate_decays_away, rate_cut_falling, decay_dominates, dropout_strong, rate_never_arrives,
    full_batch_optimizer, few_negatives, epsilon_dominates, smoothing_strong,
)  # fmt: skip
