"""The recording as the detectors read it: how far the run came, in training and validation, and the parameters that it moved.

Measures here need no threshold; judging them is the detectors' work.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nndoctor.record.model import Evaluation, Features, Graph, ParameterInfo, Place, Sample, TrainingRows
from nndoctor.symptoms.loop_view import LoopView
from nndoctor.symptoms.measures import Array, beyond_chance, largest_share, late_count, late_mean

HARDLY_NEW = 0.02  # share of new rows at which the training set counts as seen whole
_DEEP = 100.0  # multiples of its beginning below zero: no loss that has a floor
_MOST_SETS = 3  # that a script validates on in turn; more sizes are one set, counted in pieces
_FEW_ROWS = 30  # whose accuracy is mostly luck
_DRAWN = 0.15  # of all rows, by which a class has another share in training than in validation: it is drawn more often, or less
_CALLS = 4  # of a model for a backward call: more than those of a pair or a triple, and it is a cell
NORM_TYPES = ("BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "RMSNorm")


@dataclass(frozen=True)
class View(LoopView):
    """One recording, read whole."""

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
        real targets, unless the loss has only just begun to fall fast.
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
        if self.constant and self.last is not None and (not found or (self.squares and self.breaks_through)):
            found.append(1.0 - self.last / self.constant)
        return max(found) if found else None

    @cached_property
    def _fair(self) -> float | None:
        """Where the loss weighs its classes: the accuracy in which all of them count the same, on the scale of `skill`."""
        if not self.is_classification or self.labels is None or not self.is_weighted:
            return None
        return self._beyond_even(late_mean([s.balanced for s in self.samples]))

    def _beyond_even(self, balanced: float | None) -> float | None:
        """On the scale of `skill`, an accuracy in which all classes of training count the same."""
        return beyond_chance(balanced, 1.0 / max(len(self.labels.counts) if self.labels else 0, 2))

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

    @property
    def learnt(self) -> float:
        """`learns`, or what validation shows to have been learnt where that is more: dropout and blended samples make training harder."""
        return max(self.learns, self.validation_skill or 0.0)

    @property
    def missed(self) -> float:
        """What a closed-form learner gets from the same rows, and the run does not, in training or in validation; 0 where nobody knows."""
        if self.best_reference is None or self.skill is None:
            return 0.0
        return self.best_reference - self.learnt

    # --- validation -------------------------------------------------------------------------------------------

    @cached_property
    def evaluations(self) -> list[Evaluation]:
        """Validation passes that computed a score; of a few sets of different sizes those over the one that was seen most often."""
        if self.acts:
            return []
        scored = [e for e in self.recording.evaluations if self.is_judged(e.step) and (e.loss is not None or e.accuracy is not None or e.r2 is not None)]
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
        """`skill` of the last validation passes: of the last third, as in training, and of three at most; None where most was learnt after them."""
        if self._is_outdated:
            return None
        late = max(1, min(3, len(self.validation_skills) // 3))
        return float(np.mean(self.validation_skills[-late:])) if self.validation_skills else None

    @property
    def _is_outdated(self) -> bool:
        """Whether the loss began to fall fast only after the last validation pass."""
        last = max((e.step for e in self.evaluations), default=0)
        return self.breaks_through and sum(s.index <= last for s in self.steps_seen) < len(self.steps_seen) * 2 // 3

    @property
    def shortfall(self) -> float | None:
        """How far validation stays behind training at the end; None where one of them is unknown."""
        return None if self.skill is None or self.validation_skill is None else self.skill - self.validation_skill

    @cached_property
    def validation_skills(self) -> list[float]:
        """`skill` of each validation pass whose score is known."""
        if self.is_classification:
            return [s for e in self.evaluations if (s := self._score(e)) is not None]
        found = [e.r2 for e in self.evaluations if e.r2 is not None]
        if found or not self.squares or not self.constant:
            return found
        return [1.0 - float(loss) / self.constant for loss in self.validation[:, 1]]

    def _score(self, e: Evaluation) -> float | None:
        """`skill` of a pass over classes. Where training weighs them, or draws some more often, it is the score in which all count the same."""
        if e.balanced is not None and self.labels is not None and e.labels:
            counts, usual = self.labels.counts, max(e.labels, key=lambda c: e.labels[c])
            drawn = abs(e.labels[usual] / sum(e.labels.values()) - counts.get(usual, 0) / max(sum(counts.values()), 1))
            if self._fair is not None or drawn > _DRAWN:
                return beyond_chance(e.balanced, 1.0 / len(e.labels)) if len(e.labels) > 1 else None
        return beyond_chance(e.accuracy, largest_share(e.labels) if e.labels else self.chance)

    def sample_skill(self, sample: Sample) -> float | None:
        """`skill` of the training batch of one look; where the loss weighs its classes, all count the same, as in validation."""
        if self._fair is not None:
            return self._beyond_even(sample.balanced)
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
