"""Processes that train one model: each symptom where it holds, and the healthy run in which something differs by right."""

from __future__ import annotations

from nndoctor.diagnosis.engine import diagnose
from nndoctor.record.model import Call, Place, RankInfo, Recording
from tests.symptoms.build import OPTIMIZER, SCRIPT, lacks, spread, symptom_of


def apart(rank: int, step: int) -> list[float | None]:
    """Weights that start alike, and of which each rank goes its own way."""
    return [1.0 + (0.01 - 0.02 * rank) * step] * 6


def without(recording: Recording, *whats: str) -> Recording:
    """The same with some calls never made."""
    recording.calls = [c for c in recording.calls if c.what not in whats]
    return recording


# --- replicas-differ ----------------------------------------------------------------------------------------------


def test_replicas_that_drift_apart() -> None:
    """Rounding leaves a millionth, and is none."""
    found = symptom_of(spread(apart), "replicas-differ")

    assert "The weights of ranks 0 and 1 drift apart: at the last look their distance is 200% of the way" in found.text
    assert 1.0 == found.strength
    assert lacks(spread(apart), "replicas-differ", limit=3.0)
    assert lacks(spread(lambda rank, step: [1.0 + (0.01 + 1e-8 * rank) * step] * 6), "replicas-differ")


def test_replicas_that_meet_again_are_averaged_now_and_then() -> None:
    """Local steps with an average at every tenth are a method; what is apart at one look alone is not judged."""
    assert lacks(spread(lambda rank, step: [1.0 + (0.01 + (0.02 * rank if step % 10 else 0)) * step] * 6), "replicas-differ")
    assert lacks(spread(lambda rank, step: [1.0 + (0.01 + (0.02 * rank if step == 100 else 0)) * step] * 6), "replicas-differ")


def test_the_reason_is_read_off_the_calls() -> None:
    """No wrapper, one that is not called, one that is told not to average, and no group at all."""
    where = Place(SCRIPT, 40)
    silent = spread(apart)
    silent.calls.append(Call("unsynced-forward", 100, where))
    alone = spread(apart)
    alone.ranks = [RankInfo(r, 2) for r in (0, 1)]

    assert "No DistributedDataParallel was made" in symptom_of(without(spread(apart), "wrap"), "replicas-differ").text
    assert "not called through the wrapper" in symptom_of(without(spread(apart), "wrapped-forward"), "replicas-differ").text
    assert "no_sync()" in symptom_of(silent, "replicas-differ").text
    assert where == symptom_of(silent, "replicas-differ").place
    assert "never joined a process group" in symptom_of(alone, "replicas-differ").text


def test_a_part_that_differs_is_named_and_less_sure() -> None:
    """A head outside of the wrapper; experts that are spread over the processes look the same."""
    found = symptom_of(spread(lambda rank, step: [1.0 + 0.01 * step] * 4 + [1.0 + (0.01 + 0.02 * rank) * step] * 2), "replicas-differ")

    assert "drift apart in net.4, though not elsewhere" in found.text
    assert 0.7 == found.strength
    assert "net.4" == found.where


def test_sharded_weights_are_not_compared() -> None:
    """What each process keeps a part of is left out, and nothing is left."""
    assert lacks(spread(lambda rank, step: [None] * 6), "replicas-differ")


# --- starts-differ ------------------------------------------------------------------------------------------------


def test_other_first_weights() -> None:
    """They matter where they stay; a broadcast after the first batch mends them."""
    kept = spread(lambda rank, step: [1.0 + rank + 0.01 * step] * 6)
    mended = spread(lambda rank, step: [1.0 + (rank if step == 0 else 0) + 0.01 * step] * 6)

    assert "began with different weights" in symptom_of(kept, "starts-differ").text
    assert lacks(kept, "starts-differ", limit=2.0)
    assert lacks(mended, "starts-differ")
    assert lacks(mended, "replicas-differ")


# --- gradients-not-shared -----------------------------------------------------------------------------------------


def test_gradients_that_are_not_averaged() -> None:
    """They differ at most looks; averaged in another order they differ by rounding."""
    r = spread(apart, lambda rank, step: [0.5 - rank] * 6)

    assert "they are not averaged" in symptom_of(r, "gradients-not-shared").text
    assert lacks(r, "gradients-not-shared", limit=3.0)
    assert lacks(spread(gradients=lambda rank, step: [0.5 + 1e-7 * rank] * 6), "gradients-not-shared")


# --- same-batch-on-ranks ------------------------------------------------------------------------------------------


def test_the_same_batch_in_each_process() -> None:
    """Of replicas; the parts of one model are fed alike by design, and a shared batch now and then is chance."""
    r = spread(batches=lambda rank: list(range(100)))
    parts = spread(lambda rank, step: [None] * 6, batches=lambda rank: list(range(100)))

    assert "Ranks 0 and 1 trained on the same rows in 100% of 100 steps" in symptom_of(r, "same-batch-on-ranks").text
    assert lacks(r, "same-batch-on-ranks", limit=1.0)
    assert lacks(parts, "same-batch-on-ranks")
    assert lacks(spread(batches=lambda rank: [i if i % 2 else 1000 * rank + i for i in range(100)]), "same-batch-on-ranks")


# --- epoch-not-set ------------------------------------------------------------------------------------------------


def test_the_same_order_in_each_epoch() -> None:
    """By a sampler that shuffles and is not told the epoch; a note, since each process still has its part."""
    r = without(spread(batches=lambda rank: [1000 * rank + i % 25 for i in range(100)]), "set-epoch")
    r.calls.append(Call("shuffled-shard", 4, None))
    told = spread(batches=lambda rank: [1000 * rank + i % 25 for i in range(100)])
    told.calls.append(Call("shuffled-shard", 4, None))

    assert "the same 25 batches in the same order" in symptom_of(r, "epoch-not-set").text
    assert [("ranks-diverge", "note")] == [(s.cause.id, s.severity) for s in diagnose(r).suspects]
    assert lacks(told, "epoch-not-set")
    assert lacks(without(spread(), "set-epoch"), "epoch-not-set")


# --- reduction-unfinished -----------------------------------------------------------------------------------------


def test_gradients_that_never_come() -> None:
    """Torch raises in the second forward, and the layers are named here; any other error is the script's own affair."""
    r = spread()
    assert r.end is not None
    r.end.reason, r.end.error = "error", "RuntimeError: Expected to have finished reduction in the prior iteration before starting a new one."
    r.graphs[0].reached = [0, 1, 2, 3]

    assert "the loss does not reach net.4" in symptom_of(r, "reduction-unfinished").text
    r.end.error = "RuntimeError: something else"
    assert lacks(r, "reduction-unfinished")


# --- the cause ----------------------------------------------------------------------------------------------------


def test_each_of_them_is_told_first() -> None:
    """The cause comes first and at least as a warning, also where the first rank learns well."""
    same = spread(batches=lambda rank: list(range(100)))
    waits = spread()
    assert waits.end is not None
    waits.end.reason, waits.end.error = "error", "RuntimeError: Expected to have finished reduction in the prior iteration"
    for r in (spread(apart), same, waits):
        first = diagnose(r).suspects[0]

        assert "ranks-diverge" == first.cause.id
        assert "note" != first.severity
        assert OPTIMIZER != first.location


def test_healthy_ranks_are_healthy() -> None:
    """Three of them."""
    diagnosis = diagnose(spread(ranks=3))

    assert ("healthy", []) == (diagnosis.verdict, diagnosis.suspects)
