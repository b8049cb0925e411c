"""What the loss did over the probe, and what validation did beside it."""

from __future__ import annotations

import math

import numpy as np

from nndoctor.symptoms.measures import fall
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import View

INFO = (
    SymptomInfo("loss-nonfinite", "curves", "The training loss became NaN or infinite."),
    SymptomInfo(
        "loss-diverged", "curves", "The loss ends far above where it began.", 1.5,
        "A run that ends half above its first loss has not merely fluctuated: at batch 32 the deviation of a mean loss is below a fifth of it.",
    ),
    SymptomInfo("loss-unbounded", "curves", "The loss falls below zero without end.", 100.0, "Depth below zero over the size of the first loss; likelihoods of sound models level out within tens."),
    SymptomInfo(
        "no-better-than-constant", "curves", "The last losses are hardly better than the best constant prediction.", 0.1,
        "Share of what a constant leaves that is explained; full strength at half of this.",
    ),
    SymptomInfo("loss-flat", "curves", "The loss did not fall by more than its noise.", 3.0, "Standard errors between the first and the last tenth of the steps."),
    SymptomInfo(
        "loss-oscillates", "curves", "The loss jumps from step to step by a large part of its level.", 0.5,
        "Robust deviation of successive differences over the level; batch noise of a healthy run stays below a third.",
    ),
    SymptomInfo(
        "loss-by-batch", "curves", "The squared error of some batches is many times that of the others, and the next batch knows nothing of it: the jump lies in the rows, not in the weights.", 5.0,
        "Loss over its lower quartile; the mean of 16 normal errors squared stays below three of them. Steps in a row must not agree (correlation of their log losses below 0.2): weights that were thrown off stay off for some steps.",
    ),
    SymptomInfo("loss-jumps", "curves", "Early in the run the loss rose far above its first value.", 3.0, "Largest loss over the first; a healthy start rises by tens of per cent at most."),
    SymptomInfo(
        "learning-undone", "curves", "The training loss had come down, and rises again to the end.", 0.3,
        "Share of what it had come down that is lost again, and at least a third of its lowest level; of 540 sound runs two lose so much, one by a spike and one that has no labels.",
    ),
    SymptomInfo("loss-crawls", "curves", "The loss falls steadily, but at this pace learning would take many times the probe.", 0.05, "Share of the way learnt in the whole probe."),
    SymptomInfo("still-falling", "curves", "The loss was still falling when watching ended.", 0.02, "Share of its level lost over the last fifth of the steps, beyond its noise."),
    SymptomInfo("learns", "curves", "The run learns: most of what a constant prediction leaves is explained.", 0.3, "Share explained; strength grows with it."),
    SymptomInfo("mastered", "curves", "Training and validation are both predicted almost without a fault: whatever is unusual hinders nothing.", 0.95, "The lower of the two scores, on the scale where a constant is 0 and a perfect score 1."),
    SymptomInfo("high-first-loss", "curves", "The first loss is far above what a constant prediction reaches.", 2.0, "First loss over the constant predictor's; sane initial outputs are near zero, so the ratio is near one (Karpathy's recipe)."),
    SymptomInfo("below-reference", "curves", "A closed-form learner on the same rows does much better than the network.", 0.25, "Gap on the scale where a constant is 0 and a perfect score 1."),
    SymptomInfo("memorises", "curves", "Training is fitted far better than validation.", 0.2, "Gap between training and validation score, on the scale where a constant is 0 and a perfect score 1."),
    SymptomInfo("validation-rises", "curves", "Validation loss rises while training loss falls.", 0.15, "Rise above its minimum, relative to it."),
)  # fmt: skip

_LEARNS = 0.5  # of what there is to learn: rows that are missed then cost little
_ROWS_OF_A_MEAN = 16  # of a batch: in fewer, one row that is hard by chance is the loss
_ALIKE = 0.3  # share of the targets' variance between batches, from which on they are of different kinds
_RETURNS = 0.05  # share of the steps that jump
_MOST_LOSS = 0.5  # share of the summed loss that they hold
_MEMORY = 0.2  # correlation of the log losses of steps in a row


def loss_nonfinite(view: View) -> Symptom | None:
    """NaN or Inf in the loss that backward was called on, or that the script skipped."""
    bad = ~np.isfinite(view.losses)
    if bad.any():
        first = int(np.argmax(bad)) + 1
        text = f"The loss was {view.losses[first - 1]} at {view.unit} {first}, and in {bad.mean():.0%} of {len(bad)} {view.unit}s."
        return Symptom("loss-nonfinite", text, float(first), where="loss", place=view.main_loss.place if view.main_loss else None)
    skipped = [n for n in view.recording.nonfinite if n.where in ("loss", "target") and n.step >= view.since]
    if skipped:
        n = skipped[0]
        text = f"{n.name} gave NaN or Inf in {n.count} of {n.batches} batches; first before step {n.step}."
        return Symptom("loss-nonfinite", text, float(n.step), strength=0.7, where="loss", place=n.place)
    return None


