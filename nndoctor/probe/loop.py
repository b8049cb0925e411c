"""Watches the loop itself: which calls come in which order, what counts as a step, and when enough has been seen."""

from __future__ import annotations

import time
from collections.abc import Callable

from nndoctor.probe.where import user_place
from nndoctor.record.model import Call, Place

_MOST_EVENTS = 80


def looked_at(step: int) -> bool:
    """Whether a step is looked at closely: the first three, a few more, then every tenth, every twentieth, later fewer."""
    if step <= 3 or step in (5, 7):
        return True
    if step <= 60:
        return step % 10 == 0
    return step % 20 == 0 if step <= 400 else step % 100 == 0


class Enough(Exception):
    """Raised by a `stop` that ends the watch and not the process: what was being looked at is left, and the script goes on."""


class Calls:
    """Counts the loop's calls and keeps the order of the first ones."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self._calls: dict[str, Call] = {}
        self._evaluating: Place | None = None  # the latest call of `eval`
        self._blamed = False

    def note(self, what: str) -> None:
        """One call of `what`, made by the innermost user frame."""
        call = self._calls.get(what)
        if call is None:
            call = self._calls[what] = Call(what, 0, user_place(3))
        call.count += 1
        if what == "eval" and not self._blamed:
            self._evaluating = user_place(3)
        if len(self.events) < _MOST_EVENTS:
            self.events.append(what)

    def trained_evaluating(self) -> None:
        """A training forward was made in evaluation mode: the `eval` to blame is the latest, not the first, which may be a validation's."""
        if not self._blamed and "eval" in self._calls:
            self._blamed = True
            self._calls["eval"].place = self._evaluating

    def mark(self, what: str, place: Place | None = None) -> None:
        """The same for what is no part of the loop's order."""
        call = self._calls.setdefault(what, Call(what, 0, place))
        call.count += 1

    def place(self, what: str) -> Place | None:
        """Where it was first called."""
        call = self._calls.get(what)
        return call.place if call else None

    def records(self) -> list[Call]:
        """What was counted."""
        return list(self._calls.values())


class Limits:
    """Ends the run once enough was seen; a validation pass may still end within the grace period.

    Where so many steps have shown no validation pass, it goes on for at most `wait` seconds until one has been seen.

    The end comes at the next backward call after the limit. Whoever holds a clock asks `overdue` from time to time, for
    the script that makes no such call any more (a long validation, a sleep, an endless loop).
    """

    def __init__(self, steps: int, seconds: float, grace: float, wait: float, stop: Callable[[str], None]) -> None:
        self._steps, self._seconds, self._grace, self._wait = steps, seconds, grace, wait
        self._stop = stop
        self._validated = False
        self._due: float | None = None  # when the steps were made
        self._started: float | None = None
        self._reached: tuple[str, float] | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since training began."""
        return 0.0 if self._started is None else time.perf_counter() - self._started

    def begin(self) -> None:
        """The first training forward."""
        if self._started is None:
            self._started = time.perf_counter()

    def validated(self) -> None:
        """A validation pass was made after training had begun."""
        self._validated = True
        if self._due is not None and self._reached is None:
            self._reached = ("steps", time.perf_counter())

    def made(self, steps: int) -> None:
        """So many steps were made."""
        if self._reached is not None or steps < self._steps:
            return
        now = time.perf_counter()
        if self._due is None:
            self._due = now
        if self._validated or now >= self._due + self._wait:
            self._reached = ("steps", now)

    def before_backward(self) -> None:
        """Training is about to go on: does it still have to?"""
        if self._reached is None and self.elapsed > self._seconds:
            self._reached = ("seconds" if self._due is None else "steps", time.perf_counter())
        if self._reached is not None:
            self._stop(self._reached[0])

    def overdue(self) -> str | None:
        """The limit that was reached longer than the grace period ago, if one was. Any thread may ask."""
        if self._reached is not None:
            return self._reached[0] if time.perf_counter() > self._reached[1] + self._grace else None
        if self._due is not None and time.perf_counter() > self._due + self._wait + self._grace:
            return "steps"
        return "seconds" if self.elapsed > self._seconds + self._grace else None
