"""Measures of a few numbers, which a view puts together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def entropy(counts: dict[str, int], smoothing: float, classes: int | None) -> float | None:
    """Cross-entropy in nats of the best constant prediction, of labels that are smoothed over the classes; None where it is 0."""
    total = sum(counts.values())
    if not total:
        return None
    width = max(classes or 0, len(counts))
    p = np.zeros(width)
    p[: len(counts)] = np.array(list(counts.values()), dtype=np.float64) / total
    p = (1 - smoothing) * p + smoothing / width
    p = p[p > 0]
    return float(-(p * np.log(p)).sum()) or None


def effective_classes(counts: dict[str, int]) -> float:
    """Number of equally common classes with the same entropy as these (Hill 1973)."""
    return math.exp(entropy(counts, 0.0, None) or 0.0)


def binary_entropy(p: float) -> float:
    """The same of one yes-or-no label, of which a share is yes."""
    p = min(max(p, 1e-12), 1 - 1e-12)
    return -(p * math.log(p) + (1 - p) * math.log(1 - p))


def largest_share(counts: Mapping[str, int]) -> float:
    """Share of the most frequent class."""
    return max(counts.values()) / max(sum(counts.values()), 1)


def beyond_chance(accuracy: float | None, chance: float | None) -> float | None:
    """An accuracy on the scale of `skill`; None where nearly every sample is of one class."""
    return (accuracy - chance) / (1.0 - chance) if accuracy is not None and chance is not None and chance < 0.995 else None


def late_count(values: Sequence[float | None]) -> int:
    """How many values `late_mean` looks at."""
    return max(3, sum(v is not None for v in values) // 3)


def late_mean(values: list[float | None], mean: Any = np.mean) -> float | None:
    """Over the last third of the known values; None where none of them is of the run's second half."""
    known = [(i, v) for i, v in enumerate(values) if v is not None and math.isfinite(v)]
    if not known or known[-1][0] < len(values) // 2:
        return None
    return float(mean([v for _, v in known[-late_count([v for _, v in known]) :]]))


def fall(before: Array, after: Array) -> tuple[float, float, float]:
    """How far the mean of some losses lies below that of as many before them, the standard error of that, and the size of what it fell from."""
    error = math.sqrt(float(before.var() + after.var()) / len(after))
    return float(before.mean() - after.mean()), error, abs(float(before.mean()))
