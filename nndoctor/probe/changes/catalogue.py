"""Which intervention a change is made by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nndoctor.probe.changes import activations, data, loop, loss, model, optimizer
from nndoctor.probe.changes.base import Intervention
from nndoctor.probe.changes.names import Change

if TYPE_CHECKING:
    from nndoctor.probe.changes.points import World

# By kind, or by kind and value where the values have little in common.
_MADE_BY: dict[str, type[Intervention]] = {
    "lr": optimizer.Rate,
    "momentum": optimizer.Momentum,
    "epsilon": optimizer.UsualEpsilon,
    "optimizer": optimizer.OtherOptimizer,
    "weight-decay": optimizer.Decay,
    "parameters": loop.AllParameters,
    "gradients=cleared": loop.ClearedGradients,
    "gradients=averaged": loop.AveragedGradients,
    "step": loop.CalledStep,
    "clip": optimizer.Clip,
    "schedule": optimizer.ConstantRate,
    "maximize": optimizer.Descending,
    "activation": activations.OtherActivation,
    "activation=he-relu": activations.ReluFromHe,
    "output": activations.OtherOutput,
    "init": model.StandardInit,
    "dropout": model.NoDropout,
    "norm": model.BatchStatistics,
    "mode": loop.TrainMode,
    "evaluation": loop.EvalMode,
    "requires-grad": loop.RequiresGrad,
    "graph": loop.Connected,
    "insert=norm": activations.InsertedNorm,
    "insert=residual": activations.InsertedResidual,
    "inputs=standardized": data.StandardizedInputs,
    "inputs=imputed": data.ImputedInputs,
    "inputs=clipped": data.ClippedInputs,
    "inputs=zero": data.ZeroInputs,
    "loader": data.ShuffledLoader,
    "batch": data.BatchSize,
    "one-batch": data.OneBatch,
    "labels": loss.ShuffledLabels,
    "classes": loss.WeightedClasses,
    "target": loss.ReshapedTarget,
    "loss=cross-entropy": loss.OtherLoss,
    "loss=squared-error": loss.OtherLoss,
    "loss=stable": loss.StableLoss,
    "loss=negated": loss.NegatedLoss,
    "precision": model.Float32,
    "seed": model.ShiftedSeed,
}


def make(change: Change, world: World) -> Intervention:
    """The intervention behind a change."""
    made_by = _MADE_BY.get(change.spelling) or _MADE_BY[change.kind.name]
    return made_by(world, change.value)
