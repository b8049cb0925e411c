"""What single operations tell, in steps that are looked at and in validation: scores, activations, lookups, functional networks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nndoctor.probe import graph, stats
from nndoctor.probe.forwards import Forward
from nndoctor.probe.where import user_place
from nndoctor.record.model import Place, Reshaping

if TYPE_CHECKING:
    from nndoctor.probe.session import Session

_DIFFERENCES = frozenset({"sub", "__sub__", "rsub", "__rsub__", "subtract"})
_TIMES = frozenset({"mul", "__mul__", "__rmul__", "multiply"})
_EQUALITIES = frozenset({"eq", "__eq__"})
_CHOICES = frozenset({"argmax", "max", "gt", "ge", "__gt__", "__ge__", "round"})  # of a class, by its score
_FORMS = frozenset({"float", "long", "int", "to", "type", "squeeze", "view", "reshape", "flatten", "view_as", "cpu", "detach", "cat"})  # the same in another form
_JOINTS = frozenset({"cat", "concat", "concatenate", "stack", "hstack", "vstack"})
_HANDS = frozenset({"numpy", "tolist", "__array__"})  # out of torch
_QUOTIENTS = frozenset({"reciprocal", "div", "true_divide", "__rdiv__", "__rtruediv__", "__truediv__", "__div__"})
_CASTS = frozenset({"float", "double", "to", "type", "one_hot", "half", "bfloat16"})
_LOOKUPS = frozenset({"one_hot", "embedding", "embedding_bag", "scatter", "scatter_", "scatter_add_", "index_select", "gather", "bincount"})
_WRITES = frozenset({"add_", "sub_", "subtract_", "__iadd__", "__isub__", "addcmul_", "addcdiv_", "lerp_", "copy_"})
_MATRIX = frozenset({"linear", "conv1d", "conv2d", "conv3d", "matmul", "__matmul__", "mm", "addmm", "embedding", "bmm"})
_RESHAPES = frozenset({"view", "reshape"})
_MOST_RESHAPINGS = 20  # lines
_ATTENTION = {"scaled_dot_product_attention": 3, "multi_head_attention_forward": 16}  # and the place of the mask among the arguments


class Operations:
    """Gets every call of a function of torch while they are listened to."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._casts: dict[int, str] = {}  # address of a tensor -> the type that it was cast from
        self._spread: Place | None = None  # the latest line that gave a tensor another axis
        self._reshapings: set[Place | None] = set()  # lines that are written down

    def begin(self) -> None:
        """A step begins that is looked at."""
        self._casts.clear()

    def source(self, tensor: Tensor) -> str:
        """The type that a tensor was cast from in this step; "" where it was not."""
        return self._casts.get(tensor.data_ptr(), "")

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """A function of torch, or a method of a tensor, has returned."""
        s = self._session
        if not s.mine() or s.in_backward or (isinstance(result, Tensor) and not stats.is_readable(result)):
            return
        if name in _HANDS and args and isinstance(args[0], Tensor) and s.evaluation.open and s.depth == 0:
            s.attempt(s.evaluation.handed_out, args[0])
            return
        if name in _WRITES and not s.registry.optimizers and not s.depth and args and isinstance(args[0], Tensor):
            s.attempt(s.weights.written, args[0])
        # Scores of a validation pass are often computed after its no_grad block.
        score = result[1] if name == "max" and isinstance(result, tuple) else result
        scores = isinstance(score, Tensor) and not score.requires_grad
        if (scores or not torch.is_grad_enabled()) and s.evaluation.open and s.depth == 0 and isinstance(score, Tensor):
            s.attempt(self._in_evaluation, name, args, score)
        elif torch.is_grad_enabled():
            s.attempt(self._in_training, name, args, kwargs, result)

    def _in_evaluation(self, name: str, args: tuple[Any, ...], result: Tensor) -> None:
        s = self._session
        if result.dim() == 0 and result.is_floating_point() and s.terms.root is not None and user_place() == s.terms.root:
            s.evaluation.valued(result)
        of_output = s.evaluation.follow(args, result)
        if name in _CHOICES or (name in _FORMS and s.evaluation.is_guess(_last(args))):
            s.evaluation.guessed(result, of_output)
        elif name in _JOINTS and args and isinstance(args[0], (list, tuple)):
            s.evaluation.joined(args[0], result)
        elif len(args) < 2:
            return
        elif name in _EQUALITIES:
            s.evaluation.compared(result, args[0], args[1])
        elif name in _DIFFERENCES and not s.in_loss:
            s.evaluation.subtracted(args[0], args[1])

    def _in_training(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        output = result[0] if isinstance(result, tuple) and result else result
        if not self._session.looking or not isinstance(output, Tensor):
            return
        if name in _LOOKUPS or (name == "__getitem__" and _is_lookup(args)):
            self._session.calls.mark("encode")
        if name in _ATTENTION and _knows_keys_alone(name, args, kwargs):
            graph.note_padding(output)
        if name in _CASTS and args and isinstance(args[0], Tensor) and not args[0].is_floating_point():
            self._casts[output.data_ptr()] = str(args[0].dtype).removeprefix("torch.")
        self._note(name, args, output)

    def _note(self, name: str, args: tuple[Any, ...], output: Tensor) -> None:
        """An operation of a training step: measure what it put out, and mark the graph with the user's line."""
        s = self._session
        module, owner = s.modules.innermost
        library = module is not None and type(module).__module__.startswith("torch.")
        place = s.registry.built.get(module) if library else user_place()
        if name in _MATRIX and s.depth == 0:
            self._functional_input(args)
            self._functional_constant(args)
        site = owner if library else ""
        if name == "unsqueeze" or (name == "__getitem__" and _adds_axis(args)):
            self._spread = place
        if name in _RESHAPES and not library:
            self._note_reshaping(args, output, place)
        if name in _QUOTIENTS and graph.is_sigmoid(output.grad_fn):
            name = "sigmoid"
        if s.activations.watches(name):
            site = s.activations.saw(s.now, name, output, site, place)
        if output.grad_fn is not None:
            graph.mark(output, place, site)
            if len(args) >= 2 and (name in _DIFFERENCES or name in _TIMES) and (pair := _sides(args[0], args[1])) is not None:
                if name in _DIFFERENCES:
                    graph.note_operands(output, pair)
                if place != self._spread and _become_square(*pair):
                    graph.note_operands(output, pair, stretched=True)

    def _note_reshaping(self, args: tuple[Any, ...], output: Tensor, place: Place | None) -> None:
        if place in self._reshapings or len(self._reshapings) >= _MOST_RESHAPINGS or not _moves_first_axis(args[0], output):
            return
        self._reshapings.add(place)
        self._session.emit(Reshaping(list(args[0].shape), list(output.shape), place))

    def _functional_input(self, args: tuple[Any, ...]) -> None:
        """The first product with a parameter in a run whose network is no module: its other side is the input."""
        s = self._session
        tensors = [a for a in args if isinstance(a, Tensor)][:2]
        if len(tensors) < 2 or s.pending.calls:
            return
        x, w = tensors if tensors[1].requires_grad else tensors[::-1]
        if x.requires_grad or not w.requires_grad or x.dim() == 0:
            return
        s.limits.begin()
        s.pending.calls.append(Forward(-1, True, stats.batch_size(x), []))
        s.pending.input_sum = x.sum() if not x.is_complex() else None
        s.pending.rows, s.pending.raw = s.inputs.saw(-1, [x]), s.inputs.raw

    def _functional_constant(self, args: tuple[Any, ...]) -> None:
        """A product of a signal with a leaf that takes no gradient: a weight of the user's that is frozen, or a fixed matrix."""
        if len(args) >= 2 and isinstance(args[0], Tensor) and isinstance(args[1], Tensor):
            signal, fixed = args[0], args[1]
            if signal.requires_grad and not fixed.requires_grad and fixed.dim() >= 2 and fixed.is_floating_point():
                self._session.registry.parameter(fixed)


def _last(args: tuple[Any, ...]) -> Any:
    """The first argument, or the last of the tensors that are put together."""
    first = args[0] if args else None
    return first[-1] if isinstance(first, (list, tuple)) and first else first


def _sides(left: Any, right: Any) -> tuple[Tensor, Tensor] | None:
    """Prediction and target, whichever came first: one side carries gradient, the other does not. None where that is not so."""
    if not (isinstance(left, Tensor) and isinstance(right, Tensor)) or left.dim() == 0 or right.dim() == 0 or left.requires_grad == right.requires_grad:
        return None
    return (left, right) if left.requires_grad else (right, left)


def _become_square(prediction: Tensor, target: Tensor) -> bool:
    """Whether they are [N, 1] and [N], or the other way round; a parameter is no prediction."""
    rows = prediction.shape[0]
    return rows > 1 and {tuple(prediction.shape), tuple(target.shape)} == {(rows,), (rows, 1)} and graph.leaf_of(prediction.grad_fn) is None


def _moves_first_axis(given: Any, made: Tensor) -> bool:
    """Whether the second axis is as long as the first one was, though the first is neither that nor several of the old axes joined."""
    if not isinstance(given, Tensor) or given.is_leaf and given.requires_grad or given.dim() < 2 or made.dim() < 2:
        return False
    joined = {math.prod(given.shape[:k]) for k in range(given.dim() + 1)}  # with 1, that of a new axis
    return given.shape[0] > 1 and made.shape[1] == given.shape[0] and made.shape[0] not in joined


def _adds_axis(args: tuple[Any, ...]) -> bool:
    """x[:, None]"""
    index = args[1] if len(args) > 1 else ()
    return index is None or (isinstance(index, tuple) and any(i is None for i in index))


def _is_lookup(args: tuple[Any, ...]) -> bool:
    """A table read at whole numbers."""
    index = args[1] if len(args) > 1 else None
    return isinstance(index, Tensor) and not index.is_floating_point() and index.dtype != torch.bool and args[0].is_floating_point()


def _knows_keys_alone(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether attention is masked, and its mask [..., queries, keys] is the same for every query, as that of padding is."""
    place = _ATTENTION[name]
    mask = kwargs.get("attn_mask", args[place] if len(args) > place else None)
    if mask is None:
        return kwargs.get("key_padding_mask") is not None
    return isinstance(mask, Tensor) and mask.dim() >= 2 and (mask.shape[-2] == 1 or mask.stride(-2) == 0)
