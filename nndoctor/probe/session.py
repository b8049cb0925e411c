"""The state of the watched loop: who watches what, when a step is looked at, and what is summed up at the end.

What the patched points tell is told by four parts: `modules.py`, `objective.py`, `backward.py` and `stepping.py`, in the order of a
step. Each subject's own file does the measuring.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nndoctor.probe import stats
from nndoctor.probe.activations import ActivationWatch
from nndoctor.probe.backward import BackwardWatch
from nndoctor.probe.depth import deeper
from nndoctor.probe.evaluation import EvaluationWatch
from nndoctor.probe.forwards import Forwards
from nndoctor.probe.functions import FunctionWatch
from nndoctor.probe.gradients import GradientWatch
from nndoctor.probe.guards import Guards
from nndoctor.probe.holdout import HoldoutWatch
from nndoctor.probe.inputs import InputWatch
from nndoctor.probe.loop import Calls, Enough, Limits, looked_at
from nndoctor.probe.loss import LossWatch
from nndoctor.probe.modes import ModeWatch
from nndoctor.probe.modules import ModuleWatch
from nndoctor.probe.objective import Objective
from nndoctor.probe.operations import Operations
from nndoctor.probe.overlap import OverlapWatch
from nndoctor.probe.recurrence import RecurrenceWatch
from nndoctor.probe.registry import Registry
from nndoctor.probe.replicas import ReplicaWatch
from nndoctor.probe.stepping import StepWatch
from nndoctor.probe.terms import LossTerms
from nndoctor.probe.trainings import Trainings
from nndoctor.probe.values import ValueWatch, is_transformed
from nndoctor.probe.vocabulary import VocabularyWatch
from nndoctor.probe.weights import WeightWatch
from nndoctor.record.model import Problem

_MOST_TURNS = 4  # optimisers in turn that are looked at one after the other
_tracing: Callable[[], Any] = torch._C._get_tracing_state


class Session:
    """The watched loop, as its parts share it."""

    def __init__(self, emit: Callable[[Any], None], steps: int, seconds: float, grace: float, wait: float, stop: Callable[[str], None], run: int = 0) -> None:
        self.emit = emit
        self.off = False
        self._problems = 0
        self._thread: int | None = None
        self._begun = 0  # steps made before this training
        self.turns: set[tuple[int, ...]] = set()  # optimisers that have stepped together
        self.steps = self.backwards = self.forwards = 0
        self.transformed = 0  # points that were met inside a transform of torch.func
        self.depth = 0
        self.looking = False
        self.in_backward = self.in_loss = False
        self.pending = Forwards()
        self.later = stats.Later()
        self.registry = Registry(emit)
        self.trainings = Trainings(emit, run, stop)
        self.limits = Limits(steps, seconds, grace, wait, stop)
        self.calls = Calls()
        self.modules = ModuleWatch(self)
        self.objective = Objective(self)
        self.backward = BackwardWatch(self)
        self.stepping = StepWatch(self)
        self.operations = Operations(self)
        self.functions = FunctionWatch(self.operations.called, self.objective.past_its_wrapper)
        self.activations = ActivationWatch(emit, self.later)
        self.inputs = InputWatch(emit)
        self.losses = LossWatch(emit, self.later)
        self.terms = LossTerms(emit, self.registry, self.losses)
        self.gradients = GradientWatch(self.registry, self.later)
        self.guards = Guards(self)
        self.values = ValueWatch(self)
        self.holdout = HoldoutWatch(emit)
        self.vocabulary = VocabularyWatch(emit)
        self.overlap = OverlapWatch(emit)
        self.weights = WeightWatch(emit, self.registry, self.later)
        self.recurrence = RecurrenceWatch(emit, self.later, self.attempt)
        self.replicas = ReplicaWatch(self)
        self.evaluation = EvaluationWatch(emit, self.limits.validated)
        self.modes = ModeWatch(emit, self.registry)

    # --- no fault of ours is the script's ------------------------------------------------------------------------------

    def attempt(self, part: Callable[..., Any], *args: Any) -> Any:
        """Call a part of the watch, quietly. What it raises is written down and never reaches the script; after the third
        time the watch closes its eyes, and then calls nothing.
        """
        if self.off:
            return None
        try:
            with deeper(), stats.quiet():
                return part(*args)
        except Enough:
            return None
        except Exception as e:
            self._problems += 1
            if self._problems > 2:
                self.off = True
            self.emit(Problem(getattr(part, "__qualname__", str(part)), f"{type(e).__name__}: {e}"))
            return None

    # --- who and when --------------------------------------------------------------------------------------------------

    def mine(self) -> bool:
        """Whether this thread is the one that trains, the first that was seen calling a model, and computes numbers just now.

        Inside a transform of torch.func nothing is seen here: tensors stand for others there, and hold no numbers of their own. Nor
        is it while torch.jit traces: whatever the watch computed would be taken down as a part of the network.
        """
        if self.trainings.waiting:
            return False
        if is_transformed():
            self.transformed += 1
            return False
        if _tracing() is not None:
            return False
        thread = threading.get_ident()
        if self._thread is None:
            self._thread = thread
        return self._thread == thread

    def has_no_numbers(self, loss: Any) -> bool:
        """Whether a loss is on the meta device, which computes shapes only. Such training is noted, and not watched."""
        if not isinstance(loss, Tensor) or not loss.is_meta:
            return False
        self.calls.note("backward-on-meta")
        return True

    @property
    def steps_made(self) -> int:
        """Optimiser steps, or backward calls where no optimiser ever stepped."""
        return self.steps or self.backwards

    @property
    def now(self) -> int:
        """The step that is being made."""
        return (self.steps or self.backwards) + 1

    def is_looked_at(self, step: int) -> bool:
        """Whether a step is to be looked at closely: each training is as if it were the only one, and of optimisers that take
        turns as many steps in a row as there are, or every tenth step would be the same one's.
        """
        return any(looked_at(step - self._begun - k) for k in range(max(1, min(len(self.turns), _MOST_TURNS))))

    def begin_training(self) -> None:
        """Another training of the script begins: what was summed up by line or name so far is another network's."""
        self.stepping.close()
        self.evaluation.close()
        self.pending.clear()
        self._begun = self.steps
        self.turns.clear()
        self.registry.training = self.losses.training = self.trainings.current
        self.activations.forget()
        self.plan()

    def plan(self) -> None:
        """Look closely at the step that begins?"""
        self.looking = self.is_looked_at(self.now)
        if self.looking:
            self.activations.begin()
            self.operations.begin()
            self.recurrence.begin()
            self.functions.start()
        else:
            self.functions.stop()

    # --- the end -------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Write everything that is summed up. What fails to be summed up is named, and the rest goes on."""
        self.off = True
        self.functions.stop()
        with deeper(), stats.quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what numpy says of sums over NaN is no word for the script's output
            for part in (
                self.stepping.close, self.evaluation.close, self.registry.idle_optimizers, self.backward.finish, self.stepping.settle, self.weights.note_movement,
                self.activations.finish, self.inputs.finish, self.holdout.finish, self.vocabulary.finish, self.overlap.finish, self.replicas.finish, self.losses.finish, self.guards.finish, self.modes.finish, self._finish_calls, self.stepping.settle,
            ):  # fmt: skip
                try:
                    part()
                except Exception as e:
                    self.emit(Problem(getattr(part, "__qualname__", str(part)), f"{type(e).__name__}: {e}"))

    def _finish_calls(self) -> None:
        if self.transformed:
            self.calls.mark("torch.func")
        for call in self.calls.records():
            self.emit(call)
