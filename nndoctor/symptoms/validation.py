"""What the script validates on, held against what it trains on."""

from __future__ import annotations

import math

import numpy as np

from nndoctor.record.model import Overlap
from nndoctor.symptoms.labels import is_sorted
from nndoctor.symptoms.measures import effective_classes
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import HARDLY_NEW, View

INFO = (
    SymptomInfo("validation-shifted", "validation", "Validation inputs have another location or scale than the training inputs.", 1.0, "Distance of the means in training deviations, root mean square over features and beyond four standard errors, or the median feature's scale off by a factor of e.", fact=True),
    SymptomInfo("validation-other-ids", "validation", "Much of validation is ids that training hardly feeds, and validation falls short of training.", 0.3, "Share of validation on ids that it feeds three times as often as training or more, beyond what late training has of such beside early training; one id that stands for unknown words takes a sixth of an honest text, and the words of another topic a third, of whom 1.6 times as many are asked for.", fact=True),
    SymptomInfo("validation-other-shares", "validation", "Training is nearly all one class, validation is made of many, and the network falls short on them.", 0.5, "Effective number of classes (exponential of the entropy) in training over that in validation; shares that differ by chance, or by how a set was split, stay above 0.7.", fact=True),
    SymptomInfo("validation-overlaps", "validation", "Rows that the script validates on were trained on.", 0.1, "Share of validation rows, compared bit by bit; a few twins occur in honest data, and equal rows of whole numbers may be chance.", fact=True),
    SymptomInfo("validation-never-learns", "validation", "Validation is as bad as guessing from the first pass to the last, though the task is learnt and simple learners find it easy.", 0.3, "Best validation score over the simple learners' on unseen training rows: who overfits is better than that, at first at least."),
    SymptomInfo("validation-below-first-sight", "validation", "Validation never comes near what the network makes of training rows that it sees for the first time.", 0.3, "Gap on the scale where a constant is 0 and a perfect score 1, between the second half of the first epoch and the best validation pass; both are rows never seen before, so that learning by heart cannot explain it."),
    SymptomInfo("validation-at-chance", "validation", "Training learns, and validation is no better than a constant prediction in any of its late passes.", 0.05, "Best validation score of the second half of the passes, on the scale where a constant is 0 and a perfect score 1."),
    SymptomInfo("validation-above-training", "validation", "Validation is predicted better than the rows that are trained on, though nothing makes training harder.", 0.1, "Gap on the scale where a constant is 0 and a perfect score 1; without dropout, blended samples or new rows in each epoch, a network knows best what it was taught."),
    SymptomInfo("validation-erratic", "validation", "From one validation pass to the next the score jumps, while training batches are predicted well.", 0.2, "Median change between successive passes over the same rows, on the scale where a constant is 0 and a perfect score 1."),
)  # fmt: skip
_FEWEST_ROWS = 50  # of which one more or less that is right is no jump
_FEWEST_PASSES = 5  # before the score can be said to jump
_FEWEST_LOOKS = 2  # in the second half of the first epoch, or of the passes
_SOMETHING = 0.1  # of what there is to learn
_KEPT_UP = 0.5  # of it, on validation rows
_SHORT = 0.1  # of it, by which a validation stays behind
_SCATTERED = 1.6  # limits, where no single id makes up most: a text on something else has many words of its own
_LONG = 100  # steps
_LEARNT = 0.4  # of a score that a validation can fall short of
_WHOLE = 0.95  # of a set
_LUCK = 0.01  # chance of equal rows from which they mean nothing
_EVEN_ODDS = 0.5
_TWINS = 0.05  # share of validation rows that are twins, where the rows were copied before they were split


