"""What the run did over its steps: loss, score, gradient and rate, each as a plot."""

from __future__ import annotations

from nndoctor.diagnosis.model import Diagnosis, Trial
from nndoctor.record.model import Recording
from nndoctor.report.html.markup import Markup
from nndoctor.report.html.plot import Plot, Series, line_plot
from nndoctor.report.spark import Scale
from nndoctor.report.words import percent

_TRIALS = 6  # drawn beside the run as it is


def loss_plot(diagnosis: Diagnosis) -> Markup:
    """Training, validation, the constant predictor, and what the trials did."""
    recording = diagnosis.recording
    training = [(float(s.index), s.loss) for s in recording.steps if s.loss is not None]
    validation = [(float(e.step), e.loss) for e in recording.evaluations if e.loss is not None]
    if not training and not validation:
        return Markup("")
    constant = diagnosis.curve.constant
    return line_plot(
        Plot(
            "Loss",
            [
                *(_trial(t) for t in _shown(diagnosis.trials)),
                Series("training", training, "training", noisy=True),
                Series("validation", validation, "validation", dots=True),
            ],
            ("always predicting the same", constant) if constant is not None else None,
            "By optimiser step. The faint line is each step, the strong one its trend." if len(training) > 80 else "By optimiser step.",
        )
    )


def _shown(trials: list[Trial]) -> list[Trial]:
    """The trials worth drawing: those that confirmed something, then the others, as far as they have a curve."""
    possible = [t for t in trials if t.possible and len(t.losses) > 1]
    return sorted(possible, key=lambda t: not t.confirmed)[:_TRIALS]


def _trial(made: Trial) -> Series:
    style = "cure" if made.confirmed else "tried"
    return Series(f"tried: {made.change}", [(float(step), loss) for step, loss in made.losses], style)


def score_plot(diagnosis: Diagnosis) -> Markup:
    """Accuracy or R2, whichever the run is judged by."""
    name, recording = diagnosis.curve.score_name, diagnosis.recording
    if not name:
        return Markup("")
    accurate = name == "accuracy"
    training = [(float(s.step), v) for s in recording.samples if (v := s.accuracy if accurate else s.r2) is not None]
    validation = [(float(e.step), v) for e in recording.evaluations if (v := e.accuracy if accurate else e.r2) is not None]
    lines = [Series("training batches", training, "training"), Series("validation", validation, "validation", dots=True)]
    if sum(len(s.points) for s in lines) < 2:
        return Markup("")
    if accurate:
        return line_plot(Plot("Accuracy", lines, note="In the steps that were looked at closely.", scale=Scale(0.0, 1.0, False), word=percent))
    lowest = min([v for s in lines for _, v in s.points], default=0.0)
    return line_plot(
        Plot("R2", lines, ("always predicting the mean", 0.0), "In the steps that were looked at closely; 1 is perfect.", Scale(max(min(lowest, 0.0), -1.0), 1.0, False))
    )


def gradient_plot(recording: Recording) -> Markup:
    """The gradient's norm over all parameters, before and after clipping, and the bound."""
    norms = [(float(s.index), s.gradient_norm) for s in recording.steps if s.gradient_norm is not None]
    before = [(float(s.index), s.unclipped_norm) for s in recording.steps if s.unclipped_norm is not None]
    bounds = [s.clip for s in recording.steps if s.clip is not None]
    if len(norms) < 2:
        return Markup("")
    name = "as the optimiser saw it" if before else "gradient norm"
    lines = [Series("before clipping", before, "other", noisy=True), Series(name, norms, "training", noisy=True)]
    return line_plot(Plot("Gradient norm", lines, ("clipped at", bounds[-1]) if bounds else None, "Over all parameters that are optimised."))


def rate_plot(recording: Recording) -> Markup:
    """The learning rate of each parameter group, where one of them moved."""
    lines: list[Series] = []
    for optimizer in recording.optimizers:
        for i, group in enumerate(optimizer.groups):
            moves = [(float(c.step), c.values["lr"]) for c in recording.settings if (c.optimizer, c.group) == (optimizer.index, i) and "lr" in c.values]
            start, last = group.settings.get("lr"), recording.steps[-1].index if recording.steps else 0
            if not moves or not all(isinstance(v, (int, float)) for v in (start, *(v for _, v in moves))):
                continue
            name = optimizer.type + (f", group {i}" if len(optimizer.groups) > 1 else "")
            lines.append(Series(name, [(1.0, float(start or 0.0)), *moves, (float(last), moves[-1][1])], ("training", "other", "tried")[min(len(lines), 2)], stepped=True))
    return line_plot(Plot("Learning rate", lines[:3], note="As each step was made.")) if lines else Markup("")
