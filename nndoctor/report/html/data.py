"""What the network was given: how often each class came, and the scale of each input feature."""

from __future__ import annotations

import math

from nndoctor.record.model import Features, Labels, Recording
from nndoctor.report.html.bars import Bar, Range, bar_chart, range_plot
from nndoctor.report.html.markup import Markup
from nndoctor.report.words import clean, count, number, percent, shape

_CLASSES = 20  # of more, the largest


def data_plots(recording: Recording) -> list[Markup]:
    """Classes by loss, features by model, each only where it was measured."""
    plots = [*(_classes(labels) for labels in recording.labels), *(_features(f) for f in recording.features)]
    return [p for p in plots if p]


def _classes(labels: Labels) -> Markup:
    total, guessed = sum(labels.counts.values()), sum(labels.predicted.values())
    if not total:
        return Markup("")
    largest = max([n / total for n in labels.counts.values()] + [n / guessed for n in labels.predicted.values() if guessed])
    ranked = sorted(labels.counts.items(), key=lambda item: -item[1])
    rows = []
    for name, n in ranked[:_CLASSES]:
        bars = [Bar(n / total / largest, f"{percent(n / total)} ({n:,})", "seen")]
        if guessed:
            share = labels.predicted.get(name, 0) / guessed
            bars.append(Bar(share / largest, f"{percent(share)} predicted", "predicted"))
        rows.append((name, bars))
    note = f"In {total:,} targets." + (f" {len(ranked) - _CLASSES} smaller classes are left out." if len(ranked) > _CLASSES else "")
    key = [("seen", "share of the targets"), ("predicted", "share of the predictions at the end")][: 2 if guessed else 1]
    return bar_chart("Classes", note, key, rows)


def _features(features: Features) -> Markup:
    ranges = [
        Range(str(i), *values)
        for i, values in enumerate(zip(features.min, features.max, features.mean, features.std, strict=False))
    ]
    broken = sum(1 for share in features.missing if share > 0)
    parts = [f"{count(len(ranges), 'feature')} of {features.rows:,} samples, shape {shape(features.shape)}, {clean(features.dtype)}."]
    if broken:
        parts.append(f"{count(broken, 'feature')} with NaN or infinity.")
    if features.outliers > 0 and math.isfinite(features.outlier_size):
        parts.append(f"Some values lie up to {number(features.outlier_size)} robust deviations from the median.")
    title = "Scale of the inputs" + (f", argument {features.position + 1}" if features.position else "")
    return range_plot(title, " ".join(parts), ranges)
