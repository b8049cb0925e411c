"""A training that is spread over several processes: who they are, what each of them holds, and what it is fed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nndoctor.record.place import Place


@dataclass
class RankInfo:
    """One process of a training that is spread over several.

    The process itself writes what it is; how it ended stands in the recording of all, which holds one for each process.
    """

    kind: ClassVar[str] = "rank"
    rank: int  # -1: of no process group
    world: int  # processes in the group, 0: there is no group
    backend: str = ""  # "" where the launcher named a rank and the script never joined a group
    place: Place | None = None  # where it joined
    watched: bool = True  # False: it trained unseen, or no word came from it
    ended: str = ""  # as the end's reason
    error: str = ""
    steps: int = 0


@dataclass
class Replica:
    """Weights and gradients of one process of a group in a sampled step, as one number a parameter that others can be held against.

    The number is the sum of the leading elements under fixed signs, scaled to the whole tensor: that of a difference of two
    tensors is about as large as its norm.
    """

    kind: ClassVar[str] = "replica"
    step: int  # 0: before the first one
    weights: list[float | None]  # by parameter index, once the step is over; None where each process keeps a part of its own
    gradients: list[float | None] = field(default_factory=list)  # as the optimiser saw them
    rank: int = 0


@dataclass
class Shard:
    """What one process of a group trained on: a checksum of each batch, whatever the order of its rows; written at the end."""

    kind: ClassVar[str] = "shard"
    model: int
    batches: list[int]
    rank: int = 0
