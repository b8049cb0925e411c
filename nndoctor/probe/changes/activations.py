"""Changes at activations. The first training forward runs as it is and shows which of them are hidden, which form the
output, and which are gates or attention weights; from the first backward call on the hidden ones are others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nndoctor.probe import graph
from nndoctor.probe.changes.base import Function, Intervention, Key
from nndoctor.probe.changes.model import HeStart

_MARK = "nndoctor.change"
_SQUASHING = frozenset({"sigmoid", "tanh", "softmax", "softsign", "hardtanh", "hardsigmoid", "logsigmoid", "softmin", "tanhshrink", "erf", "sin"})
_RECTIFYING = frozenset({"relu", "relu6", "threshold", "clamp_min", "clamp"})
_OTHERS = frozenset({"gelu", "silu", "elu", "leaky_relu", "selu", "celu", "mish", "softplus", "hardswish", "prelu", "rrelu", "log_softmax"})
_ACTIVATIONS = _SQUASHING | _RECTIFYING | _OTHERS
_PRODUCTS = frozenset({"mul", "multiply", "addcmul"})
_MATRIX = frozenset({"matmul", "bmm", "einsum", "baddbmm"})
# Keep the values of what they are given, so that a gate is a gate behind them too.
_PASSING = frozenset({"dropout", "view", "reshape", "transpose", "permute", "contiguous", "unsqueeze", "expand", "squeeze", "to", "masked_fill", "flatten", "chunk", "expand_as"})
_REPLACED = {"relu": _SQUASHING, "gelu": _SQUASHING | _RECTIFYING, "leaky_relu": _RECTIFYING, "tanh": _RECTIFYING | _OTHERS - {"log_softmax"}}
_WITH: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu, "leaky_relu": lambda x: F.leaky_relu(x, 0.1), "tanh": torch.tanh}
_BATCH = 8  # samples from which their statistics mean something


def _plain(name: str) -> str:
    """`relu` for relu_, `mul` for __mul__ and __rmul__."""
    name = name.strip("_")
    return {"rmul": "mul", "imul": "mul", "rmatmul": "matmul"}.get(name, name)


class _Sites(Intervention):
    """Learns what each activation of a forward is for."""

    functions = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.learnt = False
        self.output: set[Key] = set()
        self.gates: set[Key] = set()
        self._site: Key | None = None

    def function(self, name: str, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Activations are named by their site, and once learnt handed to `changed`."""
        self._site = None
        plain = _plain(name)
        if plain not in _ACTIVATIONS or not args or not isinstance(args[0], Tensor) or not _is_activation(plain, args, kwargs):
            return NotImplemented
        site = self._site = self.world.site(plain)
        if not self.learnt:
            return NotImplemented
        result = self.changed(plain, site, function, args, kwargs)
        if result is not NotImplemented and name.endswith("_") and not name.startswith("__"):
            args[0].copy_(result)  # in place: others may hold it
            return args[0]
        return result

    def changed(self, name: str, site: Key, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of an activation, or NotImplemented where it stays."""
        return NotImplemented

    def made(self, name: str, args: tuple[Any, ...], result: Any) -> None:
        """Follow what becomes of an activation's result in the forward that runs as it is."""
        site, self._site = self._site, None
        if self.learnt or not isinstance(result, Tensor) or result.grad_fn is None:
            return
        plain = _plain(name)
        if site is not None:
            _mark(result, site)
        elif plain in _PASSING and args and (carried := _mark_of(args[0])) is not None:
            _mark(result, carried)
        elif plain in _PRODUCTS and len(args) > 1 and all(isinstance(a, Tensor) and a.grad_fn is not None for a in args[-2:]):
            self.gates.update(m for a in args[-2:] if (m := _mark_of(a)) is not None)
        elif plain in _MATRIX and len(args) > 1:
            self._attention(args)

    def _attention(self, args: tuple[Any, ...]) -> None:
        """Weights that multiply another signal, and no parameter."""
        left, right = args[-2:]
        if not (isinstance(left, Tensor) and isinstance(right, Tensor)) or right.grad_fn is None or graph.leaf_of(right.grad_fn) is not None:
            return
        mark = _mark_of(left)
        if mark is not None and mark[1] in ("softmax", "sigmoid"):
            self.gates.add(mark)

    def before_backward(self, loss: Tensor) -> Tensor:
        """Everything between the loss and the last layer forms the output."""
        if not self.learnt and loss.grad_fn is not None:
            self.output = _sites_before_layers(loss.grad_fn)
            self.learnt = True
        return loss


def _is_activation(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """`clamp` is one where it cuts at zero only."""
    if name == "clamp":
        low, high = (args[1] if len(args) > 1 else kwargs.get("min")), (args[2] if len(args) > 2 else kwargs.get("max"))
        return bool(low == 0 and high is None)
    return True


def _mark(tensor: Tensor, site: Key) -> None:
    node: graph.Node = tensor.grad_fn
    node.metadata[_MARK] = site


def _mark_of(value: Any) -> Key | None:
    node: graph.Node = value.grad_fn if isinstance(value, Tensor) else None
    found = node.metadata.get(_MARK) if node is not None else None
    return found if isinstance(found, tuple) else None


def _sites_before_layers(root: Any) -> set[Key]:
    found: set[Key] = set()
    waiting: list[graph.Node] = [root]
    seen: set[graph.Node] = set()
    while waiting and len(seen) < 2000:
        node = waiting.pop()
        if node in seen or graph.is_leaf(node):
            continue
        seen.add(node)
        mark = node.metadata.get(_MARK)
        if isinstance(mark, tuple):
            found.add(mark)
        if not graph.is_layer(node):
            waiting += graph.inputs_of(node)
    return found


class OtherActivation(_Sites):
    """`activation=NAME`: squashing ones by ReLU or GELU, ReLU by LeakyReLU, all by tanh."""

    def changed(self, name: str, site: Key, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Hidden ones of the kind that is to go."""
        if name not in _REPLACED[self.value] or site in self.output or site in self.gates:
            return NotImplemented
        self.applied += 1
        return _WITH[self.value](args[0])


class ReluFromHe(OtherActivation):
    """`activation=he-relu`: a deep network that is to have ReLU needs weights that keep its signals' size."""

    def __init__(self, world: Any, value: str) -> None:
        super().__init__(world, "relu")
        self._start = HeStart(world, "standard")

    def before_forward(self, module: Any, args: Any, kwargs: Any, training: bool) -> tuple[Any, Any]:
        """Draw the weights, once."""
        return self._start.before_forward(module, args, kwargs, training)


_NEEDED_BY = {"sigmoid": ("binary_cross_entropy",), "log-softmax": ("nll_loss", "kl_div")}


class OtherOutput(_Sites):
    """`output=NAME`: what forms the output is bypassed; a named function is put in its place where the loss needs it."""

    def changed(self, name: str, site: Key, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Nothing is done to it."""
        if site not in self.output or site in self.gates or (self.value != "identity" and name not in ("softmax", "log_softmax", "sigmoid")):
            return NotImplemented
        self.applied += self.value == "identity"
        return args[0]

    def loss(self, name: str, prediction: Tensor, target: Tensor, kwargs: dict[str, Any]) -> tuple[str, Tensor, Tensor, dict[str, Any]]:
        """What the loss wants and the model does not give."""
        last = "" if prediction.grad_fn is None else graph.op_of(prediction.grad_fn)
        # What the model does give is bypassed from the second step on.
        if name in _NEEDED_BY.get(self.value, ()) and (self.learnt or last not in ("Sigmoid", "LogSoftmax")):
            self.applied += 1
            prediction = torch.sigmoid(prediction) if self.value == "sigmoid" else F.log_softmax(prediction, dim=1)
        return name, prediction, target, kwargs


class InsertedNorm(_Sites):
    """`insert=norm`: what every hidden activation is given is normalised, unit by unit over the batch, or by sample where
    the batch is too small for that. Unlike the samples' own norm, the batch's keeps deep samples apart.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._convolution = False

    def made(self, name: str, args: tuple[Any, ...], result: Any) -> None:
        """Remember what kind of layer came last: it says where the units are."""
        super().made(name, args, result)
        if name in ("linear", "addmm", "matmul", "mm") or name.startswith("conv"):
            self._convolution = name.startswith("conv")

    def changed(self, name: str, site: Key, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The same function of the normalised input."""
        x = args[0]
        if site in self.output or site in self.gates or x.dim() < 2 or x.shape[-1] < 2:
            return NotImplemented
        self.applied += 1
        if len(x) < _BATCH:
            return function(F.layer_norm(x, x.shape[1:] if self._convolution else x.shape[-1:]), *args[1:], **kwargs)
        axis = 1 if self._convolution else x.dim() - 1
        others = [d for d in range(x.dim()) if d != axis]
        deviation, mean = torch.std_mean(x, dim=others, correction=0, keepdim=True)
        return function((x - mean) / (deviation + 1e-5), *args[1:], **kwargs)


class InsertedResidual(_Sites):
    """`insert=residual`: a hidden activation is added to the one before it, where both have one shape."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._before: Tensor | None = None

    def before_forward(self, module: Any, args: Any, kwargs: Any, training: bool) -> tuple[Any, Any]:
        """A forward begins."""
        self._before = None
        return args, kwargs

    def changed(self, name: str, site: Key, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Add."""
        if site in self.output or site in self.gates:
            return NotImplemented
        result, before = function(*args, **kwargs), self._before
        if before is not None and before.shape == result.shape:
            self.applied += 1
            result = result + before
        self._before = result
        return result