def validation_shifted(view: View) -> Symptom | None:
    """The same features of the same model, in training and without gradient, where they are data: what another network makes changes as
    that one learns, and who feeds one row again and again, as a decoder is tried out, asks something else than how good it is.
    """
    limit = view.thresholds.get("validation-shifted", 1.0)
    for h in (h for h in view.recording.holdouts if not h.repeated):
        f = next((f for f in view.recording.features if f.model == h.model and f.dtype.startswith(("float", "bfloat")) and len(f.mean) == len(h.mean)), None)
        if f is None or f.made or f.rows < 50 or h.rows < 16:
            continue
        mean, std, other, spread = (np.array(v, dtype=np.float64) for v in (f.mean, f.std, h.mean, h.std))
        varying = std > 1e-3 * np.median(std[std > 0]) if (std > 0).any() else std > 0
        if not varying.any() or not np.isfinite(other).all():
            continue
        with np.errstate(over="ignore", divide="ignore"):
            distance = np.abs(other - mean)[varying] / std[varying] - 4 / math.sqrt(min(h.rows, f.rows))
            far = float(np.sqrt(np.mean(np.clip(distance, 0, 1e6) ** 2)))
            factor = float(np.median(np.log(np.maximum(spread[varying], 1e-9) / std[varying])))
        if max(far, abs(factor)) < limit or (factor < 0 and f.outliers > 0 and far < limit):
            continue  # a few wild rows are all that the training set has more of
        text = f"Validation inputs lie {far:.3g} training deviations away from the training inputs (root mean square over {int(varying.sum())} features), with {math.exp(factor):.3g} times their scale."
        strength = float(np.clip(0.5 + 0.5 * math.log(max(far, abs(factor)) / limit), 0.5, 1.0))
        keeps_up = (view.validation_skill or 0.0) >= _LEARNT and _shortfall(view) < _SHORT  # the network bears with it
        return Symptom("validation-shifted", text, max(far, abs(factor)), limit, strength / 2 if keeps_up else strength, "validation")
    return None


def validation_other_ids(view: View) -> Symptom | None:
    """Of a set that is scored, and not of what a network is given to go on from; who does as well on it has the same ids, or needs no more."""
    limit = view.thresholds.get("validation-other-ids", 0.3)
    places = {e.place for e in view.evaluations}
    found = [v for v in view.recording.vocabularies if v.place in places]
    v = max(found, key=lambda v: v.strange - v.chance, default=None)
    if v is None or not _shortfall(view) >= _SHORT:
        return None
    alone = v.one > v.strange / 2
    limit *= 1.0 if alone else _SCATTERED
    if not v.strange - v.chance >= limit:
        return None
    most = f", {v.one:.0%} on one of them, as where words are unknown" if alone else ""
    text = f"{v.strange:.0%} of what is fed in validation lies on ids that training feeds less than a third as often{most}; of late training {v.chance:.0%} do so beside the training before."
    return Symptom("validation-other-ids", text, v.strange - v.chance, limit, float(np.clip(0.6 + v.strange - v.chance - limit, 0.6, 1.0)), "validation", v.place)


def validation_other_shares(view: View) -> Symptom | None:
    """Of classes that training knows, and draws at random; who weighs them in the loss has seen it, and who does well bears with it."""
    limit = view.thresholds.get("validation-other-shares", 0.5)
    last = next((e for e in reversed(view.evaluations) if e.labels), None)
    labels = view.labels
    if last is None or labels is None or not view.is_classification or len(labels.counts) < 2 or view.is_weighted or is_sorted(view) or (view.validation_skill or 0.0) >= _KEPT_UP:
        return None
    rows, known = sum(last.labels.values()), sum(n for c, n in last.labels.items() if c in labels.counts)
    if rows < _FEWEST_ROWS or labels.rows < _FEWEST_ROWS or known < rows / 2:
        return None
    ratio = effective_classes(labels.counts) / effective_classes(last.labels)
    if not ratio < limit:
        return None
    usual = max(labels.counts, key=lambda c: labels.counts[c])
    text = f"{labels.counts[usual] / sum(labels.counts.values()):.0%} of the training labels are {usual}, and {last.labels.get(usual, 0) / rows:.0%} of the {rows} in validation."
    return Symptom("validation-other-shares", text, ratio, limit, float(np.clip(0.6 + 2 * (limit - ratio), 0.6, 1.0)), "labels")


