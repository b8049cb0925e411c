"""Watches a stretch of this very process: what `child.py` does for a whole run, without what only a process may do that is thrown
away. Nothing is ended here, no signal is handled, no thread started and no stream touched.

A name that the program takes for a patched function meanwhile (`criterion = F.cross_entropy`) goes on naming the wrapper, which passes
everything on; what holds it cannot be pickled afterwards, since torch's name stands for another object by then.
"""

from __future__ import annotations

import os
import time
from functools import cached_property
from typing import Any, NoReturn

from nndoctor.errors import UsageError
from nndoctor.probe import traces
from nndoctor.probe.attach import Watch, watches
from nndoctor.probe.cells import NOTEBOOK, cell_name
from nndoctor.probe.compiled import Eagerly
from nndoctor.probe.loop import Enough
from nndoctor.probe.source import hints
from nndoctor.probe.where import shown_path, user_frame
from nndoctor.record.codec import assemble, decode, encode
from nndoctor.record.model import Problem, Recording


class Stretch:
    """From `begin` to `end`, or to the limit of optimiser steps or seconds of training: `run` is the training to watch, 0: each."""

    def __init__(self, steps: int, seconds: float, run: int) -> None:
        self._lines: list[str] = []  # encoded at once: a record may go on changing
        self._unwritten = ""  # why a record is missing
        self._watch = Watch(self._emit, steps, seconds, 0.0, 0.0, self._stop, os.getcwd(), run, Eagerly())
        self._script = ""
        self._started = 0.0
        self.is_over = False  # it was left, or has come to its limit

    def begin(self) -> None:
        """Put the watch on. Raises UsageError where this process is watched already."""
        if watches():
            raise UsageError("this process is watched already, by `nndoctor check` or by another `with nndoctor.watch()`; leave that one first")
        frame = user_frame(2)
        file = frame.f_code.co_filename if frame is not None else "<python>"
        self._script = NOTEBOOK if cell_name(file) else shown_path(file)
        self._started = time.monotonic()
        try:
            self._watch.install()
        except BaseException:
            self._watch.remove()
            raise

    def end(self, error: BaseException | None) -> None:
        """Take the watch off. The exception that leaves the block, if one does, is noted, and keeps the program's own lines alone."""
        if error is None or isinstance(error, GeneratorExit):
            self._close("left")
        elif isinstance(error, KeyboardInterrupt):
            self._close("interrupt", **traces.described(error))
        else:
            self._close("error", **traces.described(error))
        # Once more: a mode of the program's that lay above ours at the limit is gone by now.
        self._watch.remove()
        if error is not None:
            traces.strip(error)

    @cached_property
    def recording(self) -> Recording:
        """What was seen."""
        recording = assemble(map(decode, self._lines))
        self._lines.clear()
        # The header has the command line of this process, a notebook's kernel perhaps.
        recording.header.script, recording.header.arguments = self._script, []
        recording.hints = hints(recording)
        return recording

    def _emit(self, record: Any) -> None:
        """Take a record. What fails here is told at the end, and is nothing to the program."""
        if self.is_over:
            return
        try:
            self._lines.append(encode(record))
        except Exception as error:
            self._unwritten = self._unwritten or f"{type(record).__name__} was not written: {type(error).__name__}: {error}"

    def _stop(self, reason: str) -> NoReturn:
        """A limit was reached, in the midst of a step, which goes on unwatched."""
        self._close(reason)
        raise Enough

    def _close(self, reason: str, **fields: Any) -> None:
        """Write what is summed up and the end, and take the watch off. The first call does."""
        if self.is_over:
            return
        try:
            self._watch.finish()
            if self._unwritten:
                self._emit(Problem("the recording", self._unwritten))
            self._emit(self._watch.end(reason, total_seconds=time.monotonic() - self._started, **fields))
        finally:
            self.is_over = True
            self._watch.remove()
