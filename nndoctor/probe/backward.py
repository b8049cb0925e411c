"""Backward calls: what each is called on, what it leaves, and those that stand for steps where no optimiser makes any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from nndoctor.probe.targets import Quality
from nndoctor.record.model import Step

if TYPE_CHECKING:
    from nndoctor.probe.session import Session

_HELD_BACK = 64  # backward calls without any step before they are taken for steps themselves
_GRAPHS = 40  # steps of an optimiser within which graphs are read


@dataclass
class Made:
    """What the backward calls since the last step have made."""

    calls: int = 0
    wasted: int = 0  # of them: gradients were cleared before any step used them
    evaluations: int = 0  # of them: made by an optimiser's closure
    losses: list[Tensor] = field(default_factory=list)  # each 0-d


class BackwardWatch:
    """Tells every part of the watch what it wants to know of a backward call."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.made = Made()
        self._unstepped: list[Step] = []
        self._compared = False  # without an optimiser: weights were copied at the last backward call
        self._graphs_until = _GRAPHS
        self._stepped_within = False  # the backward call that goes on is that of a step which was made
        self.quality = Quality()  # of the call that was held back last: its weights move after it

    @contextmanager
    def around(self, loss: Tensor, by_value: bool = False) -> Iterator[None]:
        """Around one backward call, or around one that hands its gradients out as values."""
        s = self._session
        s.attempt(self._before_backward, loss, by_value)
        s.in_backward = True
        s.depth += 1
        looking, s.looking = s.looking, False
        now = s.now
        try:
            yield
        except BaseException:
            self._unstepped = [step for step in self._unstepped if step.index <= s.backwards]  # not this one
            raise
        finally:
            s.in_backward = False
            s.depth -= 1
            s.looking = looking
        if s.off:  # from here on
            return
        s.backwards += 1
        if self._stepped_within:  # by a hook, as soon as the gradient was there: the step has counted this call
            self._stepped_within = False
        else:
            self.made.calls += 1
        if not s.registry.optimizers:
            s.attempt(s.gradients.remember_versions)
        if self._compared:
            s.attempt(s.weights.keep_taken)
        if looking:
            s.attempt(s.gradients.after_backward)
            s.attempt(s.recurrence.after_backward, now)
        if s.steps == 0:
            s.attempt(s.plan)

    def _before_backward(self, loss: Tensor, by_value: bool) -> None:
        s = self._session
        s.stepping.close()
        s.stepping.register_stepper()
        s.evaluation.close()
        s.limits.begin()
        s.limits.before_backward()
        s.calls.note("backward")
        self._reclassify()
        if not s.backwards:
            s.replicas.start()
            s.overlap.begin()
        if self.made.calls == 0 or s.steps == 0:
            s.gradients.before_first_backward()
        elif not s.stepping.inside and not by_value and s.gradients.none_left():  # a closure clears and computes anew as often as it likes
            self.made.wasted += 1
        self.made.evaluations += s.stepping.inside
        source = s.losses.last_source
        if source is not None and source() is loss and s.losses.last_value is not None:
            self.made.losses.append(s.losses.last_value)
        elif loss.numel() == 1:
            self.made.losses.append(loss.detach().clone() if loss.dim() == 0 else loss.detach().reshape(()).clone())
        s.losses.last_source = None
        early = self.made.calls < 4 or not s.registry.optimizers  # of several calls a step; without optimisers each is one
        if s.is_looked_at(s.now) and (s.now <= self._graphs_until or s.terms.cheap) and early:
            outputs, gates = s.terms.read(loss, s.now, s.calls.place("backward"), s.looking, s.pending.seen)
            s.activations.output_sites |= outputs
            s.activations.gates |= gates
        if s.steps == 0:
            if s.is_looked_at(s.now):
                s.weights.remember_first()
                s.weights.note_movement()
            self._hold_back()

    def _reclassify(self) -> None:
        """Forwards in eval mode that were followed by ones in training mode were a validation with gradients on."""
        s = self._session
        validated = bool(s.pending.calls) and s.pending.calls[-1].training
        s.overlap.decide(validated)
        if validated:
            for f in s.pending.take_out_evaluating():
                s.evaluation.forward(s.steps, f.model, False, None, f.rows, None, gradients=True)
                for name, value, rows in f.losses:
                    s.evaluation.loss(name, value, rows)
            s.evaluation.close()

    def _hold_back(self) -> None:
        """No optimiser has stepped so far: keep each backward call as a step in case none ever does."""
        s = self._session
        if self._unstepped:
            s.gradients.clipped_after(self._unstepped[-1])
        if s.backwards >= _HELD_BACK:
            self._flush_unstepped()
            s.limits.made(s.backwards + 1)
        if self._compared:
            s.weights.close(s.backwards, self.quality)
            s.replicas.close(s.backwards)
        self._compared = s.looking and not s.registry.optimizers
        if self._compared:
            s.weights.before_step()
        self.quality, s.losses.quality = s.losses.quality, Quality()
        step = Step(s.backwards + 1, s.limits.elapsed)
        s.stepping.fill(step, self.made.losses[-1:])
        if not s.registry.optimizers:
            s.gradients.without_optimizer(step)
        self._unstepped.append(step)
        if s.backwards:
            s.pending.clear()

    def _flush_unstepped(self) -> None:
        s = self._session
        for step in self._unstepped:
            s.later.add([], lambda _, step=step: s.emit(step))  # type: ignore[misc]
        self._unstepped = []
        s.stepping.settle()

    def take(self) -> Made:
        """An optimiser has stepped: what it stepped on. No backward call need stand for a step any more."""
        made, self.made = self.made, Made()
        self._unstepped = []
        if self._session.in_backward:
            made.calls += 1
            self._stepped_within = True
        return made

    def expect_graphs(self) -> None:
        """Another training may begin: its first graphs are read as those of the first one were."""
        self._graphs_until = self._session.steps + _GRAPHS

    def finish(self) -> None:
        """Write the backward calls that stand for steps, if no optimiser has stepped."""
        s = self._session
        if s.steps == 0:
            if self._unstepped:
                s.gradients.clipped_after(self._unstepped[-1])
            self._flush_unstepped()
