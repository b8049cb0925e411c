"""The run as a whole: under which limits, how it went on and ended, and what a look at the files alone found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nndoctor.record.place import Place


@dataclass
class Header:
    """First line: which run this is and under which limits it was watched."""

    kind: ClassVar[str] = "header"
    format: int
    nndoctor: str
    script: str
    arguments: list[str] = field(default_factory=list)
    python: str = ""
    torch: str = ""
    device: str = "cpu"
    threads: int = 0
    steps_limit: int = 0
    seconds_limit: float = 0.0
    run: int = 0  # which training of the script was to be watched, from 1; 0: each, and the last one is judged


@dataclass
class Training:
    """A training of the script after its first one; earlier lines belong to those before it."""

    kind: ClassVar[str] = "training"
    index: int  # from 1; the first has no line
    step: int  # steps that were watched before it
    place: Place | None = None  # where its optimiser was constructed


@dataclass
class ChangeMade:
    """A trial only: a change of the run, and how often it took hold."""

    kind: ClassVar[str] = "change"
    change: str  # as `nndoctor try --change` takes it
    applied: int


@dataclass
class SourceHint:
    """A line of the user's files that looks like a slip: `uncalled:METHOD` or `moved-apart`. Whether it was reached is not known."""

    kind: ClassVar[str] = "hint"
    what: str
    place: Place
    text: str


@dataclass
class Problem:
    """A part of the watch that could not do its work; the rest of the recording stands."""

    kind: ClassVar[str] = "problem"
    part: str
    error: str


@dataclass
class End:
    """Last line: how the run ended."""

    kind: ClassVar[str] = "end"
    reason: str  # "finished", "left" (the block of a program), "steps", "seconds", "error", "exit", "interrupt", "peer", "next" (training of the script); "signal", "timeout", "lost" by the parent
    steps: int
    backwards: int
    forwards: int
    seconds: float  # of training
    total_seconds: float
    exit_code: int = 0
    error: str = ""  # "ValueError: ..."
    traceback: str = ""  # the script's own lines only
    place: Place | None = None
    peak_memory: int = 0  # bytes, resident
    events: list[str] = field(default_factory=list)  # the loop's first calls, in order
    weights_moved: bool | None = None  # parameters differ from their first sight
    moved_by_hand: bool = False  # ... without an optimiser's step
    frozen: list[int] = field(default_factory=list)  # parameters with requires_grad off at the last look
    ran: list[str] = field(default_factory=list)  # modules with parameters that ran in a training forward
