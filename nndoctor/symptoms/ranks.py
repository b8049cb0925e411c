"""Several processes that should train one model: whether they hold the same weights, share gradients, and divide the data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from nndoctor.record.model import ParameterInfo, Place, Replica
from nndoctor.symptoms.measures import Array
from nndoctor.symptoms.model import Symptom, SymptomInfo
from nndoctor.symptoms.view import View

INFO = (
    SymptomInfo("replicas-differ", "ranks", "Processes that should hold the same weights drift apart and never meet again.", 0.05, "Distance between two processes over the way that the first has come; rounding in another order leaves a millionth.", fact=True),
    SymptomInfo("starts-differ", "ranks", "They begin with different weights, and keep the difference.", 0.01, "Distance between two processes over the norm of the weights; two draws of a standard initialisation are 1.4 apart.", fact=True),
    SymptomInfo("gradients-not-shared", "ranks", "The optimisers of two processes step on different gradients.", 0.1, "Their distance over the norm, median over the looks; averaged gradients are equal but for rounding.", fact=True),
    SymptomInfo("same-batch-on-ranks", "ranks", "Processes train on the same batch in the same step.", 0.9, "Share of the batches; a sampler that divides the data leaves none.", fact=True),
    SymptomInfo("epoch-not-set", "ranks", "Every epoch brings the same batches in the same order, because the sampler is not told the epoch.", fact=True),
    SymptomInfo("reduction-unfinished", "ranks", "The processes wait for gradients of parameters that the loss does not reach.", fact=True),
)  # fmt: skip
_LEAST_LOOKS, _LEAST_BATCHES = 2, 5
_STANDS_STILL = 1e-3  # of the weights' norm: less is no way to measure a distance by
_UNFINISHED = "Expected to have finished reduction in the prior iteration"  # torch's own words
_ALL = 0.9  # share of the forwards that counts as all of them


def replicas_differ(view: View) -> Symptom | None:
    """At the last look, and at every look since they parted: who averages weights now and then meets again."""
    limit = view.thresholds.get("replicas-differ", 0.05)
    worst, who = 0.0, -1
    for rank in _peers(view):
        apart = [share for step, share in _distances(view, rank) if step > 0]
        first = next((i for i, share in enumerate(apart) if share > limit), len(apart))
        if len(apart) - first >= _LEAST_LOOKS and min(apart[first:]) > limit and apart[-1] > worst:
            worst, who = apart[-1], rank
    if who < 0:
        return None
    odd, even = _which_differ(view, who)
    why, place = _why_apart(view)
    part = f" in {_names(odd)}, though not elsewhere" if even else ""
    text = f"The weights of ranks {_first(view)} and {who} drift apart{part}: at the last look their distance is {worst:.0%} of the way that training has come. {why}"
    # Experts that are spread over the processes are apart for good reason, and so is nothing else.
    return Symptom("replicas-differ", text.strip(), worst, limit, 0.7 if even else 1.0, odd[0].module if even and odd else "", place)


def starts_differ(view: View) -> Symptom | None:
    """Before the first step, in a run whose replicas do not meet later."""
    limit = view.thresholds.get("starts-differ", 0.01)
    main = _replicas(view, _first(view)).get(0)
    if main is None or replicas_differ(view) is None:
        return None
    for rank in _peers(view):
        other = _replicas(view, rank).get(0)
        if other is None:
            continue
        pairs = _pairs(view, main.weights, other.weights)
        share = _apart(pairs) / max(_length(pairs[0]), 1e-30)
        if share > limit:
            text = f"Ranks {_first(view)} and {rank} began with different weights, {share:.2g} of their norm apart."
            return Symptom("starts-differ", text, share, limit, 1.0, "", next((m.place for m in view.recording.models if m.place), None))
    return None


def gradients_not_shared(view: View) -> Symptom | None:
    """By look, as the optimisers saw them."""
    limit = view.thresholds.get("gradients-not-shared", 0.1)
    for rank in _peers(view):
        shares = []
        for main, other in _common(view, rank):
            pairs = _pairs(view, main.gradients, other.gradients)
            if pairs.size and (norm := max(_length(pairs[0]), _length(pairs[1]))) > 0:
                shares.append(_apart(pairs) / norm)
        share = float(np.median(shares)) if len(shares) >= _LEAST_LOOKS else 0.0
        if share > limit:
            text = f"Ranks {_first(view)} and {rank} step on gradients that are {share:.2g} of their norm apart: they are not averaged."
            return Symptom("gradients-not-shared", text, share, limit, 1.0, "", view.place_of("backward"))
    return None


def same_batch_on_ranks(view: View) -> Symptom | None:
    """By step, for replicas of one model: the parts of a model that is spread over processes get the same batch by design."""
    limit = view.thresholds.get("same-batch-on-ranks", 0.9)
    shards = view.recording.shards
    for own in (s for s in shards if s.rank == _first(view)):
        for other in (s for s in shards if s.rank != own.rank and s.model == own.model):
            count = min(len(own.batches), len(other.batches))
            if count < _LEAST_BATCHES or not any(_pairs(view, a.weights, b.weights).size for a, b in _common(view, other.rank, 0)):
                continue
            share = sum(a == b for a, b in zip(own.batches, other.batches, strict=False)) / count
            if share > limit:
                text = f"Ranks {own.rank} and {other.rank} trained on the same rows in {share:.0%} of {count} steps: more processes add nothing."
                return Symptom("same-batch-on-ranks", text, share, limit, 1.0, "batch", next((x.place for x in view.recording.loaders if x.place), None))
    return None


def epoch_not_set(view: View) -> Symptom | None:
    """A sampler that shuffles, and batches that come round again."""
    sampler = view.recording.call("shuffled-shard")
    if sampler is None or view.recording.call("set-epoch") is not None:
        return None
    for shard in view.recording.shards:
        batches = shard.batches
        period = next((p for p in range(2, len(batches) - 2) if batches[p:] == batches[:-p]), 0)
        if shard.rank == _first(view) and period:
            text = f"Every epoch brings the same {period} batches in the same order: DistributedSampler shuffles by the epoch, and set_epoch() is never called."
            return Symptom("epoch-not-set", text, float(period), None, 1.0, "", next((x.place for x in view.recording.loaders if x.place), None))
    return None


def reduction_unfinished(view: View) -> Symptom | None:
    """DistributedDataParallel raises at the next forward, in words that do not name the layers."""
    end = view.recording.end
    said = [end.error if end is not None else "", *(r.error for r in view.recording.ranks)]
    if not any(_UNFINISHED in words for words in said):
        return None
    unused = [p for p in view.recording.parameters if p.requires_grad and view.reached and p.index not in view.reached]
    which = f": the loss does not reach {_names(unused)}" if unused else ""
    text = f"DistributedDataParallel waits for the gradient of every parameter and has not got all of them{which}."
    return Symptom("reduction-unfinished", text, float(len(unused)) or None, None, 1.0, unused[0].module if unused else "", view.place_of("wrap"))


# --- comparing ----------------------------------------------------------------------------------------------------


def _first(view: View) -> int:
    """The rank whose recording this is."""
    return view.recording.ranks[0].rank if view.recording.ranks else 0


def _peers(view: View) -> list[int]:
    return sorted({r.rank for r in view.recording.replicas} - {_first(view)})


def _replicas(view: View, rank: int) -> dict[int, Replica]:
    return {r.step: r for r in view.recording.replicas if r.rank == rank}


def _common(view: View, rank: int, since: int = 1) -> Iterator[tuple[Replica, Replica]]:
    """The first rank and another one at each look that both had, from a step on."""
    own, other = _replicas(view, _first(view)), _replicas(view, rank)
    for step in sorted(set(own) & set(other)):
        if step >= since:
            yield own[step], other[step]


def _pairs(view: View, a: Sequence[float | None], b: Sequence[float | None]) -> Array:
    """Finite numbers that both have, of what is optimised [2, n]."""
    chosen = view.optimised or set(range(len(a)))
    found = [(x, y) for i, (x, y) in enumerate(zip(a, b, strict=False)) if i in chosen and x is not None and y is not None]
    values = np.array(found, dtype=np.float64).reshape(-1, 2)
    return np.asarray(values[np.isfinite(values).all(1)].T)


def _length(values: Array) -> float:
    return float(np.sqrt((values**2).sum()))


def _apart(pairs: Array) -> float:
    return _length(pairs[0] - pairs[1])


def _distances(view: View, rank: int) -> Iterator[tuple[int, float]]:
    """Step, and distance to the first rank over the way that this one has come since the start."""
    start = _replicas(view, _first(view)).get(0)
    for main, other in _common(view, rank):
        pairs = _pairs(view, main.weights, other.weights)
        if not pairs.size:
            continue
        way = _apart(_pairs(view, main.weights, start.weights)) if start is not None else 0.0
        yield main.step, _apart(pairs) / max(way, _STANDS_STILL * _length(pairs[0]), 1e-30)


def _which_differ(view: View, rank: int) -> tuple[list[ParameterInfo], bool]:
    """Parameters that differ at the last look, and whether others moved and do not."""
    main, other = list(_common(view, rank))[-1]
    start = _replicas(view, _first(view)).get(0)
    odd, even = [], False
    for i, (a, b) in enumerate(zip(main.weights, other.weights, strict=False)):
        if a is None or b is None or i not in view.parameters or (view.optimised and i not in view.optimised):
            continue
        if abs(a - b) > _STANDS_STILL * max(abs(a), abs(b), 1e-30):
            odd.append(view.parameters[i])
        else:
            before = start.weights[i] if start is not None and i < len(start.weights) else None
            even = even or (before is not None and math.prod(view.parameters[i].shape) > 1 and a != before and a == b)
    return odd, even


def _names(parameters: list[ParameterInfo]) -> str:
    names = list(dict.fromkeys(p.module or p.name for p in parameters))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _why_apart(view: View) -> tuple[str, Place | None]:
    """What the calls tell of the reason, and its line."""
    wrap, through, unsynced = (view.recording.call(n) for n in ("wrap", "wrapped-forward", "unsynced-forward"))
    model = next((m.place or m.called for m in view.recording.models), None) or view.place_of("backward")
    if view.recording.ranks and not view.recording.ranks[0].backend:
        return "The script never joined a process group: each process trains for itself.", model
    if wrap is None:
        return "No DistributedDataParallel was made, and the processes do not keep each other's weights by other means.", model
    if through is None:
        return "The model was wrapped, and is not called through the wrapper, which alone averages the gradients.", wrap.place
    if unsynced is not None and unsynced.count >= _ALL * through.count:
        return "Every backward pass ran under no_sync(), which leaves the gradients as they are in each process.", unsynced.place or wrap.place
    return "", wrap.place


DETECTORS = (replicas_differ, starts_differ, gradients_not_shared, same_batch_on_ranks, epoch_not_set, reduction_unfinished)