def _shortfall(view: View) -> float:
    """How far validation stays behind training at the end, as a share of what there is to learn: by its score, or by its loss."""
    if view.shortfall is not None:
        return view.shortfall
    if view.last is None or not len(view.validation):
        return 0.0
    return float(view.validation[-3:, 1].mean() - view.last) / (view.constant or max(abs(view.last), 1e-12))


def validation_overlaps(view: View) -> Symptom | None:
    """A validation set that shares some of its rows with the training set, or holds copies of them.

    Who evaluates the training set itself, all of it, or everything there is, does so on purpose; who calls a part of it
    validation does not.
    """
    limit = view.thresholds.get("validation-overlaps", 0.1)
    found = [o for o in view.recording.overlaps if o.rows >= 20 and o.known >= limit and _is_leak(o)]
    if not found:
        return None
    o = max(found, key=lambda o: o.known * o.rows)
    text = f"{o.known:.0%} of the {o.rows} rows evaluated here are among the {o.trained} rows that were trained on."
    return Symptom("validation-overlaps", text, o.known, limit, float(np.clip(0.7 + o.known, 0.7, 1.0)), "validation", o.place)


def _is_leak(o: Overlap) -> bool:
    lucky = o.chance > (_EVEN_ODDS if o.known >= _WHOLE and o.named else _LUCK)  # of all rows of a set each is known: no luck
    if o.fresh > HARDLY_NEW or lucky or o.covered >= _WHOLE:
        return False
    if o.known >= _WHOLE:
        return o.named or (o.real and o.twins >= _TWINS)
    return o.real or o.even


def validation_never_learns(view: View) -> Symptom | None:
    """Three passes or more, of a network that fits its training data."""
    limit = view.thresholds.get("validation-never-learns", 0.3)
    skills, best = view.validation_skills, view.best_reference
    if len(skills) < 3 or best is None or not best >= 0.5 or view.learns < 0.5 or not max(skills) < limit * best:
        return None
    text = f"In {len(skills)} validation passes the score is never better than {max(skills):.2f}, while training reaches {view.learns:.2f} and simple learners {best:.2f} on training rows they were not fitted on (0: a constant, 1: perfect)."
    return Symptom("validation-never-learns", text, max(skills), limit, 1.0, "validation")


def validation_below_first_sight(view: View) -> Symptom | None:
    """Of the model that is trained, where an epoch is long enough to have learnt something by its end."""
    limit = view.thresholds.get("validation-below-first-sight", 0.3)
    seen, size, rows = view.trained_rows, view.samples_a_step, _distinct(view)
    if not rows or size is None or is_sorted(view):
        return None
    epoch = view.since + rows / size
    looks = [score for s in view.samples if (epoch + view.since) / 2 <= s.step <= epoch and (score := view.sample_skill(s)) is not None]
    passes = [seen is None or e.model == seen.model for e in view.evaluations if e.step >= epoch * 0.9]
    if len(looks) < _FEWEST_LOOKS or len(looks) * size < _FEWEST_ROWS or not passes or not all(passes) or not view.validation_skills:
        return None
    first, best = float(np.mean(looks)), max(view.validation_skills)
    if first < _LEARNT or not first - best >= limit:
        return None
    text = f"On training rows that it saw for the first time, at the end of the first epoch, the network scored {first:.2f}; in validation it never does better than {best:.2f} (0: a constant, 1: perfect)."
    return Symptom("validation-below-first-sight", text, first - best, limit, float(np.clip(0.5 + first - best, 0.5, 1.0)), "validation", view.evaluations[-1].place)


def _is_handful(view: View) -> bool:
    """Whether a row or two more that are right would move a validation score."""
    return min(e.samples for e in view.evaluations) < _FEWEST_ROWS


