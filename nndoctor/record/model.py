"""The recording: one dataclass per kind of line, and the `Recording` they add up to.

Every line of a saved recording is one of these objects (see `codec.py` and the README beside this file).
Numbers are plain Python floats; a number that was not measured is `None`, a non-finite one is itself.
Each stands in the file of its subject; everybody else imports it from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nndoctor.record.activations import Activation, Site
from nndoctor.record.data import Features, Labels, Reference, TrainingRows
from nndoctor.record.graph import Graph, Link, LossInfo, Recurrence, Strait, Stretch, TensorStats
from nndoctor.record.loop import (
    Call,
    LoaderInfo,
    NonFinite,
    OptimizerGroup,
    OptimizerInfo,
    ParameterSample,
    Sample,
    SchedulerInfo,
    SettingChange,
    Step,
)
from nndoctor.record.network import ModelInfo, ModuleInfo, ModuleMode, ParameterInfo, Reshaping, Sequence
from nndoctor.record.place import Place
from nndoctor.record.processes import RankInfo, Replica, Shard
from nndoctor.record.run import ChangeMade, End, Header, Problem, SourceHint, Training
from nndoctor.record.validation import Evaluation, Holdout, Overlap, Vocabulary

__all__ = [
    "FORMAT",
    "RECORD_TYPES",
    "Activation",
    "Call",
    "ChangeMade",
    "End",
    "Evaluation",
    "Features",
    "Graph",
    "Header",
    "Holdout",
    "Labels",
    "Link",
    "LoaderInfo",
    "LossInfo",
    "ModelInfo",
    "ModuleInfo",
    "ModuleMode",
    "NonFinite",
    "OptimizerGroup",
    "OptimizerInfo",
    "Overlap",
    "ParameterInfo",
    "ParameterSample",
    "Place",
    "Problem",
    "RankInfo",
    "Recording",
    "Recurrence",
    "Reference",
    "Replica",
    "Reshaping",
    "Sample",
    "SchedulerInfo",
    "Sequence",
    "SettingChange",
    "Shard",
    "Site",
    "SourceHint",
    "Step",
    "Strait",
    "Stretch",
    "TensorStats",
    "Training",
    "TrainingRows",
    "Vocabulary",
]

# One line a version, newest last.
# 1: first format.
FORMAT = 1

RECORD_TYPES: tuple[type, ...] = (
    Header, ModelInfo, ModuleInfo, ParameterInfo, OptimizerInfo, SettingChange, SchedulerInfo, LoaderInfo, LossInfo,
    Graph, Step, Sample, Activation, Site, Features, Labels, Holdout, Vocabulary, Overlap, TrainingRows, Reshaping, Sequence, Recurrence, Evaluation, Reference, Call, ModuleMode, NonFinite, Training, RankInfo, Replica, Shard, SourceHint, ChangeMade, Problem, End,
)  # fmt: skip


@dataclass
class Recording:
    """A whole run as it was seen. Lists are in order of time; `end` is None where the stream broke off."""

    header: Header
    models: list[ModelInfo] = field(default_factory=list)
    modules: list[ModuleInfo] = field(default_factory=list)
    parameters: list[ParameterInfo] = field(default_factory=list)
    optimizers: list[OptimizerInfo] = field(default_factory=list)
    settings: list[SettingChange] = field(default_factory=list)
    schedulers: list[SchedulerInfo] = field(default_factory=list)
    loaders: list[LoaderInfo] = field(default_factory=list)
    losses: list[LossInfo] = field(default_factory=list)
    graphs: list[Graph] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    activations: list[Activation] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    features: list[Features] = field(default_factory=list)
    labels: list[Labels] = field(default_factory=list)
    holdouts: list[Holdout] = field(default_factory=list)
    vocabularies: list[Vocabulary] = field(default_factory=list)
    overlaps: list[Overlap] = field(default_factory=list)
    rows: list[TrainingRows] = field(default_factory=list)
    reshapings: list[Reshaping] = field(default_factory=list)
    sequences: list[Sequence] = field(default_factory=list)
    recurrences: list[Recurrence] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    modes: list[ModuleMode] = field(default_factory=list)
    nonfinite: list[NonFinite] = field(default_factory=list)
    hints: list[SourceHint] = field(default_factory=list)
    ranks: list[RankInfo] = field(default_factory=list)
    replicas: list[Replica] = field(default_factory=list)
    shards: list[Shard] = field(default_factory=list)
    trainings: list[Training] = field(default_factory=list)
    changes: list[ChangeMade] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    end: End | None = None

    @property
    def gone(self) -> RankInfo | None:
        """The first process of the group, other than the one that this is of, that was killed or left without a word."""
        return next((r for r in self.ranks[1:] if r.world and r.ended in ("signal", "lost")), None)

    def call(self, what: str) -> Call | None:
        """The record of one of the loop's calls, None where it never happened."""
        return next((c for c in self.calls if c.what == what), None)
