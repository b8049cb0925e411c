"""Changes at the loss: what it is given, and which one it is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nndoctor.probe import graph
from nndoctor.probe.changes.base import Function, Intervention

Call = tuple[str, Tensor, Tensor, dict[str, Any]]
_SQUARED = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})
_BINARY = frozenset({"binary_cross_entropy", "binary_cross_entropy_with_logits"})
_CLASSES = frozenset({"cross_entropy", "nll_loss"})
_DIFFERENCES = frozenset({"sub", "__sub__", "rsub", "__rsub__", "subtract"})
_TINY, _STEEP = 1e-7, 30.0


class ReshapedTarget(Intervention):
    """`target=reshaped`: in a loss function, or in a difference of prediction and target taken by hand."""

    functions = True

    def loss(self, name: str, prediction: Tensor, target: Tensor, kwargs: dict[str, Any]) -> Call:
        """Elementwise losses only: class codes have another shape by right."""
        if name not in _CLASSES and target.shape != prediction.shape and target.numel() == prediction.numel():
            self.applied += 1
            target = target.reshape(prediction.shape)
        return name, prediction, target, kwargs

    def function(self, name: str, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """[N, 1] against [N], outside of any model."""
        if name not in _DIFFERENCES or self.world.stack or len(args) < 2:
            return NotImplemented
        left, right = args[:2]
        if not (isinstance(left, Tensor) and isinstance(right, Tensor)) or left.shape == right.shape:
            return NotImplemented
        if left.numel() != right.numel() or left.numel() < 2 or {left.dim(), right.dim()} != {1, 2}:
            return NotImplemented
        self.applied += 1
        return function(left, right.reshape(left.shape), *args[2:], **kwargs)


class OtherLoss(Intervention):
    """`loss=cross-entropy` for squared error (or one binary loss a class) on classes; `loss=squared-error` for class losses on numbers."""

    def loss(self, name: str, prediction: Tensor, target: Tensor, kwargs: dict[str, Any]) -> Call:
        """The loss that suits the target."""
        other = self._to_classes(name, prediction, target) if self.value == "cross-entropy" else self._to_numbers(name, prediction, target)
        if other is None:
            return name, prediction, target, kwargs
        self.applied += 1
        return (*other, kwargs)

    def _to_classes(self, name: str, prediction: Tensor, target: Tensor) -> tuple[str, Tensor, Tensor] | None:
        if name not in _SQUARED | _BINARY:
            return None
        if prediction.dim() == 2 and prediction.shape[1] > 1 and prediction.shape == target.shape and _is_one_hot(target):
            return "cross_entropy", _logits(name, prediction), target.argmax(1)
        if name in _SQUARED and prediction.numel() == target.numel() and bool(((target == 0) | (target == 1)).all()):
            last = graph.op_of(prediction.grad_fn) if prediction.grad_fn is not None else ""
            squashed = "Sigmoid" in last or (prediction.grad_fn is None and bool(((prediction >= 0) & (prediction <= 1)).all()))
            return "binary_cross_entropy" if squashed else "binary_cross_entropy_with_logits", prediction, target.reshape(prediction.shape).to(prediction.dtype)
        return None

    def _to_numbers(self, name: str, prediction: Tensor, target: Tensor) -> tuple[str, Tensor, Tensor] | None:
        if name not in _CLASSES | _BINARY or prediction.numel() != target.numel() or _is_one_hot(target):
            return None
        return "mse_loss", prediction, target.reshape(prediction.shape).to(prediction.dtype)


def _is_one_hot(target: Tensor) -> bool:
    return target.dim() == 2 and target.shape[1] > 1 and bool(((target == 0) | (target == 1)).all()) and bool((target.sum(1) == 1).all())


def _logits(name: str, prediction: Tensor) -> Tensor:
    """What cross-entropy takes: probabilities are turned back."""
    last = graph.op_of(prediction.grad_fn) if prediction.grad_fn is not None else ""
    if last == "Softmax":
        return prediction.clamp_min(_TINY).log()
    if last == "Sigmoid" or name == "binary_cross_entropy":
        return torch.logit(prediction.clamp(_TINY, 1 - _TINY))
    return prediction


class NegatedLoss(Intervention):
    """`loss=negated`."""

    def before_backward(self, loss: Tensor) -> Tensor:
        """The other way."""
        self.applied += 1
        return -loss


class StableLoss(Intervention):
    """`loss=stable`: logarithms, roots, exponentials and quotients keep clear of where they or their slopes are infinite."""

    functions = True

    def function(self, name: str, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """In losses and in the user's own modules; torch's own layers know what they do."""
        stack = self.world.stack
        if not args or (stack and type(stack[-1]).__module__.startswith("torch.")):
            return NotImplemented
        kept = self._kept(name.strip("_"), args)
        if kept is None:
            return NotImplemented
        self.applied += 1
        return function(*kept, **kwargs)

    def _kept(self, name: str, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        x = args[0]
        if name in ("truediv", "div", "true_divide", "divide") and len(args) > 1:
            d = args[1]
            if isinstance(d, Tensor) and d.is_floating_point() and d.requires_grad:
                far = torch.where(d.abs() < _TINY, torch.where(d < 0, -_TINY, _TINY).to(d.dtype), d)
                return (x, far, *args[2:])
            return None
        if not isinstance(x, Tensor) or not x.is_floating_point() or not x.requires_grad:
            return None
        if name in ("log", "log2", "log10", "sqrt", "rsqrt"):
            return (x.clamp_min(_TINY), *args[1:])
        if name in ("exp", "exp2", "cosh", "sinh"):
            return (x.clamp(-_STEEP, _STEEP), *args[1:])
        if name == "pow" and len(args) > 1 and isinstance(args[1], float) and args[1] < 1:
            return (x.clamp_min(_TINY), *args[1:])
        return None


class WeightedClasses(Intervention):
    """`classes=weighted`: by the frequencies seen so far."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._counts: Tensor | None = None

    def loss(self, name: str, prediction: Tensor, target: Tensor, kwargs: dict[str, Any]) -> Call:
        """Weights for class losses, the weight of positives for binary ones."""
        if not prediction.requires_grad:
            return name, prediction, target, kwargs
        if name in _CLASSES and not target.is_floating_point() and prediction.dim() >= 2:
            weight = self._seen(target[target >= 0], int(prediction.shape[1]))
            kwargs = {**kwargs, "weight": weight.to(prediction)}
        elif name in _BINARY and target.is_floating_point():
            weight = self._seen(target.reshape(-1).round().long().clamp(0, 1), 2)
            if name == "binary_cross_entropy_with_logits":
                kwargs = {**kwargs, "pos_weight": (weight[1] / weight[0]).to(prediction)}
            else:
                kwargs = {**kwargs, "weight": torch.where(target > 0.5, weight[1], weight[0]).to(prediction)}
        else:
            return name, prediction, target, kwargs
        self.applied += 1
        return name, prediction, target, kwargs

    def _seen(self, classes: Tensor, width: int) -> Tensor:
        counts = torch.bincount(classes.reshape(-1), minlength=width).double()
        self._counts = counts if self._counts is None or len(self._counts) != len(counts) else self._counts + counts
        there = self._counts > 0
        return torch.where(there, self._counts.sum() / (there.sum() * self._counts.clamp_min(1)), 1.0)


class ShuffledLabels(Intervention):
    """`labels=shuffled`: a control. Targets of a training batch are permuted among its samples."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._generator = torch.Generator().manual_seed(0)

    def loss(self, name: str, prediction: Tensor, target: Tensor, kwargs: dict[str, Any]) -> Call:
        """Any of them but its own."""
        if prediction.requires_grad and target.dim() and len(target) > 1:
            self.applied += 1
            target = target[torch.randperm(len(target), generator=self._generator).to(target.device)]
        return name, prediction, target, kwargs
