"""The loop as the detectors read it: which steps are judged, their losses, and what a constant prediction would reach."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from nndoctor.record.model import Graph, Labels, LossInfo, Recording, Reference, Sample, Step
from nndoctor.symptoms.measures import Array, binary_entropy, entropy

_STRETCH = 30  # steps of a training that can be judged
_FEW_STEPS = 20  # in which a closure's evaluations are looked at one by one
SQUARED = frozenset({"mse_loss", "by-hand:squared-error"})
LOG_LOSSES = frozenset({"cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"})


@dataclass(frozen=True)
class LoopView:
    """One recording, read. `thresholds` overrides the catalogue's by symptom name."""

    recording: Recording
    thresholds: Mapping[str, float] = field(default_factory=dict)
    log: bool = False  # somebody else's, of which each loss is a point

    # --- which steps --------------------------------------------------------------------------------------------

    @cached_property
    def steps_seen(self) -> list[Step]:
        """The steps of the last training of the script.

        A script that trains one thing after another (a teacher, then a student; one fold after another) uses other optimisers for each.
        The last stretch of at least thirty steps whose optimisers did not step before is judged, and not what has just begun after it.
        """
        steps = self.recording.steps
        used = set(steps[0].optimizers) if steps else set()
        starts = [0]
        for i, s in enumerate(steps):
            now = set(s.optimizers)
            if now and not now & used and not set().union(*(set(t.optimizers) for t in steps[i : i + _STRETCH])) & used:
                starts.append(i)
            used |= now
        stretches = [steps[a:b] for a, b in zip(starts, [*starts[1:], len(steps)], strict=True)]
        return next((s for s in reversed(stretches) if len(s) >= _STRETCH), steps)

    @cached_property
    def judge(self) -> int | None:
        """The optimiser of the network through which another one learns, each in its turn: a discriminator, or a critic.

        What one wins in such a contest the other loses, so that neither loss has a level to reach. The judge's losses are
        those that are followed: they reach no parameters but its own. None where nothing of the kind goes on.
        """
        half = len(self.steps_seen) // 2
        alone = [{s.optimizers[0] for s in part if len(s.optimizers) == 1} for part in (self.steps_seen[:half], self.steps_seen[half:])]
        players = alone[0] & alone[1]
        held = {o.index: {i for g in o.groups for i in g.parameters} for o in self.recording.optimizers if o.index in players}
        reached = [set(g.reached) for g in self.graphs]
        for judge, own in held.items():
            others = set().union(*(p for k, p in held.items() if k != judge))
            through = [bool(r & others) for r in reached if r & own]
            if not own & others and True in through and False in through:
                return judge
        return None

    @cached_property
    def used(self) -> set[int]:
        """Optimisers that made these steps."""
        return {i for s in self.steps_seen for i in s.optimizers}

    @cached_property
    def batch(self) -> float | None:
        """Samples of the median batch."""
        sizes = [s.batch for s in self.steps_seen if s.batch]
        return float(np.median(sizes)) if sizes else None

    @cached_property
    def samples_a_step(self) -> float | None:
        """Samples of the median step, accumulated ones included."""
        sizes = [s.batch * max(1, s.backwards) for s in self.steps_seen if s.batch]
        return float(np.median(sizes)) if sizes else None

    @cached_property
    def lengths(self) -> list[int]:
        """Samples of each data set that a loader was built on, where they are known."""
        return [x.length for x in self.recording.loaders if x.length]

    @cached_property
    def since(self) -> int:
        """Index of the first of these steps."""
        return self.steps_seen[0].index if self.steps_seen else 0

    def is_judged(self, step: int) -> bool:
        """Whether a step is one of these, or a pass was made between two of them or right after the last."""
        return not self.steps_seen or self.since <= step <= self.steps_seen[-1].index

    @cached_property
    def samples(self) -> list[Sample]:
        """Samples of these steps."""
        return [s for s in self.recording.samples if self.is_judged(s.step)]

    @cached_property
    def graphs(self) -> list[Graph]:
        """Graphs of these steps; all of them where none was read."""
        return [g for g in self.recording.graphs if self.is_judged(g.step)] or self.recording.graphs

    # --- the loss ---------------------------------------------------------------------------------------------

    @cached_property
    def losses(self) -> Array:
        """Training loss by step [n], or by evaluation where steps are few; NaN where it was not finite."""
        values: list[float] = []
        for s in self.steps_seen:
            if s.loss is not None and (self.judge is None or self.judge in s.optimizers):
                values += s.evaluations if self.by_evaluation and s.evaluations else [s.loss]
        return np.array(values, dtype=np.float64)

    @cached_property
    def by_evaluation(self) -> bool:
        """Whether the losses are those of a closure's evaluations: steps that make twenty each may be two a minute."""
        return len(self.steps_seen) < _FEW_STEPS and any(s.evaluations for s in self.steps_seen)

    @property
    def squares(self) -> bool:
        """Whether the main loss is a squared error."""
        return self.main_loss is not None and self.main_loss.function in SQUARED

    @property
    def unit(self) -> str:
        """What a sentence calls one of `losses`."""
        return "point" if self.log else "evaluation" if self.by_evaluation else "step"

    @cached_property
    def finite(self) -> Array:
        """The finite losses, in order."""
        return np.asarray(self.losses[np.isfinite(self.losses)])

    @property
    def steps(self) -> int:
        """Steps, or a closure's evaluations, with a loss."""
        return len(self.losses)

    @cached_property
    def first(self) -> float | None:
        """The first finite loss."""
        return float(self.finite[0]) if len(self.finite) else None

    @cached_property
    def last(self) -> float | None:
        """Mean of the last tenth of the finite losses (at least five)."""
        return float(np.mean(self.finite[-self.tenth :])) if len(self.finite) else None

    @property
    def breaks_through(self) -> bool:
        """Whether the loss falls so fast at the end that the last tenth of it lies below half of the last third, all of which other scores look at."""
        third = self.finite[-max(1, len(self.finite) // 3) :]
        return self.last is not None and len(third) >= 3 * self.tenth and 0 <= self.last < float(third.mean()) / 2

    @property
    def tenth(self) -> int:
        """A tenth of the steps, at least five."""
        return max(5, len(self.finite) // 10)

    @cached_property
    def early(self) -> float | None:
        """Mean of the first tenth of the finite losses."""
        return float(np.mean(self.finite[: self.tenth])) if len(self.finite) else None

    @cached_property
    def noise(self) -> float:
        """Step-to-step deviation of the loss in its second half, without its trend."""
        tail = self.finite[len(self.finite) // 2 :]
        if len(tail) < 4:
            return 0.0
        return float(np.std(np.diff(tail))) / math.sqrt(2)

    @cached_property
    def main_loss(self) -> LossInfo | None:
        """The loss function that feeds backward most often; of several, the one that knows targets."""
        fed = [i for g in self.graphs for i in g.losses]
        candidates = [x for x in self.recording.losses if not fed or x.index in fed]
        if not candidates:
            return None
        known = {x.loss for x in self.recording.labels}
        return max(candidates, key=lambda x: (x.index in known, fed.count(x.index), x.calls))

    @cached_property
    def labels(self) -> Labels | None:
        """Targets of the main loss. What a judge in a contest is asked, which is real and which is made, says nothing of the task."""
        if self.main_loss is None or self.judge is not None:
            return None
        return next((x for x in self.recording.labels if x.loss == self.main_loss.index), None)

    @cached_property
    def reference(self) -> Reference | None:
        """The closed-form learners' scores on the main loss's targets."""
        if self.main_loss is None:
            return None
        return next((r for r in self.recording.references if r.loss == self.main_loss.index), None)

    @property
    def is_classification(self) -> bool:
        """Whether the main loss is one over classes."""
        if self.labels is None or self.labels.task not in ("classes", "binary", "probabilities"):
            return False
        return self.labels.task != "probabilities" or self.labels.min is None or self.labels.min >= 0  # else they are none

    @cached_property
    def single_term(self) -> bool:
        """Whether the loss that backward sees is the main loss alone, so that its level can be compared."""
        graphs = [g for g in self.graphs if g.losses]
        if not graphs or self.main_loss is None or any(len(g.losses) > 1 for g in graphs):
            return False
        ops = [link.op for link in graphs[0].chain]
        above = ops[: next((i for i, op in enumerate(ops) if op in ("Sub", "Rsub")), len(ops))]
        summed = self.main_loss.function.startswith("by-hand") and "Sum" in above and "Div" not in above
        return ops[:1] not in (["Add"], ["Sub"]) and not summed and self.main_loss.settings.get("reduction", "mean") == "mean"

    @property
    def comparable(self) -> bool:
        """Whether the loss compares predictions with targets, so that its level means something; a policy's loss may well rise."""
        return self.main_loss is not None and self.main_loss.target is not None and self.judge is None

    @property
    def blends(self) -> bool:
        """Whether each prediction is held against the targets of two samples, as mixup does."""
        return self.main_loss is not None and bool(self.main_loss.settings.get("mixed"))

    @property
    def is_weighted(self) -> bool:
        """Whether the main loss weighs its classes."""
        return self.main_loss is not None and bool(self.main_loss.settings.get("weighted"))

    @cached_property
    def constant(self) -> float | None:
        """Loss of the best constant prediction: entropy of the label frequencies, or variance of real targets."""
        loss, labels = self.main_loss, self.labels
        if loss is None or labels is None or not self.single_term or self.is_weighted:
            return None
        if labels.task in ("classes", "probabilities") and self.is_classification and labels.counts and loss.function in LOG_LOSSES:
            return entropy(labels.counts, float(loss.settings.get("label_smoothing", 0.0) or 0.0), labels.classes)
        if labels.task == "binary" and set(labels.counts) <= {"0", "1"} and loss.function in LOG_LOSSES:
            return entropy(labels.counts, 0.0, 2)
        if labels.task == "multilabel" and loss.function in LOG_LOSSES and labels.mean:
            return float(np.mean([binary_entropy(p) for p in labels.mean]))
        if labels.task == "real" and loss.function in SQUARED and labels.std:
            return float(np.mean(np.square(labels.std))) or None
        return None