def validation_at_chance(view: View) -> Symptom | None:
    """Of a run that had the time to learn and has learnt something, and a validation set that is no handful of rows."""
    limit = view.thresholds.get("validation-at-chance", 0.05)
    late = view.validation_skills[len(view.validation_skills) // 2 :]
    if len(late) < _FEWEST_LOOKS or view.steps < _LONG or view.learns < _SOMETHING or _is_handful(view) or not max(late) < limit:
        return None
    text = f"In the last {len(late)} validation passes the score is never better than {max(late):.2f}, while training reaches {view.learns:.2f} (0: a constant, 1: perfect)."
    return Symptom("validation-at-chance", text, max(late), limit, 1.0, "validation")


def validation_above_training(view: View) -> Symptom | None:
    """Late passes against the looks of their time, and one in the midst of the run against all that come after it, which a longer
    training favours: labels that are wrong in training alone leave validation the better one.
    """
    limit = view.thresholds.get("validation-above-training", 0.1)
    seen, skills = view.trained_rows, view.validation_skills
    middle = len(skills) // 2
    since = view.evaluations[middle].step if len(view.evaluations) == len(skills) and skills else math.inf
    scores = [score for s in view.samples if s.step > since and (score := view.sample_skill(s)) is not None]
    harder = view.blends or any("Dropout" in m.type and m.settings.get("p") for m in view.recording.modules) or any(s.function == "dropout" for s in view.recording.sites)
    if not view.is_classification or not (_is_repeated(view) if seen is None else seen.fresh <= HARDLY_NEW) or harder or len(skills) < 2 * _FEWEST_LOOKS or len(scores) < 4:
        return None
    known, late = float(np.mean(scores)), float(np.mean(skills[-max(2, len(skills) // 3) :]))
    gap = min(late, skills[middle]) - known
    if _is_handful(view) or view.steps < _LONG or not gap >= limit + 2 * float(np.std(scores)) / math.sqrt(len(scores)):
        return None
    text = f"Validation scores {late:.2f} and training {known:.2f} (0: a constant, 1: perfect), though nothing makes the training rows harder: their labels are worse."
    return Symptom("validation-above-training", text, gap, limit, float(np.clip(0.6 + 2 * (gap - limit), 0.6, 1.0)), "labels")


def _is_repeated(view: View) -> bool:
    """Whether ids came in a second epoch, where rows could not be told apart; ids are hardly ever augmented."""
    f = view.features
    return f is not None and f.integers and bool(view.lengths) and view.batch is not None and view.batch * len(view.steps_seen) > 1.5 * max(view.lengths)


def validation_erratic(view: View) -> Symptom | None:
    """Who learns by heart gets worse steadily; a score that jumps is that of weights which swing, or of statistics that do not fit them."""
    limit = view.thresholds.get("validation-erratic", 0.2)
    skills = view.validation_skills
    if len(skills) < _FEWEST_PASSES or view.learns < 0.5:
        return None
    jump = float(np.median(np.abs(np.diff(skills))))
    if _is_handful(view) or not jump >= limit:
        return None
    text = f"The validation score jumps from pass to pass ({', '.join(f'{s:.2f}' for s in skills[-_FEWEST_PASSES:])}), while training reaches {view.learns:.2f} (0: a constant, 1: perfect)."
    return Symptom("validation-erratic", text, jump, limit, float(np.clip(0.6 + jump - limit, 0.6, 1.0)), "validation", view.evaluations[-1].place)


def _distinct(view: View) -> int | None:
    """Samples in the training set; None where that is not known, because new rows came to the end: they may be old ones, augmented."""
    seen, lengths = view.trained_rows, view.lengths
    if (seen is None or seen.fresh > HARDLY_NEW) and not lengths:
        return None
    if seen is None:
        return max(lengths)
    return min(seen.distinct, max(lengths, default=seen.distinct))


DETECTORS = (validation_above_training, validation_at_chance, validation_erratic, validation_below_first_sight, validation_never_learns, validation_shifted, validation_other_ids, validation_other_shares, validation_overlaps)