def loss_diverged(view: View) -> Symptom | None:
    """Ends far above where it began."""
    if view.first is None or view.last is None or len(view.finite) < 5:
        return None
    limit = view.thresholds.get("loss-diverged", 1.5)
    if view.first > 0 and view.last > limit * view.first and not view.falls:
        ratio = view.last / view.first
        strength = min(1.0, math.log(ratio) / math.log(10)) * (1.0 if view.comparable or ratio > 1000 else 0.3)
        return Symptom("loss-diverged", f"The loss went from {view.first:.4g} to {view.last:.4g}.", ratio, limit, strength)
    return None


def loss_unbounded(view: View) -> Symptom | None:
    """Falls below zero, faster and faster: nothing keeps it from doing so."""
    limit = view.thresholds.get("loss-unbounded", 100.0)
    if view.plunge < limit:
        return None
    return Symptom("loss-unbounded", f"The loss falls below zero faster and faster: from {view.first:.4g} to {view.last:.4g}.", view.plunge, limit, 1.0)


def no_better_than_constant(view: View) -> Symptom | None:
    """Nothing has been learnt that a constant prediction does not know."""
    limit = view.thresholds.get("no-better-than-constant", 0.1)
    if view.skill is None or view.skill >= limit or view.steps < 10:
        return None
    strength = float(np.clip(2 * (limit - view.skill) / limit, 0.3, 1.0))
    if view.constant is not None and view.last is not None:
        text = f"After {view.steps} {view.unit}s the loss is {view.last:.4g}; always predicting the same gives {view.constant:.4g}."
    elif view.accuracy is not None and view.chance is not None:
        text = f"After {view.steps} {view.unit}s the accuracy is {view.accuracy:.1%}; always naming the most frequent class gives {view.chance:.1%}."
    else:
        text = f"After {view.steps} {view.unit}s R2 on training batches is {view.skill:.3f}; predicting the mean gives 0."
    return Symptom("no-better-than-constant", text, view.skill, limit, strength)


def loss_flat(view: View) -> Symptom | None:
    """No fall beyond noise."""
    limit = view.thresholds.get("loss-flat", 3.0)
    if view.early is None or view.last is None or len(view.finite) < 20 or view.falls_beyond(limit):
        return None
    strength = 1.0 if view.fall < 0.02 else 0.5
    return Symptom("loss-flat", f"The loss is {view.early:.4g} over the first {view.unit}s and {view.last:.4g} over the last.", view.fall, limit, strength)


