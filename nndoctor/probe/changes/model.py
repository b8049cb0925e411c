"""Changes at the model: initial weights, dropout, batch norm, precision."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from nndoctor.probe.changes.base import Function, Intervention

_HALVES = (torch.float16, torch.bfloat16)


# A start between these, as a multiple of He's deviation, is a usual one: torch's own layers have 0.41.
_USUAL = (0.25, 2.0)
_FEW = 8  # numbers, whose deviation says little
_SMALL_BIAS = 1.0  # biases no larger than this shift no unit for good


class StandardInit(Intervention):
    """`init=standard`: He for layers, orthogonal for recurrent weights, biases 0; with a generator of its own.

    Parameters that have a usual start keep it: what a cure of the start is to show is that the start was at fault.
    """

    keeps_usual = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._generator = torch.Generator().manual_seed(0)
        self._done: set[int] = set()
        self._first_step = True

    def before_forward(self, module: nn.Module, args: Any, kwargs: Any, training: bool) -> tuple[Any, Any]:
        """Each model once, in its first training forward."""
        if training and id(module) not in self._done:
            self._done.update(id(m) for m in module.modules())
            with torch.no_grad():
                drawn = [part for part in module.modules() if self._layer(part)]
                # The last layer starts small, so that the first predictions are no bets.
                layers = [m for m in module.modules() if isinstance(m, nn.Linear) and m.weight.dim() == 2]
                if layers and layers[-1] in drawn:
                    self._uniform(layers[-1].weight, math.sqrt(3.0 / sum(layers[-1].weight.shape)))
        return args, kwargs

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Weights that belong to no module: drawn anew at the first step, which is forgone."""
        if not self._first_step:
            return
        in_modules = {id(p) for m in self.world.models for p in m.parameters()}
        free = [p for p in self.world.parameters() if id(p) not in in_modules]
        with torch.no_grad():
            for p in free:
                self._free(p)
                p.grad = None

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """From here on they are the run's own."""
        self._first_step = False

    def _layer(self, part: nn.Module) -> bool:
        """Draw a layer's own parameters; whether there was anything to draw."""
        drawn = False
        for name, p in part.named_parameters(recurse=False):
            if isinstance(p, nn.parameter.UninitializedTensorMixin):  # type: ignore[attr-defined]
                continue
            if self.keeps_usual and _is_usual(part, name, p):
                continue
            self.applied += 1
            drawn = True
            if "Norm" in type(part).__name__:
                p.fill_(1.0 if name == "weight" else 0.0)
            elif isinstance(part, (nn.Embedding, nn.EmbeddingBag)):
                self._normal(p, 1.0 / math.sqrt(p.shape[-1]))
                if part.padding_idx is not None:
                    p[part.padding_idx].zero_()
            elif isinstance(part, (nn.RNNBase, nn.RNNCellBase)):
                self._recurrent(name, p)
            elif "bias" in name:
                p.zero_()
            elif p.dim() >= 2 and isinstance(part, (nn.Linear, nn.modules.conv._ConvNd)):
                self._normal(p, math.sqrt(2.0 / max(math.prod(p.shape[1:]), 1)))
            elif p.dim() >= 2:
                self._uniform(p, math.sqrt(6.0 / (p.shape[-1] + p.shape[-2])))
        return drawn

    def _recurrent(self, name: str, p: Tensor) -> None:
        """Gate by gate; the forget gate's bias is left 0, as torch does."""
        if p.dim() < 2:
            p.zero_()
            return
        if "hh" in name:
            size = p.shape[1]
            for block in p.split(size):
                if block.shape == (size, size):
                    q, _ = torch.linalg.qr(torch.randn(size, size, generator=self._generator))
                    block.copy_(q)
            return
        self._uniform(p, math.sqrt(6.0 / (p.shape[0] / max(p.shape[0] // max(p.shape[1], 1), 1) + p.shape[1])))

    def _free(self, p: Tensor) -> None:
        if not p.is_floating_point() or p.numel() < 2:
            return
        self.applied += 1
        if p.dim() < 2:
            p.zero_()
        else:
            self._uniform(p, math.sqrt(6.0 / (p.shape[-1] + p.shape[-2])))

    def _normal(self, p: Tensor, deviation: float) -> None:
        p.copy_(torch.randn(p.shape, generator=self._generator) * deviation)

    def _uniform(self, p: Tensor, bound: float) -> None:
        p.copy_((torch.rand(p.shape, generator=self._generator) * 2 - 1) * bound)


class HeStart(StandardInit):
    """The same, whatever the start was."""

    keeps_usual = False


def _is_usual(part: nn.Module, name: str, p: Tensor) -> bool:
    """Whether a parameter starts as some standard scheme would have it."""
    if not p.is_floating_point() or not torch.isfinite(p).all():
        return not p.is_floating_point()
    if "Norm" in type(part).__name__:
        return bool((p == (1.0 if name == "weight" else 0.0)).all())
    if isinstance(part, (nn.Embedding, nn.EmbeddingBag)):
        return bool(0 < float(p.std()) <= 1.1)  # the words of torch's own have deviation 1
    if p.dim() < 2:
        return "bias" not in name or bool(p.abs().max() <= _SMALL_BIAS)
    if p.numel() < _FEW:
        return bool(p.abs().max() <= _SMALL_BIAS)
    if not isinstance(part, (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase, nn.RNNCellBase)):
        return bool(p.std() <= _SMALL_BIAS)  # a token, a position, a scale of its own: any small number will do
    if len(p) > 1 and bool((p == p[:1]).all()):
        return False  # all units alike
    deviation, mean = (float(v) for v in torch.std_mean(p, correction=0))
    low, high = _USUAL
    return abs(mean) <= deviation and any(low <= deviation / math.sqrt(2.0 / max(fan, 1)) <= high for fan in _fans(part, p))


def _fans(part: nn.Module, p: Tensor) -> list[int]:
    """What the schemes in use divide by: inputs; inputs and outputs; a convolution's outputs; a recurrent layer's state."""
    if isinstance(part, (nn.RNNBase, nn.RNNCellBase)):
        return [int(part.hidden_size), p.shape[1]]
    inputs, field = math.prod(p.shape[1:]), math.prod(p.shape[2:])
    return [inputs, inputs + len(p) * field, *([len(p) * field] if p.dim() > 2 else [])]


class NoDropout(Intervention):
    """`dropout=off`: functions, modules, and what recurrent and attention layers drop inside."""

    functions = True
    _names = frozenset({"dropout", "dropout_", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "feature_dropout"})

    def before_forward(self, module: nn.Module, args: Any, kwargs: Any, training: bool) -> tuple[Any, Any]:
        """Layers that drop out of a function's sight."""
        for m in module.modules():
            if isinstance(m, (nn.RNNBase, nn.MultiheadAttention)) and m.dropout:
                m.dropout = 0.0
                self.applied += 1
        return args, kwargs

    def function(self, name: str, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What comes in goes out."""
        if name in self._names:
            x = args[0] if args else kwargs.get("input")
            probability = args[1] if len(args) > 1 else kwargs.get("p", 0.5)
            training = args[2] if len(args) > 2 else kwargs.get("training", True)
            self.applied += bool(probability and training)
            return x
        if name == "scaled_dot_product_attention" and kwargs.get("dropout_p"):
            self.applied += 1
            return function(*args, **{**kwargs, "dropout_p": 0.0})
        return NotImplemented


class BatchStatistics(Intervention):
    """`norm=batch-statistics`."""

    functions = True

    def function(self, name: str, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The functional form is what the modules call; its running statistics stay as they are in validation."""
        if name != "batch_norm" or len(args) < 3:
            return NotImplemented
        names = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        if given.get("training"):
            return NotImplemented
        self.applied += 1
        return function(**{**given, "running_mean": None, "running_var": None, "training": True})


class Float32(Intervention):
    """`precision=float32`: whatever comes out of a function in half precision is widened, and autocast is off."""

    functions = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)

        def without(old: Any) -> Any:
            def __init__(mode: Any, *args: Any, **kwargs: Any) -> None:
                old(mode, *args, **kwargs)
                self.applied += bool(mode._enabled)
                mode._enabled = False

            return __init__

        def widened(old: Any) -> Any:
            def __new__(cls: Any, data: Any = None, requires_grad: bool = True) -> Any:
                if isinstance(data, Tensor) and data.dtype in _HALVES:  # from an array or a file, of which no function of torch's told
                    self.applied += 1
                    data = data.float()
                return old(cls, data, requires_grad)

            return __new__

        self.world.patches.replace(torch.amp.autocast_mode.autocast, "__init__", without)
        self.world.patches.replace(nn.Parameter, "__new__", widened)

    def function(self, name: str, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """No function makes a half."""
        if name in ("set_default_dtype", "_set_default_dtype") and args and args[0] in _HALVES:
            self.applied += 1
            return None
        result = function(*args, **kwargs)
        if isinstance(result, Tensor) and result.dtype in _HALVES:
            self.applied += 1
            return result.float()
        return result


class ShiftedSeed(Intervention):
    """`seed=N`: every seed that the script gives to torch is another one; weights, order and dropout change with it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)

        def shifted(old: Any) -> Any:
            def manual_seed(seed: int) -> torch.Generator:
                self.applied += 1
                made: torch.Generator = old(int(seed) + int(float(self.value)))
                return made

            return manual_seed

        for owner in (torch, torch.random):
            self.world.patches.replace(owner, "manual_seed", shifted)
