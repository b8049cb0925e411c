"""The recordings of several processes become one: that of the first, with what the others hold beside it."""

from __future__ import annotations

from dataclasses import replace

from nndoctor.record.model import FORMAT, End, Header, ParameterInfo, RankInfo, Recording, Replica, Shard, Step
from nndoctor.record.ranks import together


def member(rank: int, *names: str, steps: int = 3, world: int = 2, reason: str = "steps", error: str = "") -> Recording:
    """What one process wrote."""
    return Recording(
        Header(FORMAT, "0.1.0", "worker.py"),
        parameters=[ParameterInfo(i, name, [2], "float32", True) for i, name in enumerate(names)],
        steps=[Step(i + 1, 0.1 * i, 1.0) for i in range(steps)],
        ranks=[RankInfo(rank, world, "gloo")] if world else [],
        replicas=[Replica(1, [10.0 * rank + i for i in range(len(names))], [], rank)],
        shards=[Shard(0, [rank], rank)],
        end=End(reason, steps, steps, steps, 0.3, 1.0, error=error),
    )


def launcher(reason: str = "finished", error: str = "") -> Recording:
    """What the process wrote that started them."""
    return Recording(Header(FORMAT, "0.1.0", "train.py", ["--lr"]), end=End(reason, 0, 0, 0, 0.0, 9.0, error=error))


def test_one_process_stays_as_it_is() -> None:
    """The usual run: nothing is added."""
    own = member(0, "a", world=0)

    assert own is together(own, [])
    assert [] == own.ranks


def test_first_rank_is_the_one_that_is_kept() -> None:
    """Whatever the order in which they come; under the name that the user gave."""
    made = together(launcher(), [member(1, "a"), member(0, "a")])

    assert [0, 1] == [r.rank for r in made.ranks]
    assert [("steps", 3)] * 2 == [(r.ended, r.steps) for r in made.ranks]
    assert ("train.py", ["--lr"]) == (made.header.script, made.header.arguments)
    assert [(0, [0]), (1, [1])] == [(s.rank, s.batches) for s in made.shards]


def test_numbers_stand_at_the_same_parameter() -> None:
    """A peer may have seen other parameters, in another order; what the first does not know is dropped."""
    made = together(member(0, "a", "b"), [member(1, "x", "b", "a")])

    assert [(0, [0.0, 1.0]), (1, [12.0, 11.0])] == [(r.rank, r.weights) for r in made.replicas]


def test_silent_rank_is_named() -> None:
    """A rank of which no recording came is not watched, rather than missing."""
    made = together(member(0, "a", world=3), [member(2, "a", world=3)])

    assert [(0, True), (2, True), (1, False)] == [(r.rank, r.watched) for r in made.ranks]


def test_end_follows_from_the_first_that_ended() -> None:
    """Who fails because a partner had seen enough did not fail; who was killed has no word of its own."""
    gone = "RuntimeError: connection closed by peer"
    limited = together(member(0, "a", reason="error", error=gone), [member(1, "a", reason="seconds")], first="seconds")
    failed = together(member(0, "a", reason="error", error=gone), [member(1, "a", reason="lost")], first="error")
    killed = together(launcher("error", "ChildFailedError: rank 0"), [member(0, "a", reason="peer"), member(1, "a", reason="signal", error="SIGKILL")])

    assert limited.end is not None and failed.end is not None and killed.end is not None
    assert ("seconds", "") == (limited.end.reason, limited.end.error)
    assert ("error", gone) == (failed.end.reason, failed.end.error)
    assert ["error", "lost"] == [r.ended for r in failed.ranks]
    assert ("error", "ChildFailedError: rank 0") == (killed.end.reason, killed.end.error)


def test_processes_without_a_group_are_counted() -> None:
    """The first that trained is kept; those that could not be watched are told."""
    made = together(launcher(), [member(0, "a", world=0), member(0, "a", world=0)], unseen=1)
    unseen = together(launcher(), [], unseen=2)

    assert [(True, 3), (True, 3), (False, 0)] == [(r.watched, r.steps) for r in made.ranks]
    assert 3 == len(made.steps)
    assert [replace(RankInfo(-1, 0), watched=False)] * 2 == unseen.ranks