def loss_oscillates(view: View) -> Symptom | None:
    """Large step-to-step changes in the second half of the run."""
    tail = view.finite[len(view.finite) // 2 :]
    if len(tail) < 20:
        return None
    level = abs(float(np.median(tail)))
    jumps = np.abs(np.diff(tail))
    robust = float(np.median(jumps)) * 1.05  # deviation of a normal's successive differences over sqrt(2)
    limit = view.thresholds.get("loss-oscillates", 0.5)
    ratio = robust / max(level, 1e-12)
    batch = next((s.batch for s in view.recording.steps if s.batch), None) or 32
    if batch < 8 or ratio <= limit or (view.constant and level < 0.1 * view.constant) or view.judge is not None:
        return None
    return Symptom("loss-oscillates", f"From one {view.unit} to the next the loss changes by {ratio:.0%} of its level.", ratio, limit, min(1.0, ratio / (2 * limit)))


def loss_by_batch(view: View) -> Symptom | None:
    """Jumps that hold most of the loss, often enough to be rows that come back, in batches that are drawn from all of them."""
    limit = view.thresholds.get("loss-by-batch", 5.0)
    tail = view.finite[len(view.finite) // 2 :]
    if not view.squares or view.judge is not None or (view.batch or 0) < _ROWS_OF_A_MEAN or view.learns > _LEARNS:
        return None
    if len(tail) < 40 or tail.min() <= 0 or view.labels is None or (view.labels.between or 0.0) > _ALIKE:
        return None
    typical = float(np.percentile(tail, 25))
    high, logs = tail > limit * typical, np.log(tail)
    if high.mean() < _RETURNS or tail[high].sum() < _MOST_LOSS * tail.sum() or np.corrcoef(logs[:-1], logs[1:])[0, 1] > _MEMORY:
        return None
    size = float(np.median(tail[high])) / typical
    text = f"In {high.mean():.0%} of the last {len(tail)} {view.unit}s the loss is about {size:.0f} times its lower quartile of {typical:.4g}, whatever it was one {view.unit} before."
    return Symptom("loss-by-batch", text, size, limit, float(np.clip(0.5 + math.log10(size / limit), 0.5, 1.0)), "loss")


def loss_jumps(view: View) -> Symptom | None:
    """An early explosion, even if the loss came down again."""
    if view.first is None or len(view.finite) < 10 or view.first <= 0:
        return None
    limit = view.thresholds.get("loss-jumps", 3.0)
    head = view.finite[: max(30, len(view.finite) // 4)]
    peak = float(head.max())
    base = max(view.first, view.constant or 0.0)
    if peak <= limit * base or int(head.argmax()) == 0:
        return None
    strength = min(1.0, math.log(peak / base) / math.log(100)) * (1.0 if view.comparable or peak > 1000 * base else 0.3)
    return Symptom("loss-jumps", f"The loss rose from {view.first:.4g} to {peak:.4g} by {view.unit} {int(head.argmax()) + 1}.", peak / base, limit, strength)


def learning_undone(view: View) -> Symptom | None:
    """From the lowest of fifteen stretches to the last two, beyond the noise of each."""
    limit = view.thresholds.get("learning-undone", 0.3)
    x = view.finite
    if len(x) < 40 or len(x) < len(view.losses) or view.judge is not None or view.main_loss is None or view.last is None or view.last <= 0:
        return None
    k = max(5, len(x) // 15)
    stretches = [x[i : i + k] for i in range(0, len(x) - k + 1, k)]
    means = np.array([s.mean() for s in stretches])
    errors = np.array([s.std() for s in stretches]) / math.sqrt(k)
    low, end = int(means.argmin()), float(means[-2:].mean())
    fell, rose = float(means[0] - means[low]), end - float(means[low])
    if not 0 < low < len(means) - 2 or means[low] < 0 or fell <= 0.1 * means[0]:
        return None
    if rose <= 3 * math.hypot(errors[low], errors[-2:].max()) or rose < means[low] / 3 or not rose / fell >= limit:
        return None
    text = f"The loss had come down from {means[0]:.4g} to {means[low]:.4g} by {view.unit} {low * k + k}, and has risen to {end:.4g} since."
    return Symptom("learning-undone", text, rose / fell, limit, float(np.clip(0.5 + rose / fell / 2, 0.5, 1.0)), "loss")


def loss_crawls(view: View) -> Symptom | None:
    """A steady fall that comes to next to nothing: where it is known what a constant does, all that led there counts for nothing."""
    limit = view.thresholds.get("loss-crawls", 0.05)
    if len(view.finite) < 30 or view.early is None or view.last is None or view.first is None:
        return None
    if not np.isfinite(view.losses).all() or view.last >= view.early:
        return None
    done = view.fall if view.constant is None else max(view.skill or 0.0, 0.0)
    if done >= limit or not _keeps_pace(view):
        return None
    agreement = _agreement(view)
    strength = 1.0 if view.falls else 0.5
    text = f"In {view.steps} {view.unit}s the loss went from {view.early:.4g} to {view.last:.4g}"
    text += f", and successive gradients agree (cosine {agreement:.2f})." if agreement is not None and agreement > 0.5 else "."
    return Symptom("loss-crawls", text, done, limit, strength)


def _keeps_pace(view: View) -> bool:
    """Whether the second half of the run falls at a pace like the first half's: a crawl, and no plateau after an early fall."""
    quarters = [float(q.mean()) for q in np.array_split(view.finite[5:] if len(view.finite) > 40 else view.finite, 4)]
    return quarters[2] - quarters[3] > 0.25 * max(quarters[0] - quarters[1], 0.0) - 0.1 * view.noise


def _agreement(view: View) -> float | None:
    values = [p.agreement for s in view.recording.samples for p in s.parameters if p.agreement is not None and math.isfinite(p.agreement)]
    return float(np.median(values)) if values else None


def still_falling(view: View) -> Symptom | None:
    """Not finished when watching ended."""
    n = len(view.finite)
    if n < 20 or not view.falls:
        return None
    k = max(5, n // 5)
    drop, error, level = fall(view.finite[-2 * k : -k], view.finite[-k:])
    limit = view.thresholds.get("still-falling", 0.02)
    if drop <= 2 * error or drop < limit * level:
        return None
    return Symptom("still-falling", f"Over the last fifth of the {view.unit}s the loss fell by another {drop / max(level, 1e-12):.0%}.", drop / max(level, 1e-12), limit)


def learns(view: View) -> Symptom | None:
    """Evidence for health."""
    limit = view.thresholds.get("learns", 0.3)
    if view.learns < limit:
        return None
    strength = float(np.clip((view.learns - limit) / 0.4, 0.2, 1.0))
    if view.accuracy is not None and view.is_classification:
        text = f"Training accuracy reaches {view.accuracy:.1%} (most frequent class: {view.chance or 0:.1%})."
    elif view.skill is not None:
        text = f"{view.skill:.0%} of what a constant prediction leaves is explained."
    else:
        text = f"The loss fell from {view.early:.4g} to {view.last:.4g}."
    return Symptom("learns", text, view.learns, limit, strength)


def mastered(view: View) -> Symptom | None:
    """Evidence that an oddity is meant, or harmless; not against what makes validation look better than it is."""
    limit = view.thresholds.get("mastered", 0.95)
    if not view.validation_skills:
        return None
    validation = min(view.validation_skills[-2:])
    score = min(view.learns, validation)
    if score < limit:
        return None
    return Symptom("mastered", f"Training scores {view.learns:.2f} and validation {validation:.2f} (0: a constant, 1: perfect).", score, limit, 1.0)


def high_first_loss(view: View) -> Symptom | None:
    """Outputs far too large at the start."""
    limit = view.thresholds.get("high-first-loss", 2.0)
    if view.first is None or not view.constant:
        return None
    ratio = view.first / view.constant
    if ratio <= limit:
        return None
    text = f"The first loss is {view.first:.4g}; a constant prediction gives {view.constant:.4g}."
    return Symptom("high-first-loss", text, ratio, limit, min(1.0, math.log(ratio / limit) / math.log(10) + 0.3))


def below_reference(view: View) -> Symptom | None:
    """The data hold signal that the network does not find."""
    limit = view.thresholds.get("below-reference", 0.25)
    if view.best_reference is None or view.reference is None:
        return None
    gap = view.best_reference - max(view.learns, 0.0)
    if gap <= limit or view.best_reference <= 0.2:
        return None
    r = view.reference
    name = "accuracy" if r.task in ("classes", "binary") else "R2"
    text = f"A closed-form learner fitted on {r.rows * 2 // 3} of the same rows reaches {name} {r.plain:.2f} on the others; the network is at {_network(view)}."
    return Symptom("below-reference", text, gap, limit, min(1.0, gap / 0.6))


def _network(view: View) -> str:
    if view.is_classification and view.accuracy is not None:
        return f"{view.accuracy:.2f}"
    return f"{view.r2:.2f}" if view.r2 is not None else f"{view.learns:.2f}"


def memorises(view: View) -> Symptom | None:
    """Training good, validation poor."""
    limit = view.thresholds.get("memorises", 0.2)
    if view.skill is None or view.validation_skill is None:
        return None
    gap = view.skill - view.validation_skill
    if view.skill < 0.4 or gap <= limit:
        return None
    text = f"Training score {max(view.skill, 0):.2f} against {view.validation_skill:.2f} in validation (0: a constant, 1: perfect)."
    return Symptom("memorises", text, gap, limit, min(1.0, gap / 0.6))


def validation_rises(view: View) -> Symptom | None:
    """The textbook picture of overfitting."""
    rows = view.validation
    if len(rows) < 3 or view.fall <= 0.1:
        return None
    losses = rows[:, 1]
    best = int(losses.argmin())
    end = float(losses[-max(1, len(losses) // 5) :].mean())
    limit = view.thresholds.get("validation-rises", 0.15)
    # A tenth of where validation began is the least that counts: at the bottom of a good run, noise is large beside the loss.
    rise = (end - losses[best]) / max(abs(float(losses[best])), 0.1 * abs(float(losses[0])), 0.1 * (view.constant or 0.0), 1e-12)
    if rise <= limit or best >= len(losses) - 2 or not _falls_since(view, int(rows[best, 0])):
        return None
    text = f"Validation loss was lowest, {losses[best]:.4g}, at {view.unit} {int(rows[best, 0])} and is {end:.4g} at the end, while training loss fell."
    return Symptom("validation-rises", text, rise, limit, min(1.0, rise))


def _falls_since(view: View, step: int) -> bool:
    """Whether the training loss is lower at the end than it was about a step: where a term of the loss gains weight, both rise."""
    at = min(max(step - view.since + 1, 0), len(view.losses) - 1)
    about = view.losses[max(0, at - view.tenth) : at + view.tenth]
    about = about[np.isfinite(about)]
    return view.last is not None and len(about) > 0 and view.last < float(about.mean())


DETECTORS = (
    loss_by_batch, loss_nonfinite, loss_diverged, loss_unbounded, no_better_than_constant, loss_flat, loss_oscillates, loss_jumps, learning_undone,
    loss_crawls, still_falling, learns, mastered, high_first_loss, below_reference, memorises, validation_rises,
)  # fmt: skip

# Those that need the losses alone, and so can be noticed in a log that somebody else has kept.
OF_LOSSES = (loss_nonfinite, loss_diverged, loss_unbounded, loss_flat, loss_oscillates, loss_jumps, loss_crawls, still_falling, learns, validation_rises)
