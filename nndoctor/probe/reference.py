"""Closed-form learners on rows of the training batches: is there anything to learn, and is it linear?

Ridge regression, nearest neighbours and kernel ridge regression, fitted on a part of the rows and scored on the
rest. A few hundred milliseconds in numpy, after the probe has ended; nothing random is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nndoctor.probe import local, stats
from nndoctor.record.model import Reference

_Array = np.ndarray[Any, Any]
_MOST = 900  # rows that enter the kernel matrix
_LEAST = 40  # rows below which nothing is said
_ENOUGH_TO_JUDGE = 80  # rows a third, of which a quarter is twenty
_MOST_CODES, _FEWEST_CODES, _MOST_VALUES = 64, 5, 60  # columns that are looked at; values that a column of codes has
_MOST_PAIRED = 24  # values whose pairs are counted
_FEWEST_PLACES = 3  # that hold the same codes
_MANY_FEATURES = 20  # of which most may be irrelevant
_FEW_RELEVANT = 0.3
_MOST_CLASSES = 20  # that whole-numbered targets are taken for
_FEW_WILD = 0.05  # share of the values, as where outliers are told
_TAIL = 8.0  # robust deviations, as for the inputs' eight plain ones
_PENALTIES = (1.0, 30.0, 1000.0)  # of ridge regression on standardised columns
_SHIFTS = (1, -1, 2, -2, 3, -3)


@dataclass
class Rows:
    """Inputs [n, d] and targets [n] or [n, k] in the order in which they were seen. `step` [n] is the step each came in."""

    x: _Array
    y: _Array
    step: _Array
    raw: _Array | None = None  # the inputs in their own shape [n, ...], for the learner that knows of place


def compare(loss: int, task: str, rows: Rows) -> Reference | None:
    """Scores of the learners: accuracy where `task` is "classes" or "binary", else R2. None where too little was seen."""
    rows = _distinct(rows)
    x, keep = _columns(rows.x)
    if len(x) < _LEAST or not keep:
        return None
    classes = task in ("classes", "binary")
    y = _targets(rows.y, classes)
    if y is None:
        return None
    fit = np.arange(len(x)) % 3 != 0  # two thirds to fit, one to score: interleaved, so that drift is in both
    linear, near, kernel = _scores(x, y, fit, classes)
    constant = _constant(y, fit) if classes else 0.0
    reference = Reference(loss, task, len(x), x.shape[1], constant, linear, near, kernel)
    reference.chance = _chance(constant, int((~fit).sum()), classes)
    _try_tamed(rows.x, y, fit, classes, reference)
    _try_selected(x, y, fit, classes, reference)
    _try_categories(rows.x[:, _usable(rows.x)], x, y, fit, classes, reference)
    if classes:
        _judge_sureness(x, y, reference)
    else:
        _try_classes(x, rows.y, fit, reference)
    if rows.raw is not None:
        _try_local(rows.raw, y, fit, classes, reference)
    if reference.best - constant < reference.chance * 2:
        _try_shifts(x, y, fit, rows.step, classes, reference)
    return reference


def _distinct(rows: Rows) -> Rows:
    """Each row once: a row seen in two epochs would sit on both sides of the split."""
    seen: set[int] = set()
    keep = []
    for i, row in enumerate(rows.x):
        key = hash(row.tobytes())
        if key not in seen and np.isfinite(row).all() and np.isfinite(rows.y[i]).all():
            seen.add(key)
            keep.append(i)
    keep = keep[:_MOST]
    return Rows(rows.x[keep], rows.y[keep], rows.step[keep], None if rows.raw is None else rows.raw[keep])


def _columns(x: _Array) -> tuple[_Array, bool]:
    if not len(x):
        return x, False
    usable = _usable(x)
    if not usable.any():
        return x, False
    x = x[:, usable]
    return np.clip((x - x.mean(0)) / x.std(0), -8, 8), True


def _usable(x: _Array) -> _Array:
    """Which columns vary."""
    return np.asarray(x.std(0) > 1e-9 * (np.abs(x.mean(0)) + 1e-30))


def _targets(y: _Array, classes: bool) -> _Array | None:
    """One-hot for classes, standardised columns for real targets; None where they do not vary."""
    if classes:
        values, codes = np.unique(y, return_inverse=True)
        return np.eye(len(values))[codes] if 2 <= len(values) <= max(2, len(y) // 4) else None
    y = _without_tails(y.reshape(len(y), -1)[:, :16].astype(np.float64))
    y = y[:, y.std(0) > 0]
    return (y - y.mean(0)) / y.std(0) if y.shape[1] else None


def _without_tails(table: _Array) -> _Array:
    """Columns cut off at so many robust deviations: one wild value would be all that a squared error, or a scale, sees."""
    middle, deviation = stats.robust(table)
    far = np.where(deviation > 0, _TAIL * deviation, np.inf)
    return np.clip(table, middle - far, middle + far)


def _scores(x: _Array, y: _Array, fit: _Array, classes: bool) -> tuple[float | None, float | None, float | None]:
    centre = y[fit].mean(0)
    linear = _linear(x, y, fit, classes, _PENALTIES)
    distance = _distances(x[~fit], x[fit])
    near = np.argsort(distance, axis=1)[:, :5]
    neighbours = _score(y[fit][near].mean(1), y, fit, classes)
    within = _distances(x[fit], x[fit])
    scale = np.median(within[within > 0]) if (within > 0).any() else 1.0
    kernel = -np.inf
    for width in (0.3, 1.0):
        weights = np.linalg.solve(np.exp(-within / (scale * width)) + 0.1 * np.eye(int(fit.sum())), y[fit] - centre)
        kernel = max(kernel, _score(centre + np.exp(-distance / (scale * width)) @ weights, y, fit, classes))
    return linear, neighbours, kernel


def _score(prediction: _Array, y: _Array, fit: _Array, classes: bool) -> float:
    """Accuracy or R2 of predictions for the rows that were not fitted."""
    truth = y[~fit]
    if classes:
        return float((prediction.argmax(1) == truth.argmax(1)).mean())
    return 1.0 - float(((prediction - truth) ** 2).mean() / ((truth - y[fit].mean(0)) ** 2).mean())


def _constant(y: _Array, fit: _Array) -> float:
    """Accuracy of always naming the class that is most frequent among the rows that are fitted; over all rows, which it says with
    less luck than over the few that are scored.
    """
    return float((y.argmax(1) == y[fit].mean(0).argmax()).mean())


def _linear(x: _Array, y: _Array, fit: _Array, classes: bool, penalties: tuple[float, ...]) -> float:
    """The score of ridge regression, with the best of the penalties."""
    centre = y[fit].mean(0)
    return max(_score(centre + _ridge(x[fit], y[fit] - centre, x[~fit], a), y, fit, classes) for a in penalties)


def _ridge(x: _Array, y: _Array, new: _Array, penalty: float) -> _Array:
    if x.shape[1] <= len(x):
        return np.asarray(new @ np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y))
    return np.asarray(new @ (x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), y)))


def _distances(a: _Array, b: _Array) -> _Array:
    squared: _Array = np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0.0)
    return squared


def _chance(constant: float, scored: int, classes: bool) -> float:
    """Score above the constant that luck alone gives about once in a hundred: 2.3 standard errors, and a little for choosing the best of three."""
    if classes:
        return 2.8 * float(np.sqrt(max(constant * (1 - constant), 0.05) / max(scored, 1)))
    return 2.8 * 1.4 / float(np.sqrt(max(scored, 1)))


def _judge_sureness(x: _Array, y: _Array, reference: Reference) -> None:
    """Is the best of the learners wrong as often where it is sure as elsewhere? Classes that overlap are wrong at their borders;
    wrong labels are everywhere (Northcutt et al. 2021, confident learning).
    """
    if len(x) < 3 * _ENOUGH_TO_JUDGE:
        return
    distance = _distances(x, x)
    scale = np.median(distance[distance > 0]) if (distance > 0).any() else 1.0
    kernels = [np.exp(-distance / (scale * width)) for width in (0.3, 1.0)]
    for kernel, penalty in ((x @ x.T, 30.0), *((k, 0.1) for k in kernels)):
        margin, wrong = np.zeros(len(x)), np.zeros(len(x), dtype=bool)
        for third in range(3):  # each row is judged once, by a learner that did not see it
            held = np.arange(len(x)) % 3 == third
            centre = y[~held].mean(0)
            weights = np.linalg.solve(kernel[np.ix_(~held, ~held)] + penalty * np.eye(int((~held).sum())), y[~held] - centre)
            prediction = centre + kernel[np.ix_(held, ~held)] @ weights
            best = np.sort(prediction, axis=1)
            margin[held], wrong[held] = best[:, -1] - best[:, -2], prediction.argmax(1) != y[held].argmax(1)
        if reference.wrong is None or wrong.mean() < reference.wrong:
            surest = np.argsort(-margin, kind="stable")[: len(x) // 4]
            reference.wrong, reference.sure_wrong = float(wrong.mean()), float(wrong[surest].mean())


def _try_categories(raw: _Array, x: _Array, y: _Array, fit: _Array, classes: bool, reference: Reference) -> None:
    """A linear map of the same columns, those that look like codes replaced by an indicator for each of their values; and of how often
    each value, and each two that follow one another, occur in a row, where several columns hold the same codes, as the places of a sequence
    or the nodes of a graph do.
    """
    parts, kinds = [], []
    for column, plain in zip(raw.T[:_MOST_CODES], x.T, strict=False):
        values, member = np.unique(np.round(column / max(np.abs(column).max(), 1e-30), 6), return_inverse=True)
        gaps = np.diff(values)
        even = len(values) >= _FEWEST_CODES and len(values) <= _MOST_VALUES and bool((np.abs(gaps / gaps.min() - np.round(gaps / gaps.min())) < 0.05).all())
        parts.append(np.eye(len(values))[member] if even else plain[:, None])
        kinds.append(even)
    if not any(kinds):
        return
    tables = [np.concatenate(parts, axis=1)]
    if sum(kinds) >= _FEWEST_PLACES:
        coded = np.round(raw[:, : len(kinds)][:, kinds], 5)
        values = np.unique(coded)
        member = np.searchsorted(values, coded)
        if len(values) <= _MOST_VALUES:
            tables.append(_counts(member, len(values)))
        if len(values) <= _MOST_PAIRED:
            tables.append(_counts(member[:, :-1] * len(values) + member[:, 1:], len(values) ** 2))
    reference.codes = sum(kinds)
    reference.encoded = max(_linear(table - table[fit].mean(0), y, fit, classes, (1.0, 10.0, 100.0)) for table in tables)


def _counts(member: _Array, most: int) -> _Array:
    """How often each of the numbers [n, places] below `most` occurs in a row [n, most]; those that never do are left out."""
    table = np.zeros((len(member), most))
    np.add.at(table, (np.arange(len(member))[:, None], member), 1.0)
    return table[:, table.any(0)]


def _try_classes(x: _Array, targets: _Array, fit: _Array, reference: Reference) -> None:
    """Few whole numbers, once more as classes: a map that is linear tells classes apart in any order, and amounts in theirs only."""
    flat = targets.reshape(len(targets), -1)
    if flat.shape[1] != 1 or not 3 <= len(np.unique(flat)) <= _MOST_CLASSES or not (flat == np.round(flat)).all():
        return
    y = _targets(flat[:, 0], True)
    if y is not None:
        constant = _constant(y, fit)
        reference.as_classes = (_linear(x, y, fit, True, _PENALTIES) - constant) / max(1.0 - constant, 1e-9)


def _try_local(raw: _Array, y: _Array, fit: _Array, classes: bool, reference: Reference) -> None:
    """Ridge regression on features of place and order, the best of the readings."""
    for features in local.views(raw):
        n = len(features)
        x, usable = _columns(features)
        if not usable or n < _LEAST:
            continue
        score = _linear(x, y[:n], fit[:n], classes, (10.0, 100.0, 1000.0))
        reference.local = max(score, reference.local if reference.local is not None else score)


def _try_tamed(raw: _Array, y: _Array, fit: _Array, classes: bool, reference: Reference) -> None:
    """The learners on columns whose wildest values are cut off: a scale that a few of them make leaves all others alike."""
    wild, _ = stats.outliers(raw)
    if not 0 < wild < _FEW_WILD:
        return
    x, usable = _columns(_without_tails(raw))
    if usable:
        reference.tamed = max(s for s in _scores(x, y, fit, classes) if s is not None)


def _try_selected(x: _Array, y: _Array, fit: _Array, classes: bool, reference: Reference) -> None:
    """The learners on the few columns that correlate with a target by themselves, chosen on the rows they are fitted on."""
    if x.shape[1] < _MANY_FEATURES:
        return
    a, b = x[fit] - x[fit].mean(0), y[fit] - y[fit].mean(0)
    scale = np.sqrt((a**2).sum(0))[:, None] * np.sqrt((b**2).sum(0))[None] + 1e-12
    strongest = (np.abs(a.T @ b) / scale).max(1)
    # By chance the largest of so many correlations reaches about sqrt(2 log(count) / rows).
    kept = strongest > 1.2 * np.sqrt(2 * np.log(x.shape[1] * y.shape[1]) / int(fit.sum()))
    share = float(kept.mean())
    if 0 < share <= _FEW_RELEVANT:
        reference.selected = max(s for s in _scores(x[:, kept], y, fit, classes) if s is not None)
        reference.relevant = share


def _try_shifts(x: _Array, y: _Array, fit: _Array, step: _Array, classes: bool, reference: Reference) -> None:
    """Move targets against inputs within each step: labels that were shifted by a row or two show their signal again."""
    for shift in _SHIFTS:
        a, b = (slice(shift, None), slice(None, -shift)) if shift > 0 else (slice(None, shift), slice(-shift, None))
        same = step[a] == step[b]
        if same.sum() < _LEAST:
            continue
        part = np.arange(int(same.sum())) % 3 != 0
        found = [s for s in _scores(x[a][same], y[b][same], part, classes) if s is not None]
        if found and (reference.shifted is None or max(found) > reference.shifted):
            reference.shifted, reference.shift = max(found), shift
