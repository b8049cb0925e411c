"""Makes the trials of a diagnosis, side by side, within a budget, and ranks the suspects by what came of them."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from nndoctor.diagnosis.model import Diagnosis, Trial
from nndoctor.diagnosis.rank import after_trials
from nndoctor.knowledge.model import Cause
from nndoctor.probe.changes.names import parse
from nndoctor.record.model import Recording
from nndoctor.trials.clear import Clear
from nndoctor.trials.compare import compare, doubtful
from nndoctor.trials.laboratory import Laboratory
from nndoctor.trials.plan import Order, orders

RUNNING = "running"  # the outcome of a trial that is still being made
_OTHER_SEED = "seed=1"


@dataclass(frozen=True)
class Budget:
    """How much may be spent on all trials together."""

    most: int = 12
    seconds: float = 60.0


Shown = Callable[[list[Trial]], None]  # gets all trials, those that still run with the outcome "running", at every change


class _Run:
    """A trial that is being made."""

    def __init__(self, order: Order, control: Recording) -> None:
        self.order = order
        self.enough = threading.Event()
        self.clear = Clear(order.change, control, self.enough)
        self.started = time.monotonic()
        self.dropped = False

    def placeholder(self) -> Trial:
        """As a trial without an outcome."""
        change = self.order.change
        return Trial(change.words, self.clear.steps, None, self.clear.value, self.clear.measure, RUNNING, change.spelling, self.order.cause, change.kind.size)


def try_suspects(diagnosis: Diagnosis, causes: Mapping[str, Cause], laboratory: Laboratory, budget: Budget, shown: Shown) -> Diagnosis:
    """Run the same probe again with the cause of each leading suspect removed, and rank the suspects anew.

    A run that is neither sick nor failing nor doubtful costs no trial. An interruption by the user ends the trials; what came of them counts.
    """
    if not diagnosis.is_worth_trials:
        return diagnosis
    trials = _Trials(diagnosis, causes, laboratory, budget, shown)
    try:
        trials.make()
    except KeyboardInterrupt:
        trials.drop()
    return after_trials(diagnosis, trials.made, causes)


class _Trials:
    """The state of a series of trials."""

    def __init__(self, diagnosis: Diagnosis, causes: Mapping[str, Cause], laboratory: Laboratory, budget: Budget, shown: Shown) -> None:
        self._diagnosis, self._causes, self._laboratory = diagnosis, causes, laboratory
        self._budget, self._shown = budget, shown
        self._deadline = time.monotonic() + budget.seconds
        self.made: list[Trial] = []
        self._recordings: dict[str, Recording] = {}
        self._running: dict[Future[tuple[Recording, str]], _Run] = {}
        self._other: Recording | None = None  # the run as it is, under another seed

    def make(self) -> None:
        """Until the case is closed or the budget spent."""
        with ThreadPoolExecutor(self._laboratory.workers) as pool:
            try:
                while True:
                    self._start(pool)
                    if not self._running:
                        return
                    done, _ = wait(self._running, timeout=0.25, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._finish(future)
                    if time.monotonic() > self._deadline:
                        self._end_all()
                    self._show()
            except BaseException:
                self.drop()
                raise

    def drop(self) -> None:
        """End what still runs, and forget it."""
        for run in self._running.values():
            run.dropped = True
            run.enough.set()

    def _end_all(self) -> None:
        """The time is up: what was seen so far counts."""
        for run in self._running.values():
            run.enough.set()

    def _start(self, pool: ThreadPoolExecutor) -> None:
        """Fill the free places with the next orders."""
        while len(self._running) < self._laboratory.workers:
            order = self._next()
            if order is None:
                return
            run = _Run(order, self._diagnosis.recording)
            future = pool.submit(self._laboratory.run, order.change, run.clear.see, run.enough)
            self._running[future] = run
            self._show()

    def _next(self) -> Order | None:
        if len(self.made) + len(self._running) >= self._budget.most or time.monotonic() > self._deadline:
            return None
        wanted = orders(self._diagnosis, self._causes, [*self.made, *(r.placeholder() for r in self._running.values())])
        running = {r.order.change.spelling for r in self._running.values()}
        for order in wanted:
            known = self._recordings.get(order.change.spelling)
            if known is not None:  # two causes with the same cure
                self._note(order, known, 0.0, "")
                return self._next()
            if order.change.spelling not in running:
                return order
        if wanted or not self._wants_noise() or _OTHER_SEED in running:
            return None
        return Order("", parse(_OTHER_SEED))

    def _wants_noise(self) -> bool:
        """Whether all that was confirmed rests on a small difference, and nobody knows how large the noise is."""
        confirmed = [t for t in self.made if t.confirmed]
        return bool(confirmed) and all(map(doubtful, confirmed)) and self._other is None

    def _finish(self, future: Future[tuple[Recording, str]]) -> None:
        run = self._running.pop(future)
        if run.dropped:
            return
        try:
            recording, way = future.result()
        except Exception as error:  # noqa: BLE001 - the diagnosis stands without it
            change = run.order.change
            reason = f"it failed: {type(error).__name__}: {error}"
            self.made.append(Trial(change.words, 0, None, None, "", "not possible", change.spelling, run.order.cause, change.kind.size, reason=reason))
            return
        self._note(run.order, recording, time.monotonic() - run.started, way)

    def _note(self, order: Order, recording: Recording, seconds: float, way: str) -> None:
        self._recordings[order.change.spelling] = recording
        trial = compare(order.change, order.cause, self._diagnosis.recording, recording, self._other)
        self.made.append(dataclasses.replace(trial, seconds=seconds, way=way))
        if order.change.spelling == _OTHER_SEED:
            self._other = recording
            self.made = [self._judged_again(t) for t in self.made]

    def _judged_again(self, trial: Trial) -> Trial:
        """With the second control that is known by now."""
        if not trial.confirmed:
            return trial
        again = compare(parse(trial.spelling), trial.cause, self._diagnosis.recording, self._recordings[trial.spelling], self._other)
        return dataclasses.replace(trial, outcome=again.outcome)

    def _show(self) -> None:
        self._shown([*self.made, *(r.placeholder() for r in self._running.values())])
