"""The recording as the detectors read it: arrays, the main loss, what a constant prediction would reach, how far the run came.

Measures here need no threshold; judging them is the detectors' work.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from nndoctor.record.model import (
    Evaluation,
    Features,
    Graph,
    Labels,
    LossInfo,
    ParameterInfo,
    Place,
    Recording,
    Reference,
    Sample,
    Step,
    TrainingRows,
)
from nndoctor.symptoms.measures import beyond_chance, binary_entropy, entropy, largest_share, late_count, late_mean

Array = np.ndarray[Any, Any]
HARDLY_NEW = 0.02  # share of new rows at which the training set counts as seen whole
_FEW_STEPS = 20  # in which a closure's evaluations are looked at one by one
_DEEP = 100.0  # multiples of its beginning below zero: no loss that has a floor
_MOST_SETS = 3  # that a script validates on in turn; more sizes are one set, counted in pieces
_FEW_ROWS = 30  # whose accuracy is mostly luck
_CALLS = 4  # of a model for a backward call: more than those of a pair or a triple, and it is a cell
_SQUARED = frozenset({"mse_loss", "by-hand:squared-error"})
LOG_LOSSES = frozenset({"cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"})
NORM_TYPES = ("BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "RMSNorm")


@dataclass(frozen=True)
class View:
    """One recording, read. `thresholds` overrides the catalogue's by symptom name."""

    recording: Recording
    thresholds: Mapping[str, float] = field(default_factory=dict)
    log: bool = False  # somebody else's, of which each loss is a point

    # --- which steps --------------------------------------------------------------------------------------------

    @cached_property
    def steps_seen(self) -> list[Step]:
        """The steps of the last training of the script.

        A script that trains one thing after another (a teacher, then a student) uses other optimisers for each; the last
        stretch of at least thirty steps whose optimisers did not step before is judged.
        """
        steps = self.recording.steps
        start, used = 0, set(steps[0].optimizers) if steps else set()
        for i, s in enumerate(steps):
            now = set(s.optimizers)
            if now and not now & used and len(steps) - i >= 30 and not set().union(*(set(t.optimizers) for t in steps[i : i + 30])) & used:
                start = i
            used |= now
        return steps[start:]

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

    @cached_property
    def samples(self) -> list[Sample]:
        """Samples of these steps."""
        return [s for s in self.recording.samples if s.step >= self.since]

    @cached_property
    def graphs(self) -> list[Graph]:
        """Graphs of these steps; all of them where none was read."""
        return [g for g in self.recording.graphs if g.step >= self.since] or self.recording.graphs

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

    @cached_property
    def constant(self) -> float | None:
        """Loss of the best constant prediction: entropy of the label frequencies, or variance of real targets."""
        loss, labels = self.main_loss, self.labels
        if loss is None or labels is None or not self.single_term or loss.settings.get("weighted"):
            return None
        if labels.task in ("classes", "probabilities") and self.is_classification and labels.counts and loss.function in LOG_LOSSES:
            return entropy(labels.counts, float(loss.settings.get("label_smoothing", 0.0) or 0.0), labels.classes)
        if labels.task == "binary" and set(labels.counts) <= {"0", "1"} and loss.function in LOG_LOSSES:
            return entropy(labels.counts, 0.0, 2)
        if labels.task == "multilabel" and loss.function in LOG_LOSSES and labels.mean:
            return float(np.mean([binary_entropy(p) for p in labels.mean]))
        if labels.task == "real" and loss.function in _SQUARED and labels.std:
            return float(np.mean(np.square(labels.std))) or None
        return None

    # --- how far the run came ---------------------------------------------------------------------------------

    @cached_property
    def chance(self) -> float | None:
        """Accuracy of always naming the most frequent class."""
        if self.labels is None or not self.is_classification or not self.labels.counts:
            return None
        return largest_share(self.labels.counts)

    @cached_property
    def accuracy(self) -> float | None:
        """Training accuracy over the last third of the sampled steps."""
        return late_mean([s.accuracy for s in self.samples])

    @cached_property
    def r2(self) -> float | None:
        """R2 on training batches over the last third of the sampled steps (median: one bad batch is no verdict)."""
        return late_mean([s.r2 for s in self.samples], np.median)

    @cached_property
    def skill(self) -> float | None:
        """What has been learnt of what there is to learn, 0 (a constant does as well) to 1; None where it is unknown.

        The better of loss and accuracy for classes (a softmax too many keeps the loss high while accuracy rises), R2 for
        real targets.
        """
        found: list[float] = []
        if self.constant and self.last is not None and self.last >= 0 and self.labels is not None and self.labels.task != "real":
            found.append(1.0 - self.last / self.constant)
        enough = self.batch is None or late_count([s.accuracy for s in self.samples]) * self.batch >= _FEW_ROWS
        if self.is_classification and (enough or not found) and (known := beyond_chance(self.accuracy, self.chance)) is not None:
            found.append(known)
        if (fair := self._fair) is not None:
            found.append(fair)
        if not found and self.r2 is not None:
            found.append(self.r2)
        if not found and self.constant and self.last is not None:
            found.append(1.0 - self.last / self.constant)
        return max(found) if found else None

    @cached_property
    def _fair(self) -> float | None:
        """Where the loss weighs its classes: the accuracy in which all of them count the same, on the scale of `skill`."""
        if not self.is_classification or self.labels is None or self.main_loss is None or not self.main_loss.settings.get("weighted"):
            return None
        balanced = late_mean([s.balanced for s in self.samples])
        return beyond_chance(balanced, 1.0 / max(len(self.labels.counts), 2))

    @cached_property
    def fall(self) -> float:
        """Share of the early loss that was lost by the end; negative where it rose. 0 where it cannot be told."""
        if self.early is None or self.last is None or len(self.finite) < 10:
            return 0.0
        start = max(self.early, self.first or self.early)
        scale = abs(start) if start > 0 and self.last > 0 else max(abs(start), abs(self.last), 1e-12)
        return (start - self.last) / max(scale, 1e-12)

    @cached_property
    def plunge(self) -> float:
        """How far below zero a loss falls that falls faster and faster, in multiples of where it began, or of 1; 0 for any other."""
        if self.first is None or self.last is None or len(self.finite) < 20 or self.last >= 0:
            return 0.0
        third = len(self.finite) // 3
        early, middle, late = (float(np.mean(x)) for x in (self.finite[:third], self.finite[third : 2 * third], self.finite[2 * third :]))
        return -self.last / max(abs(self.first), 1.0) if middle - late > early - middle else 0.0

    def falls_beyond(self, errors: float) -> bool:
        """Whether the loss fell by more than so many standard errors between its first and last tenth.

        A steep fall is no noise within the first tenth: where all of the last lies below all of the first, as chance brings
        about once in 250 times of the shortest tenths, it fell as well.
        """
        if self.early is None or self.last is None or len(self.finite) < 10:
            return False
        k = self.tenth
        error = math.sqrt((np.var(self.finite[:k]) + np.var(self.finite[-k:])) / k) if k > 1 else 0.0
        beyond = self.early - self.last > errors * max(error, 1e-9 * abs(self.early))
        return bool(beyond or self.finite[-k:].max() < self.finite[:k].min())

    @cached_property
    def falls(self) -> bool:
        """Whether the loss fell beyond its noise: three standard errors."""
        return self.falls_beyond(3.0)

    @cached_property
    def learns(self) -> float:
        """How clearly the run learns, 0 to 1: skill where it is known, else the fall of the loss. A contest tells neither."""
        if self.judge is not None:
            return 0.0
        if len(self.losses) and not np.isfinite(self.losses[-self.tenth :]).all():
            return 0.0
        if self.skill is not None:
            return float(np.clip(self.skill, 0.0, 1.0))
        if self.plunge >= _DEEP:
            return 0.0
        return float(np.clip(self.fall, 0.0, 1.0)) if self.falls else 0.0

    @cached_property
    def best_reference(self) -> float | None:
        """The reference learners' best score above the constant's, on the scale of `skill`."""
        r = self.reference
        if r is None:
            return None
        return None if math.isnan(r.plain) else r.skill(r.plain)

    # --- validation -------------------------------------------------------------------------------------------

    @cached_property
    def evaluations(self) -> list[Evaluation]:
        """Validation passes that computed a score; of a few sets of different sizes those over the one that was seen most often."""
        if self.acts:
            return []
        scored = [e for e in self.recording.evaluations if e.step >= self.since and (e.loss is not None or e.accuracy is not None or e.r2 is not None)]
        sizes = Counter(e.samples for e in scored)
        if not 1 < len(sizes) <= _MOST_SETS or len(scored) < 2 * len(sizes):
            return scored
        usual = min(sizes, key=lambda n: (-sizes[n], n))
        return [e for e in scored if e.samples == usual]

    @cached_property
    def validation(self) -> Array:
        """Validation losses in order [m, 2]: step and loss. Empty where none was comparable with the training loss."""
        rows = [(e.step, e.loss) for e in self.evaluations if e.loss is not None and math.isfinite(e.loss)]
        return np.array(rows, dtype=np.float64).reshape(-1, 2)

    @property
    def validation_skill(self) -> float | None:
        """`skill` of the last validation passes."""
        return float(np.mean(self.validation_skills[-3:])) if self.validation_skills else None

    @cached_property
    def validation_skills(self) -> list[float]:
        """`skill` of each validation pass whose score is known."""
        if self.is_classification:
            return [s for e in self.evaluations if (s := beyond_chance(e.accuracy, largest_share(e.labels) if e.labels else self.chance)) is not None]
        found = [e.r2 for e in self.evaluations if e.r2 is not None]
        if found or self.main_loss is None or self.main_loss.function not in _SQUARED or not self.constant:
            return found
        return [1.0 - float(loss) / self.constant for loss in self.validation[:, 1]]

    def sample_skill(self, sample: Sample) -> float | None:
        """`skill` of the training batch of one look."""
        return beyond_chance(sample.accuracy, self.chance) if self.is_classification else sample.r2

    # --- parameters -------------------------------------------------------------------------------------------

    @cached_property
    def parameters(self) -> dict[int, ParameterInfo]:
        """By index."""
        return {p.index: p for p in self.recording.parameters}

    @cached_property
    def frozen(self) -> set[int]:
        """Parameters with requires_grad off when last looked at."""
        end = self.recording.end
        if end is not None and self.recording.samples:
            return set(end.frozen)
        return {p.index for p in self.recording.parameters if not p.requires_grad}

    @cached_property
    def gone(self) -> set[int]:
        """Parameters that no longer existed at the last look: of a layer that was replaced, or a model that was thrown away."""
        if not self.samples:
            return set()
        there = {x.parameter for x in self.samples[-1].parameters}
        return {i for i in self.parameters if i not in there and i < max(there, default=0)}

    @cached_property
    def moved(self) -> set[int]:
        """Parameters that a sampled step changed."""
        return {x.parameter for s in self.recording.samples for x in s.parameters if x.update}

    @cached_property
    def optimised(self) -> set[int]:
        """Parameters in any optimiser that stepped (or was built, where none did)."""
        return {i for o in self.recording.optimizers if o.index in self.used or not self.used for g in o.groups for i in g.parameters}

    @cached_property
    def reached(self) -> set[int]:
        """Parameters that some loss reached."""
        return {i for g in self.graphs for i in g.reached}

    def weights(self) -> list[ParameterInfo]:
        """Weight matrices and kernels of layers, norms and embeddings left out."""
        return [
            p for p in self.recording.parameters
            if len(p.shape) >= 2 and p.fan_in >= 1 and not is_norm(p) and "Embedding" not in p.module_type
        ]  # fmt: skip

    def place_of(self, what: str) -> Place | None:
        """Where one of the loop's calls was first made."""
        call = self.recording.call(what)
        return call.place if call else None

    def gradients_vanish_numerically(self) -> bool:
        """Whether gradients are there but exactly zero: samples then hold a norm of 0 rather than none."""
        seen = [p.gradient for s in self.recording.samples for p in s.parameters if p.parameter in self.optimised]
        return bool(seen) and sum(g is not None for g in seen) > len(seen) / 2

    @cached_property
    def graph(self) -> Graph | None:
        """The richest graph that was read."""
        return max(self.graphs, key=lambda g: len(g.reached), default=None)

    @cached_property
    def features(self) -> Features | None:
        """Inputs of the model that was called first; of several arguments the one that differs most between samples."""
        first = [f for f in self.recording.features if f.model == self.recording.features[0].model]
        return max(first, key=lambda f: (f.distinct, f.dtype.startswith("float")), default=None)

    @cached_property
    def trained_rows(self) -> TrainingRows | None:
        """The rows that the model that was trained most saw; None where it is called over and over within a step, with a part of a sample."""
        end = self.recording.end
        calls = end.backwards if end is not None else 0
        # A decoder that is called for each word says less of the samples than the encoder that is called for each batch.
        once = [r for r in self.recording.rows if 0.5 * calls <= r.forwards <= 1.5 * calls]
        most = max(once or self.recording.rows, key=lambda r: (r.forwards, r.rows), default=None)
        parts = most is not None and end is not None and most.forwards > _CALLS * max(end.backwards, 1)
        return None if parts else most

    @cached_property
    def acts(self) -> bool:
        """Whether the run learns from what its own model did: what it is asked without gradient it is trained on next. Such data drift
        with the model, and such forwards are no validation.
        """
        return any(o.ahead > 0.5 for o in self.recording.overlaps)

    def settings_at(self, optimizer: int, group: int, step: int, key: str) -> Any:
        """A setting of a group as it stood at a step."""
        info = next((o for o in self.recording.optimizers if o.index == optimizer), None)
        value = info.groups[group].settings.get(key) if info and group < len(info.groups) else None
        for change in self.recording.settings:
            if change.optimizer == optimizer and change.group == group and change.step <= step and key in change.values:
                value = change.values[key]
        return value

    def rates(self) -> list[float]:
        """Learning rate of the first group of the first optimiser at its first, middle and last step."""
        if not self.recording.optimizers:
            return []
        index = self.recording.optimizers[0].index
        n = len(self.recording.steps)
        found = [self.settings_at(index, 0, s, "lr") for s in (1, max(1, n // 2), max(1, n))]
        return [float(r) for r in found if isinstance(r, (int, float))]


def is_norm(p: ParameterInfo) -> bool:
    """Whether a parameter belongs to a normalisation layer."""
    return any(word in p.module_type for word in NORM_TYPES)
