"""The recordings of the processes of one training, put together to one: that of the first process, with what the others hold
beside it.

Nothing is compared here: `symptoms/ranks.py` does, on a recording that may have been saved in between.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from nndoctor.record.model import End, RankInfo, Recording, Replica, Shard

_LIMITS = ("steps", "seconds")
_CUT_OFF = ("error", "exit", "signal", "lost", "peer")  # how a process ends whose partners are gone


def together(own: Recording, others: Iterable[Recording], unseen: int = 0, first: str = "") -> Recording:
    """One recording of all processes that trained.

    `own` is that of the process that was started, which may be no more than a launcher; `unseen` counts processes that
    trained and could not be watched; `first` is the reason for which the first of all ended, which is why the rest did.
    """
    members = [r for r in (own, *others) if r.steps or r.ranks]
    if not members:
        own.ranks = [RankInfo(-1, 0, watched=False) for _ in range(unseen)]
        return own
    members.sort(key=_rank_of)
    main = members[0]
    if len(members) == 1 and main is own and not main.ranks and not unseen:
        return own
    infos = [_described(member) for member in members]
    for peer in members[1:]:
        if _rank_of(peer) < _NO_GROUP:
            _take_over(main, peer)
    known = {info.rank for info in infos}
    world = infos[0].world
    silent = [dataclasses.replace(infos[0], rank=r, place=None, watched=False, ended="", error="", steps=0) for r in range(world) if r not in known]
    main.ranks = [*infos, *silent, *(RankInfo(-1, 0, watched=False) for _ in range(unseen))]
    main.end = _common_end(main, own, first)
    if main is not own:
        for field in ("script", "arguments", "steps_limit", "seconds_limit"):
            setattr(main.header, field, getattr(own.header, field))
        main.problems += own.problems
    return main


_NO_GROUP = 1 << 30


def _rank_of(recording: Recording) -> int:
    """Order among the processes; those in no group come last, in the order in which they were started."""
    return recording.ranks[0].rank if recording.ranks else _NO_GROUP


def _described(recording: Recording) -> RankInfo:
    """What a process was, and how it ended."""
    info = recording.ranks[0] if recording.ranks else RankInfo(-1, 0)
    end = recording.end
    steps = max(len(recording.steps), end.steps if end is not None else 0)
    return dataclasses.replace(info, ended=end.reason if end is not None else "lost", error=end.error if end is not None else "", steps=steps)


def _take_over(main: Recording, peer: Recording) -> None:
    """A peer's numbers, at the places of the same parameters in the first recording: it may have seen others between."""
    places: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for p in main.parameters:
        places.setdefault((p.name, tuple(p.shape)), []).append(p.index)
    moved: dict[int, int] = {}
    for p in peer.parameters:
        same = places.get((p.name, tuple(p.shape)))
        if same:
            moved[p.index] = same.pop(0)
    rank = _rank_of(peer)
    for r in peer.replicas:
        main.replicas.append(Replica(r.step, _moved(r.weights, moved), _moved(r.gradients, moved), rank))
    main.shards += [Shard(s.model, s.batches, rank) for s in peer.shards]


def _moved(values: Sequence[float | None], moved: dict[int, int]) -> list[float | None]:
    there = {moved[i]: v for i, v in enumerate(values) if i in moved}
    return [there.get(i) for i in range(max(there, default=-1) + 1)]


def _common_end(main: Recording, own: Recording, first: str) -> End | None:
    """How the whole ended: a process whose partner had seen enough did not fail by itself."""
    end = main.end
    if end is None:
        return None
    if first in _LIMITS and end.reason in _CUT_OFF:
        return dataclasses.replace(end, reason=first, exit_code=0, error="", traceback="", place=None)
    told: Callable[[End | None], bool] = lambda e: e is not None and e.reason == "error"  # noqa: E731
    if main is not own and own.end is not None and told(own.end) and end.reason in ("exit", "lost", "peer"):
        # Whoever started the process got its exception, and raised it again.
        return dataclasses.replace(end, reason="error", exit_code=1, error=own.end.error, traceback=own.end.traceback, place=own.end.place)
    return end
