"""What the patched points tell, put together step by step; each subject's own file does the measuring."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from nndoctor.probe import stats
from nndoctor.probe.activations import ActivationWatch
from nndoctor.probe.depth import deeper
from nndoctor.probe.evaluation import EvaluationWatch
from nndoctor.probe.forwards import Forward, Forwards, is_tiny
from nndoctor.probe.functions import FunctionWatch, first_tensor, tensors_in
from nndoctor.probe.gradients import GradientWatch
from nndoctor.probe.guards import Guards
from nndoctor.probe.holdout import HoldoutWatch
from nndoctor.probe.identity import IdentityTable
from nndoctor.probe.inputs import InputWatch
from nndoctor.probe.loop import Calls, Enough, Limits, looked_at
from nndoctor.probe.loss import BINARY_LOSSES, CLASS_LOSSES, REAL_LOSSES, SYMMETRIC, LossWatch, Quality
from nndoctor.probe.modes import ModeWatch
from nndoctor.probe.operations import Operations
from nndoctor.probe.overlap import OverlapWatch
from nndoctor.probe.recurrence import RecurrenceWatch
from nndoctor.probe.registry import Model, Registry, group_settings
from nndoctor.probe.replicas import ReplicaWatch
from nndoctor.probe.terms import LossTerms
from nndoctor.probe.trainings import Trainings
from nndoctor.probe.values import ValueWatch, is_transformed
from nndoctor.probe.weights import WeightWatch
from nndoctor.probe.where import user_place
from nndoctor.record.model import Place, Problem, Sequence, SettingChange, Step

_HELD_BACK = 64  # backward calls without any step before they are taken for steps themselves
_SETTLE_EVERY = 0.5  # seconds
_GRAPHS = 40  # steps of an optimiser within which graphs are read
_MOST_TURNS = 4  # optimisers in turn that are looked at one after the other
_tracing: Callable[[], Any] = torch._C._get_tracing_state
_SEQUENTIAL = (nn.RNNBase, nn.MultiheadAttention)


class Session:
    """The state of the watched loop."""

    def __init__(self, emit: Callable[[Any], None], steps: int, seconds: float, grace: float, stop: Callable[[str], None], run: int = 0) -> None:
        self.emit = emit
        self.off = False
        self._problems = 0
        self._compared = False  # without an optimiser: weights were copied at the last backward call
        self._graphs_until = _GRAPHS
        self.later = stats.Later()
        self.registry = Registry(emit)
        self.trainings = Trainings(emit, run, stop)
        self.limits = Limits(steps, seconds, grace, stop)
        self.calls = Calls()
        self.operations = Operations(self)
        self.functions = FunctionWatch(self.operations.called, self._loss_past_its_wrapper)
        self.activations = ActivationWatch(emit, self.later)
        self.inputs = InputWatch(emit)
        self.losses = LossWatch(emit, self.later)
        self.terms = LossTerms(emit, self.registry, self.losses)
        self.gradients = GradientWatch(self.registry, self.later)
        self.guards = Guards(self)
        self.values = ValueWatch(self)
        self.holdout = HoldoutWatch(emit)
        self.overlap = OverlapWatch(emit)
        self._sequences: set[int] = set()
        self.weights = WeightWatch(emit, self.registry, self.later)
        self.recurrence = RecurrenceWatch(emit, self.later, self.attempt)
        self.replicas = ReplicaWatch(self)
        self.evaluation = EvaluationWatch(emit)
        self.steps = self.backwards = self.forwards = 0
        self.transformed = 0  # points that were met inside a transform of torch.func
        self.depth = 0
        self._begun = 0  # steps made before this training
        self._turns: set[tuple[int, ...]] = set()  # optimisers that have stepped together
        self.looking = False
        self.in_backward = self.in_loss = self._in_step = False
        self._thread: int | None = None
        self._stack: list[tuple[nn.Module, str]] = []
        self._root: Model | None = None
        self.pending = Forwards()
        self._open: Step | None = None
        self._stepper: torch.optim.Optimizer | None = None  # of a first step, until its closure has called the model
        self._steppers: IdentityTable[torch.optim.Optimizer, None] = IdentityTable()
        self._unstepped: list[Step] = []
        self._held_quality = Quality()
        self._since_step = self._wasted = self._evaluations = 0
        self._loss_values: list[Tensor] = []
        self._turned: dict[str, bool] = {}  # whether a loss function was last given its target first
        self.ran: set[str] = set()
        self.modes = ModeWatch(emit, self.registry)
        self._last_settled = time.perf_counter()
        self._evaluated_at: list[int] = []

    # --- no fault of ours is the script's ------------------------------------------------------------------------

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

    # --- who and when -----------------------------------------------------------------------------------------

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

    @property
    def innermost(self) -> tuple[nn.Module | None, str]:
        """The module that is being called, and its name in the model that it belongs to."""
        return self._stack[-1] if self._stack else (None, "")

    def _is_looked_at(self, step: int) -> bool:
        """Whether a step is to be looked at closely: each training is as if it were the only one, and of optimisers that take
        turns as many steps in a row as there are, or every tenth step would be the same one's.
        """
        return any(looked_at(step - self._begun - k) for k in range(max(1, min(len(self._turns), _MOST_TURNS))))

    def begin_training(self) -> None:
        """Another training of the script begins: what was summed up by line or name so far is another network's."""
        self._close_step()
        self.evaluation.close()
        self.pending.clear()
        self._begun = self.steps
        self._turns.clear()
        self.registry.training = self.losses.training = self.trainings.current
        self.activations.forget()
        self._plan()

    def _plan(self) -> None:
        """Look closely at the step that begins?"""
        self.looking = self._is_looked_at(self.now)
        if self.looking:
            self.activations.begin()
            self.operations.begin()
            self.recurrence.begin()
            self.functions.start()
        else:
            self.functions.stop()

    # --- forward ----------------------------------------------------------------------------------------------

    def enter(self, module: nn.Module, args: tuple[Any, ...] = ()) -> None:
        """A module inside another, in a step that is looked at."""
        name = ""
        if self._root is not None:
            name = self._root.names.get(id(module)) or self.registry.stray(module, self._root) or self._root.name
        self._stack.append((module, name))
        if isinstance(module, _SEQUENTIAL) and id(module) not in self._sequences and torch.is_grad_enabled():
            self._note_sequence(module, name, args)
        if module._parameters:
            self.ran.add(name)

    def _note_sequence(self, module: nn.Module, name: str, args: tuple[Any, ...]) -> None:
        """Which axis does it take for time?"""
        self._sequences.add(id(module))
        x = args[0] if args else None
        if isinstance(x, Tensor) and x.dim() == 3 and not getattr(module, "batch_first", True):
            self.emit(Sequence(name, type(module).__name__, list(x.shape), self.registry.built.get(module)))

    def leave(self) -> str:
        """... is left again. Returns its name."""
        return self._stack.pop()[1]

    def left(self, module: nn.Module, name: str, args: tuple[Any, ...], output: Any) -> None:
        """... and has returned."""
        if self.looking and torch.is_grad_enabled():
            self.attempt(self.recurrence.left, module, name, args, output, self.registry.built.get(module))

    def root_call(self, call: Any, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A module called from outside any other."""
        gradients = torch.is_grad_enabled()
        model: Model | None = self.attempt(self._before_root, module, gradients)
        self._root = model
        if gradients and model is not None and module._parameters:
            self.ran.add(model.name)
        self._stack = [(module, model.name if model is not None else type(module).__name__)]
        self.depth += 1
        try:
            with deeper():
                output = call(module, *args, **kwargs)
        finally:
            self.depth -= 1
            self._root = None
            self._stack = []
        if model is not None and model.has_parameters:
            given = [t for t in tensors_in([args, kwargs]) if stats.is_readable(t)]
            self.attempt(self._after_forward, model, module, given, output, gradients)
        return output

    def _before_root(self, module: nn.Module, gradients: bool) -> Model | None:
        model = self.registry.model(module)
        if model is not None and model.is_meta:
            return None
        self._register_stepper()
        if model is not None and model.has_parameters:
            self._before_forward(gradients)
            if not gradients:
                self.modes.before_evaluation(model, module)
        return model

    def _before_forward(self, gradients: bool) -> None:
        self._close_step()
        if not self.backwards:
            self.weights.remember_first()
        if not gradients:
            if not self._is_routine():
                self.functions.start()
            return
        self.evaluation.close()
        self.limits.begin()
        if not self.forwards:
            self._plan()
            if self._in_step and self.looking:
                self.weights.before_step(self._is_looked_at(self.steps + 2))
        self.forwards += 1

    def _is_routine(self) -> bool:
        """Forwards without gradient in nearly every step are a part of training (a target network), no validation."""
        recent = self._evaluated_at[-20:]
        return len(recent) == 20 and recent[-1] - recent[0] < 25 and not self._is_looked_at(self.now)

    def _after_forward(self, model: Model, module: nn.Module, given: list[Tensor], output: Any, gradients: bool) -> None:
        x = given[0] if given else None
        rows = stats.batch_size(x) if x is not None else None
        self.calls.note("forward" if gradients else "evaluate")
        if not gradients:
            self.modes.after_evaluation()
            if not self.evaluation.open:
                self._evaluated_at.append(self.steps)
            if not self._is_routine():
                self.evaluation.forward(self.steps, model.index, module.training, first_tensor(output), rows, user_place())
                self.holdout.saw(model.index, given)
                self.overlap.evaluated(model.index, given)
            return
        self.pending.calls.append(Forward(model.index, module.training, rows, []))
        if not module.training:
            self.calls.trained_evaluating()
        self.pending.fed += sum(map(_is_input, given))
        (self.overlap.trained if module.training else self.overlap.undecided)(model.index, given)
        self.registry.given(given)
        if x is not None and x.numel() and self.pending.input_sum is None and not x.is_complex():
            self.pending.input_sum = x.detach().sum()
        if x is not None and (self.looking or self.steps < 20 or is_tiny(rows)):
            columns = self.inputs.saw(model.index, given)
            if self.pending.rows is None:
                self.pending.rows, self.pending.raw = columns, self.inputs.raw
        if self.looking:
            self.modes.note(model, module, self.now)

    # --- loss -------------------------------------------------------------------------------------------------

    def loss_called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any, place: Place | None = None) -> None:
        """One of torch's loss functions was called: just now, or at `place`."""
        prediction = args[0] if args else kwargs.get("input")
        target = args[1] if len(args) > 1 else kwargs.get("target")
        if not (isinstance(prediction, Tensor) and isinstance(target, Tensor) and isinstance(value, Tensor)):
            return
        if not all(stats.is_readable(t) for t in (prediction, target, value)):
            return
        if name in SYMMETRIC and prediction.requires_grad != target.requires_grad:
            self._turned[name] = target.requires_grad
        if self._turned.get(name):
            prediction, target = target, prediction  # the same number either way round; without gradients as it was with them
        rows = stats.batch_size(prediction) or 1
        if not torch.is_grad_enabled() or (not value.requires_grad and self.evaluation.open):
            self.attempt(self._evaluation_loss, name, prediction, target, value, rows)
        elif value.requires_grad or self.pending.calls:  # else a baseline computed before or between: nothing that is trained
            self.attempt(self._train_loss, name, prediction, target, value, kwargs, rows, place)

    def _loss_past_its_wrapper(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> None:
        """A loss function was called in a step that is looked at, perhaps by a name that is older than the watch."""
        if not self.off and not self.in_loss and self.mine():
            with deeper():
                self.loss_called(name, args, kwargs, value)

    def _evaluation_loss(self, name: str, prediction: Tensor, target: Tensor, value: Tensor, rows: int) -> None:
        self.evaluation.loss(name, value, rows)
        if name in CLASS_LOSSES:
            self.evaluation.classified(prediction, target)
        elif name in REAL_LOSSES:
            self.evaluation.scored(prediction, target)

    def _train_loss(self, name: str, prediction: Tensor, target: Tensor, value: Tensor, kwargs: dict[str, Any], rows: int, place: Place | None) -> None:
        self.calls.note("loss")
        if self.pending.calls and not self.pending.calls[-1].training and len(self.pending.calls[-1].losses) < 64:
            self.pending.calls[-1].losses.append((name, value.detach().mean().clone(), rows))
        known = name in CLASS_LOSSES or name in BINARY_LOSSES or name in REAL_LOSSES or name == "kl_div"
        if place is None:
            place = user_place() if self.looking or self.steps < 3 else self.terms.last_place(name)
        source = self.operations.source(target)
        look = (self.looking or self.steps < 20 or self.pending.is_tiny) and known
        info = self.losses.called(name, place, prediction, target, value, kwargs, self.now, look, self.pending.seen, source)
        self.pending.fed = 0
        if info is not None and value.requires_grad:
            self.terms.note(info, prediction)

    # --- backward ---------------------------------------------------------------------------------------------

    @contextmanager
    def backward(self, loss: Tensor, by_value: bool = False) -> Iterator[None]:
        """Around one backward call, or around one that hands its gradients out as values."""
        self.attempt(self._before_backward, loss, by_value)
        self.in_backward = True
        self.depth += 1
        looking, self.looking = self.looking, False
        try:
            yield
        except BaseException:
            self._unstepped = [s for s in self._unstepped if s.index <= self.backwards]  # not this one
            raise
        finally:
            self.in_backward = False
            self.depth -= 1
            self.looking = looking
        if self.off:  # from here on
            return
        self.backwards += 1
        self._since_step += 1
        if looking:
            self.attempt(self.gradients.after_backward)
            self.attempt(self.recurrence.after_backward, self.now)
        if self.steps == 0:
            self.attempt(self._plan)

    def _before_backward(self, loss: Tensor, by_value: bool) -> None:
        self._close_step()
        self._register_stepper()
        self.evaluation.close()
        self.limits.begin()
        self.limits.before_backward()
        self.calls.note("backward")
        self._reclassify()
        if not self.backwards:
            self.replicas.start()
            self.overlap.begin()
        if self._since_step == 0 or self.steps == 0:
            self.gradients.before_first_backward()
        elif not self._in_step and not by_value and self.gradients.none_left():  # a closure clears and computes anew as often as it likes
            self._wasted += 1
        self._evaluations += self._in_step
        source = self.losses.last_source
        if source is not None and source() is loss and self.losses.last_value is not None:
            self._loss_values.append(self.losses.last_value)
        elif loss.numel() == 1:
            self._loss_values.append(loss.detach().clone() if loss.dim() == 0 else loss.detach().reshape(()).clone())
        self.losses.last_source = None
        early = self._since_step < 4 or not self.registry.optimizers  # of several calls a step; without optimisers each is one
        if self._is_looked_at(self.now) and (self.now <= self._graphs_until or self.terms.cheap) and early and loss.grad_fn is not None:
            outputs, gates = self.terms.read(loss, self.now, self.calls.place("backward"), self.looking, self.pending.seen)
            self.activations.output_sites |= outputs
            self.activations.gates |= gates
        if self.steps == 0:
            if self._is_looked_at(self.now):
                self.weights.remember_first()
                self.weights.note_movement()
            self._hold_back()

    def _reclassify(self) -> None:
        """Forwards in eval mode that were followed by ones in training mode were a validation with gradients on."""
        validated = bool(self.pending.calls) and self.pending.calls[-1].training
        self.overlap.decide(validated)
        if validated:
            for f in self.pending.take_out_evaluating():
                self.evaluation.forward(self.steps, f.model, False, None, f.rows, None, gradients=True)
                for name, value, rows in f.losses:
                    self.evaluation.loss(name, value, rows)
            self.evaluation.close()

    def _hold_back(self) -> None:
        """No optimiser has stepped so far: keep each backward call as a step in case none ever does."""
        if self._unstepped:
            self.gradients.clipped_after(self._unstepped[-1])
        if self.backwards >= _HELD_BACK:
            self._flush_unstepped()
            self.limits.made(self.backwards + 1)
        if self._compared:
            self.weights.close(self.backwards, self._held_quality)
            self.replicas.close(self.backwards)
        self._compared = self.looking and not self.registry.optimizers
        if self._compared:
            self.weights.before_step()
        self._held_quality, self.losses.quality = self.losses.quality, Quality()  # of the call that begins; its weights move after it
        step = Step(self.backwards + 1, self.limits.elapsed)
        self._fill_forward(step)
        self._settle_loss(step, self._loss_values[-1:])
        if not self.registry.optimizers:
            self.gradients.without_optimizer(step)
        self._unstepped.append(step)
        if self.backwards:
            self.pending.clear()

    def _flush_unstepped(self) -> None:
        for step in self._unstepped:
            self.later.add([], lambda _, s=step: self.emit(s))  # type: ignore[misc]
        self._unstepped = []
        self._settle()

    # --- step -------------------------------------------------------------------------------------------------

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimiser is about to step."""
        if optimizer not in self.registry.optimizers:
            self._graphs_until = self.steps + _GRAPHS  # another training may begin here
            self.ran.clear()
            self.registry.has_optimizer = True  # where it was built before the watch began
            self.trainings.hold(optimizer)
        self._in_step = True
        if self.forwards or self.backwards:
            self.registry.optimizer(optimizer)
        else:  # a closure is about to call the model for the first time, which names the parameters
            self._stepper = optimizer
        if self.looking:
            self.weights.before_step(self._is_looked_at(self.steps + 2))

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimiser has stepped."""
        self._in_step = False
        self._stepper = None
        self.calls.note("step")
        new = self._open is None or self._since_step > 0 or optimizer in self._steppers
        if new:
            self._close_step()
            self._open_step()
        assert self._open is not None
        self._steppers[optimizer] = None
        self.gradients.at_step(optimizer, self._open, self.looking)
        self._note_settings(optimizer)
        if self.looking:
            self.replicas.keep_gradients(optimizer)
            self.weights.after_step(set(self.registry.optimizer(optimizer).indices))
        elif self._is_looked_at(self.steps + 1):
            self.weights.keep_gradients()
        if not self.forwards and len(self.registry.optimizers) == 1:
            self._close_step()  # no call of a model will tell that the next step begins

    def _register_stepper(self) -> None:
        """The model that a first closure calls is known by now."""
        stepper, self._stepper = self._stepper, None
        if stepper is not None:
            self.registry.optimizer(stepper)

    def _open_step(self) -> None:
        self.steps += 1
        self._unstepped = []
        step = self._open = Step(self.steps, self.limits.elapsed, backwards=self._since_step, wasted=self._wasted)
        self._steppers.clear()
        self._fill_forward(step)
        values = self._loss_values
        if not values and self._since_step == 0 and self.losses.last_value is not None:
            values = [self.losses.last_value]
        self._settle_loss(step, values)
        if 1 < len(values) == self._evaluations:
            self.later.add(values, step.evaluations.extend)
        self._loss_values = []
        self._since_step = self._wasted = self._evaluations = 0

    def _fill_forward(self, step: Step) -> None:
        if self.pending.calls:
            last = self.pending.calls[-1]
            step.training = last.training
            step.batch = last.rows
        if self.pending.input_sum is not None:
            total = self.pending.input_sum
            self.later.add([total], lambda v: setattr(step, "input_sum", v[0]))

    def _settle_loss(self, step: Step, values: list[Tensor]) -> None:
        if values:
            self.later.add(values, lambda v: setattr(step, "loss", sum(v) / len(v)))

    def _note_settings(self, optimizer: torch.optim.Optimizer) -> None:
        state = self.registry.optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if i >= len(state.settings):
                state.settings.append({})
            known = state.settings[i]
            rate = group.get("lr")
            if not self.looking and not isinstance(rate, Tensor) and rate == known.get("lr"):
                continue
            now = group_settings(group)
            changed = {k: v for k, v in now.items() if known.get(k) != v}
            if changed:
                state.settings[i] = now
                self.emit(SettingChange(self.steps, state.index, i, changed))

    def _close_step(self) -> None:
        """What comes next belongs to the next step: write this one."""
        step, self._open = self._open, None
        if step is None:
            return
        self._turns.add(tuple(step.optimizers))
        if self.looking:
            self.functions.stop()
            self.weights.close(step.index, self.losses.quality)
            self.replicas.close(step.index)
        self.later.add([], lambda _: self.emit(step))
        self.losses.quality = Quality()
        self.pending.clear()
        self.losses.last_value = None
        now = time.perf_counter()
        if self.looking or now - self._last_settled > _SETTLE_EVERY:
            self._settle()
        self.limits.made(self.steps)
        self._plan()

    def _settle(self) -> None:
        self._last_settled = time.perf_counter()
        self.later.settle()

    # --- the end ----------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Write everything that is summed up. What fails to be summed up is named, and the rest goes on."""
        self.off = True
        self.functions.stop()
        with deeper(), stats.quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what numpy says of sums over NaN is no word for the script's output
            for part in (
                self._close_step, self.evaluation.close, self.registry.idle_optimizers, self._finish_unstepped, self._settle, self.weights.note_movement,
                self.activations.finish, self.inputs.finish, self.holdout.finish, self.overlap.finish, self.replicas.finish, self.losses.finish, self.guards.finish, self.modes.finish, self._finish_calls, self._settle,
            ):  # fmt: skip
                try:
                    part()
                except Exception as e:
                    self.emit(Problem(getattr(part, "__qualname__", str(part)), f"{type(e).__name__}: {e}"))

    def _finish_unstepped(self) -> None:
        if self.steps == 0:
            if self._unstepped:
                self.gradients.clipped_after(self._unstepped[-1])
            self._flush_unstepped()

    def _finish_calls(self) -> None:
        if self.transformed:
            self.calls.mark("torch.func")
        for call in self.calls.records():
            self.emit(call)


def _is_input(tensor: Tensor) -> bool:
    """Whether a tensor that a model is called with is a batch of data of its own; not what another model made, a state or a mask."""
    return tensor.dim() >= 2 and tensor.is_floating_point() and not tensor.requires_grad
