"""Steps of the optimisers: where each begins and ends, and what is written of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nndoctor.probe.identity import IdentityTable
from nndoctor.probe.registry import group_settings
from nndoctor.probe.targets import Quality
from nndoctor.record.model import SettingChange, Step

if TYPE_CHECKING:
    from nndoctor.probe.session import Session

_SETTLE_EVERY = 0.5  # seconds


class StepWatch:
    """Tells every part of the watch what it wants to know of a step. One step may be that of several optimisers."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.inside = False  # an optimiser is stepping
        self._open: Step | None = None
        self._stepper: torch.optim.Optimizer | None = None  # of a first step, until its closure has called the model
        self._steppers: IdentityTable[torch.optim.Optimizer, None] = IdentityTable()
        self._last_settled = time.perf_counter()

    def before(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimiser is about to step."""
        s = self._session
        if optimizer not in s.registry.optimizers:
            s.backward.expect_graphs()
            s.modules.ran.clear()
            s.registry.has_optimizer = True  # where it was built before the watch began
            s.trainings.hold(optimizer)
        self.inside = True
        if s.forwards or s.backwards:
            s.registry.optimizer(optimizer)
        else:  # a closure is about to call the model for the first time, which names the parameters
            self._stepper = optimizer
        if s.looking:
            s.weights.before_step(s.is_looked_at(s.steps + 2))

    def after(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimiser has stepped."""
        s = self._session
        self.inside = False
        self._stepper = None
        s.calls.note("step")
        new = self._open is None or s.backward.made.calls > 0 or optimizer in self._steppers
        if new:
            self.close()
            self._open_step()
        assert self._open is not None
        self._steppers[optimizer] = None
        s.gradients.at_step(optimizer, self._open, s.looking)
        self._note_settings(optimizer)
        if s.looking:
            s.replicas.keep_gradients(optimizer)
            s.weights.after_step(set(s.registry.optimizer(optimizer).indices))
        elif s.is_looked_at(s.steps + 1):
            s.weights.keep_gradients()
        if not s.forwards and len(s.registry.optimizers) == 1:
            self.close()  # no call of a model will tell that the next step begins

    def register_stepper(self) -> None:
        """The model that a first closure calls is known by now."""
        s = self._session
        stepper, self._stepper = self._stepper, None
        if stepper is not None:
            s.registry.optimizer(stepper)

    def _open_step(self) -> None:
        s = self._session
        s.steps += 1
        made = s.backward.take()
        step = self._open = Step(s.steps, s.limits.elapsed, backwards=made.calls, wasted=made.wasted)
        self._steppers.clear()
        if s.steps == 1:
            s.losses.quality = s.backward.quality
        if not made.losses and made.calls == 0 and s.losses.last_value is not None:
            made.losses.append(s.losses.last_value)
        self.fill(step, made.losses)
        if 1 < len(made.losses) == made.evaluations:
            s.later.add(made.losses, step.evaluations.extend)

    def fill(self, step: Step, losses: list[Tensor]) -> None:
        """What is known of a step at its beginning: its forward, and the values that backward was called on (each 0-d)."""
        s = self._session
        if s.pending.calls:
            last = s.pending.calls[-1]
            step.training = last.training
            step.batch = last.rows
        if s.pending.input_sum is not None:
            s.later.add([s.pending.input_sum], lambda v: setattr(step, "input_sum", v[0]))
        if losses:
            s.later.add(losses, lambda v: setattr(step, "loss", sum(v) / len(v)))

    def _note_settings(self, optimizer: torch.optim.Optimizer) -> None:
        s = self._session
        state = s.registry.optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if i >= len(state.settings):
                state.settings.append({})
            known = state.settings[i]
            rate = group.get("lr")
            if not s.looking and not isinstance(rate, Tensor) and rate == known.get("lr"):
                continue
            now = group_settings(group)
            changed = {k: v for k, v in now.items() if known.get(k) != v}
            if changed:
                state.settings[i] = now
                s.emit(SettingChange(s.steps, state.index, i, changed))

    def close(self) -> None:
        """What comes next belongs to the next step: write this one."""
        s = self._session
        step, self._open = self._open, None
        if step is None:
            return
        s.turns.add(tuple(step.optimizers))
        if s.looking:
            s.functions.stop()
            s.weights.close(step.index, s.losses.quality)
            s.replicas.close(step.index)
        s.later.add([], lambda _: s.emit(step))
        s.losses.quality = Quality()
        s.pending.clear()
        s.losses.last_value = None
        now = time.perf_counter()
        if s.looking or now - self._last_settled > _SETTLE_EVERY:
            self.settle()
        s.limits.made(s.steps)
        s.plan()

    def settle(self) -> None:
        """Fetch the numbers that wait on the device."""
        self._last_settled = time.perf_counter()
        self._session.later.settle()
