"""What --verbose adds beside the table by layer: settings, classes, every symptom, and what was ruled out."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from statistics import median

from nndoctor.diagnosis.model import Diagnosis
from nndoctor.record.model import Labels, Recording
from nndoctor.report import facts
from nndoctor.report.page import Page, text
from nndoctor.report.words import clean, count, duration, memory, number, percent, place, setting
from nndoctor.symptoms.model import Symptom

_MARGIN = 16
_CLASSES = 12  # classes drawn; of more only the largest
_BAR = 24


def write(page: Page, diagnosis: Diagnosis) -> None:
    """All further sections, each only where there is something to show."""
    page.heading("Settings, as they were observed")
    page.rows(observed_settings(diagnosis.recording), _MARGIN)
    for labels in diagnosis.recording.labels:
        _classes(page, labels)
    _symptoms(page, diagnosis)
    _ruled_out(page, diagnosis)


def observed_settings(recording: Recording) -> list[tuple[str, str]]:
    """Hyperparameters as they were observed, size and depth, time and memory: labels and words."""
    rows = [("batch size", _sizes(recording)), *_groups(recording), *_schedule(recording), *_regularization(recording)]
    deepest = max((g.layers for g in recording.graphs), default=0)
    bends = max((g.nonlinear for g in recording.graphs), default=0)
    rows.append(("parameters", f"{facts.parameter_count(recording):,}"))
    if deepest:
        rows.append(("depth", f"{count(deepest, 'layer')} on the longest path, {count(bends, 'nonlinear operation')}"))
    rows.append(("validation", _validation(recording)))
    rows.append(("step time", _step_time(recording)))
    if recording.end is not None and recording.end.peak_memory:
        rows.append(("memory", f"{memory(recording.end.peak_memory)} at most"))
    versions = (("Python", recording.header.python), ("torch", recording.header.torch))
    rows.append(("versions", ", ".join(f"{name} {clean(v)}" for name, v in versions if v)))
    return [(label, words) for label, words in rows if words]


def _sizes(recording: Recording) -> str:
    """Batch sizes that occurred, the most frequent first."""
    sizes = Counter(s.batch for s in recording.steps if s.batch)
    return ", ".join(f"{size:,}" + (f" ({n:,} times)" if len(sizes) > 1 else "") for size, n in sizes.most_common(3))


def _groups(recording: Recording) -> list[tuple[str, str]]:
    """Every setting of every parameter group, with the changes that were seen."""
    rows = []
    for optimizer in recording.optimizers:
        for i, group in enumerate(optimizer.groups):
            plain = {k: v for k, v in group.settings.items() if v is not None and v is not False}
            words = ", ".join(f"{clean(str(k))}={setting(v)}" for k, v in plain.items())
            label = clean(optimizer.type) + (f" [{i}]" if len(optimizer.groups) > 1 else "")
            rows.append((label, f"{words}; {count(len(group.parameters), 'tensor')}"))
            changes = [c for c in recording.settings if c.optimizer == optimizer.index and c.group == i]
            if changes:
                shown = [
                    f"step {c.step:,}: " + ", ".join(f"{clean(str(k))}={setting(v)}" for k, v in c.values.items())
                    for c in (changes if len(changes) <= 3 else [changes[0], changes[len(changes) // 2], changes[-1]])
                ]
                rows.append(("", f"{count(len(changes), 'change')}: {'; '.join(shown)}"))
    return rows


def _schedule(recording: Recording) -> list[tuple[str, str]]:
    return [
        ("scheduler", clean(s.type) + (f" at {place(s.place)}" if s.place else "")) for s in recording.schedulers[:3]
    ]


def _regularization(recording: Recording) -> list[tuple[str, str]]:
    """Clipping, dropout and normalisation layers."""
    rows = []
    clips = sorted({s.clip for s in recording.steps if s.clip is not None})
    if clips:
        rows.append(("clipping", "gradients at " + ", ".join(setting(c) for c in clips[:3])))
    dropped = Counter(setting(m.settings["p"]) for m in recording.modules if "Dropout" in m.type and "p" in m.settings)
    if dropped:
        rows.append(("dropout", ", ".join(f"p={p}" + (f" ({n} times)" if n > 1 else "") for p, n in dropped.items())))
    norms = Counter(clean(m.type) for m in recording.modules if "Norm" in m.type)
    if norms:
        rows.append(("normalisation", ", ".join(f"{n} {kind}" for kind, n in norms.items())))
    return rows


def _validation(recording: Recording) -> str:
    passes = recording.evaluations
    if not passes:
        return "none seen"
    return f"{count(len(passes), 'pass', 'passes')} of {passes[-1].samples:,} samples"


def _step_time(recording: Recording) -> str:
    times = [s.seconds for s in recording.steps]
    gaps = [b - a for a, b in pairwise(times) if b >= a]
    return f"{duration(median(gaps))} (median)" if gaps else ""


def _classes(page: Page, labels: Labels) -> None:
    """How often each class occurred, and how often it was predicted at the end."""
    rows = sorted(labels.counts.items(), key=lambda item: -item[1])
    total, guessed = sum(labels.counts.values()), sum(labels.predicted.values())
    if not rows or not total:
        return
    page.heading(f"Classes in {total:,} targets")
    body = []
    for name, n in rows[:_CLASSES]:
        bar = "█" * round(_BAR * n / rows[0][1]) or "▏"
        predicted = percent(labels.predicted.get(name, 0) / guessed) if guessed else "-"
        body.append((clean(name), f"{n:,}", percent(n / total), predicted, text((bar, "cyan"))))
    page.table(["class", "seen", "share", "predicted", " "], body)
    if len(rows) > _CLASSES:
        page.line((f"and {len(rows) - _CLASSES} smaller ones", "dim"), indent=2)


def _symptoms(page: Page, diagnosis: Diagnosis) -> None:
    if not diagnosis.symptoms:
        return
    page.heading("Symptoms")
    margin = max(len(s.name) for s in diagnosis.symptoms) + 2
    page.rows([(s.name, text(clean(s.text), (measured(s), "dim"))) for s in diagnosis.symptoms], margin)


def measured(symptom: Symptom) -> str:
    """Value, threshold and place, for the end of a line."""
    parts = [] if symptom.value is None else [f"value {number(symptom.value)}"]
    parts += [] if symptom.threshold is None else [f"threshold {number(symptom.threshold)}"]
    parts += [clean(symptom.where)] if symptom.where else []
    parts += [place(symptom.place)] if symptom.place and place(symptom.place) not in clean(symptom.where) else []
    return f" [{', '.join(parts)}]" if parts else ""


def _ruled_out(page: Page, diagnosis: Diagnosis) -> None:
    if not diagnosis.ruled_out:
        return
    page.heading("Ruled out")
    margin = max(len(r.cause.id) for r in diagnosis.ruled_out) + 2
    page.rows([(r.cause.id, clean(r.reason)) for r in diagnosis.ruled_out], margin)
