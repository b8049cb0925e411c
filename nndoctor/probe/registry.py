"""Who is who: indices and names of parameters, modules, models and optimisers.

Objects are found by identity while they live; a weak reference beside each id guards against its reuse.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nndoctor.probe import stats
from nndoctor.probe.identity import IdentityTable
from nndoctor.probe.sharding import whole_and_part
from nndoctor.probe.where import user_place, variable_name
from nndoctor.record.model import (
    ModelInfo,
    ModuleInfo,
    OptimizerGroup,
    OptimizerInfo,
    ParameterInfo,
    Place,
)

MODE_SENSITIVE = (
    nn.modules.dropout._DropoutNd,
    nn.modules.batchnorm._BatchNorm,
    nn.RNNBase,
    nn.MultiheadAttention,
)
# Settings worth a line in the report, read from a module where it has them and they are plain.
_SETTINGS = (
    "in_features", "out_features", "in_channels", "out_channels", "kernel_size", "stride", "p", "momentum", "eps", "dim",
    "num_embeddings", "embedding_dim", "padding_idx", "input_size", "hidden_size", "num_layers", "batch_first", "bias",
    "num_features", "normalized_shape", "affine", "track_running_stats", "negative_slope", "num_heads", "dropout", "norm_first",
)  # fmt: skip
# Type, line and training of an optimiser.
_Kind = tuple[str, Place | None, int]
_MOST_MODELS, _MOST_MODULES, _MOST_PARAMETERS, _MOST_OPTIMIZERS = 40, 3000, 3000, 400


@dataclass
class Model:
    """A root module as the probe knows it."""

    index: int
    name: str
    names: dict[int, str]  # id of a module of the tree -> dotted name
    sensitive: list[tuple[str, weakref.ref[nn.Module]]]
    has_parameters: bool
    module: weakref.ref[nn.Module]
    is_meta: bool = False  # on the device that holds shapes and no numbers: described, and not watched


@dataclass
class OptimizerState:
    """What the probe keeps of an optimiser: its index and its parameters, by group."""

    index: int
    kind: _Kind
    parameters: list[weakref.ref[Tensor]] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    settings: list[dict[str, Any]] = field(default_factory=list)


class Registry:
    """Gives every parameter, model and optimiser an index at first sight, and writes its record."""

    def __init__(self, emit: Callable[[Any], None]) -> None:
        self._emit = emit
        self._parameters: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self.tensors: list[weakref.ref[Tensor]] = []
        self.infos: list[ParameterInfo] = []
        self._models: IdentityTable[nn.Module, Model] = IdentityTable()
        self.model_count = 0
        self.optimizers: IdentityTable[torch.optim.Optimizer, OptimizerState] = IdentityTable()
        self.built: IdentityTable[Any, Place | None] = IdentityTable()  # modules, optimisers
        self.training = 1  # of the script: a line may build the optimisers of several
        self._optimizer_kinds: dict[_Kind, int] = {}  # the latest of each
        self._optimizer_count = 0
        self._given: IdentityTable[Tensor, None] = IdentityTable()  # leaves that a model was called with
        self.has_optimizer = False  # one was built
        self.strays: set[int] = set()
        self._sharded = False  # some parameters are spread over several processes
        self.called: set[int] = set()  # indices of parameters whose module ran in a watched forward

    # --- parameters -------------------------------------------------------------------------------------------

    def index_of(self, tensor: Tensor) -> int | None:
        """Index of a known parameter."""
        entry = self._parameters.get(id(tensor))
        return entry[1] if entry is not None and entry[0]() is tensor else None

    def parameter(self, tensor: Tensor, name: str = "", owner: nn.Module | None = None, owner_name: str = "", model: int = -1) -> int | None:
        """Index of a parameter, which is described and written at first sight. None beyond the cap."""
        known = self.index_of(tensor)
        if known is not None:
            return known
        if self._sharded and owner is None:
            return self._index_of_part(tensor)
        if len(self.tensors) >= _MOST_PARAMETERS:
            return None
        index = len(self.tensors)
        if not name:
            found = variable_name(tensor)
            name = found or f"parameter {index} {list(tensor.shape)}"
        info = ParameterInfo(
            index, name, list(tensor.shape), str(tensor.dtype).removeprefix("torch."), bool(tensor.requires_grad),
            module=owner_name, module_type=type(owner).__name__ if owner is not None else "", model=model,
            place=self.built.get(owner) if owner is not None else None,
        )  # fmt: skip
        _first_statistics(tensor, info)
        self._sharded = self._sharded or stats.is_spread(tensor)
        self.tensors.append(weakref.ref(tensor))
        self._parameters[id(tensor)] = (self.tensors[-1], index)
        self.infos.append(info)
        self._emit(info)
        return index

    def _index_of_part(self, tensor: Tensor) -> int | None:
        """Of a tensor that was put together from the parts of several processes, the index of this one's part."""
        modules = (m for model in list(self._models.values()) if (root := model.module()) is not None for m in root.modules())
        for whole, part in whole_and_part(modules):
            index = self.index_of(part)
            if index is not None:
                self._parameters[id(whole)] = (weakref.ref(whole), index)
        return self.index_of(tensor)

    def given(self, inputs: Iterable[Tensor]) -> None:
        """A model was called with these."""
        for t in inputs:
            if t.requires_grad and t.is_leaf and not isinstance(t, nn.Parameter):
                self._given[t] = None

    def is_input(self, leaf: Tensor) -> bool:
        """Whether a leaf of a graph is an input whose gradient a penalty or an equation takes, and no parameter.

        Where no optimiser says what is trained, it may be the input itself.
        """
        return self.has_optimizer and leaf in self._given and self.index_of(leaf) is None

    # --- models -----------------------------------------------------------------------------------------------

    def model(self, module: nn.Module) -> Model | None:
        """The model of a root module, described and written at first sight. None beyond the cap."""
        known = self._models.get(module)
        if known is not None:
            return known
        tree = list(module.named_modules())
        parameters = list(module.parameters())
        if parameters and self.model_count >= _MOST_MODELS:
            return None
        name = variable_name(module) or type(module).__name__
        index = self.model_count if parameters else -1
        names = {id(m): f"{name}.{n}" if n else name for n, m in tree}
        sensitive: list[tuple[str, weakref.ref[nn.Module]]] = [(names[id(m)], weakref.ref(m)) for _, m in tree if isinstance(m, MODE_SENSITIVE)]
        model = Model(index, name, names, sensitive, bool(parameters), weakref.ref(module), any(p.is_meta for p in parameters))
        self._models[module] = model
        if parameters:
            self.model_count += 1
            self._write_model(module, model, tree, parameters)
        return model

    def _write_model(self, module: nn.Module, model: Model, tree: list[tuple[str, nn.Module]], parameters: list[nn.Parameter]) -> None:
        lazy: type = nn.parameter.UninitializedTensorMixin  # type: ignore[attr-defined]
        sizes = {id(p): 0 if isinstance(p, lazy) else p.numel() for p in parameters}
        self._emit(
            ModelInfo(
                model.index, model.name, type(module).__name__, sum(sizes.values()),
                sum(sizes[id(p)] for p in parameters if p.requires_grad), self.built.get(module), user_place(),
            )
        )  # fmt: skip
        for _, m in tree[:_MOST_MODULES]:
            own = list(m.parameters(recurse=False))
            self._emit(
                ModuleInfo(
                    model.index, model.names[id(m)], type(m).__name__, next(m.children(), None) is None,
                    sum(sizes.get(id(p), 0) for p in own), _settings(m), self.built.get(m),
                )
            )  # fmt: skip
            for n, p in m.named_parameters(recurse=False):
                if not isinstance(p, lazy):
                    self.parameter(p, f"{model.names[id(m)]}.{n}", m, model.names[id(m)], model.index)

    def stray(self, module: nn.Module, root: Model) -> str | None:
        """A module that runs inside a model's forward without being registered in it; its name, if it is one."""
        if id(module) in root.names:
            return root.names[id(module)]
        if id(module) not in self.strays and self._adopt(module, root):
            return root.names[id(module)]
        own = list(module.parameters(recurse=False))
        if not own:
            return None
        name = f"{root.name}.({type(module).__name__})"
        if id(module) not in self.strays and len(self.strays) < 200:
            self.strays.add(id(module))
            name = f"{root.name}.({variable_name(module) or type(module).__name__})"
            for n, p in module.named_parameters(recurse=False):
                self.parameter(p, f"{name}.{n}", module, name, -1)
        return name

    def _adopt(self, module: nn.Module, root: Model) -> bool:
        """A module that joined a known model later (a replaced head): describe it as the others were."""
        whole = root.module()
        found = next(((n, m) for n, m in whole.named_modules() if m is module), None) if whole is not None else None
        if found is None:
            return False
        name = root.names[id(module)] = f"{root.name}.{found[0]}"
        own = list(module.named_parameters(recurse=False))
        sizes = sum(p.numel() for _, p in own)
        self._emit(ModuleInfo(root.index, name, type(module).__name__, next(module.children(), None) is None, sizes, _settings(module), self.built.get(module)))
        for n, p in own:
            self.parameter(p, f"{name}.{n}", module, name, root.index)
        if isinstance(module, MODE_SENSITIVE):
            root.sensitive.append((name, weakref.ref(module)))
        return True

    # --- optimisers -------------------------------------------------------------------------------------------

    def optimizer(self, optimizer: torch.optim.Optimizer) -> OptimizerState:
        """The state kept for an optimiser, whose record is written at first sight."""
        state = self.optimizers.get(optimizer)
        if state is not None:
            if sum(len(g["params"]) for g in optimizer.param_groups) != len(state.parameters):
                self._hold(optimizer, state)
            return state
        place = self.built.get(optimizer)
        kind = (type(optimizer).__name__, place, self.training)
        known = self._known_optimizer(optimizer, kind) if place is not None else None
        state = OptimizerState(self._optimizer_count if known is None else known, kind)
        self.optimizers[optimizer] = state
        self._hold(optimizer, state)
        if known is None and self._optimizer_count < _MOST_OPTIMIZERS:
            self._optimizer_count += 1
            self._optimizer_kinds[kind] = state.index
            groups, start = [], 0
            for g, settings in zip(optimizer.param_groups, state.settings, strict=True):
                count = len(g["params"])
                groups.append(OptimizerGroup(settings, state.indices[start : start + count]))
                start += count
            self._emit(OptimizerInfo(state.index, kind[0], groups, place))
        return state

    def _known_optimizer(self, optimizer: torch.optim.Optimizer, kind: _Kind) -> int | None:
        """Index of the one that was built before on the same line; None where that one is still there and holds other parameters,
        as where each model of a list, or each tensor, has its own.
        """
        mine = {id(p) for g in optimizer.param_groups for p in g["params"]}
        before = [s for _, s in self.optimizers.items() if s.kind == kind]
        same = next((s.index for s in before if mine & {id(p) for p in self.alive(s.parameters)}), None)
        if same is not None or (before and self._optimizer_count < _MOST_OPTIMIZERS):
            return same
        return self._optimizer_kinds.get(kind)

    def idle_optimizers(self) -> None:
        """Write the optimisers that were built and never stepped."""
        for thing, place in self.built.items():
            if isinstance(thing, torch.optim.Optimizer) and thing not in self.optimizers and self._optimizer_count < _MOST_OPTIMIZERS:
                state = OptimizerState(self._optimizer_count, (type(thing).__name__, place, self.training))
                self._optimizer_count += 1
                self._hold(thing, state)
                groups = [OptimizerGroup(s, []) for s in state.settings]
                for group, g in zip(groups, thing.param_groups, strict=True):
                    group.parameters.extend(i for p in g["params"] if (i := self.index_of(p)) is not None)
                self._emit(OptimizerInfo(state.index, type(thing).__name__, groups, place, stepped=False))

    def _hold(self, optimizer: torch.optim.Optimizer, state: OptimizerState) -> None:
        tensors = [p for g in optimizer.param_groups for p in g["params"]]
        state.parameters = [weakref.ref(p) for p in tensors]
        state.indices = [-1 if (i := self.parameter(p)) is None else i for p in tensors]
        state.settings = [group_settings(g) for g in optimizer.param_groups]

    def alive(self, refs: Iterable[Any]) -> list[Tensor]:
        """The tensors behind weak references that still live."""
        return [t for r in refs if (t := r()) is not None]


def group_settings(group: dict[str, Any]) -> dict[str, Any]:
    """The plain settings of a parameter group; a rate kept in a tensor is read."""
    out: dict[str, Any] = {}
    for key, value in group.items():
        if key == "params":
            continue
        if isinstance(value, Tensor) and value.numel() == 1:
            value = stats.number(value)
        if isinstance(value, (int, float, str, bool)) or value is None:
            out[key] = value
        elif isinstance(value, tuple) and all(isinstance(v, (int, float)) for v in value):
            out[key] = list(value)
    return out


def _settings(module: nn.Module) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key in _SETTINGS:
        value = module.__dict__.get(key)
        if isinstance(value, (int, float, str, bool)):
            out[key] = value
        elif isinstance(value, tuple) and all(isinstance(v, int) for v in value):
            out[key] = list(value)
    return out


def _first_statistics(tensor: Tensor, info: ParameterInfo) -> None:
    """Moments of a parameter at first sight, and the number of inputs that feed one of its units."""
    shape = list(tensor.shape)
    if len(shape) >= 2:
        info.fan_in = math.prod(shape[1:])
    if tensor.numel() == 0 or tensor.is_meta:
        return
    with stats.quiet():
        values = stats.plain(stats.thinned(tensor)).double()
        if not values.numel():
            return
        mean = values.mean()
        centred = values - mean
        variance = centred.square().mean()
        fourth = centred.pow(4).mean()
        info.mean, deviation, info.max_abs, heavy = stats.numbers([mean, variance.sqrt(), values.abs().max(), fourth])
        info.std = 0.0 if deviation <= 1e-9 * max(abs(info.mean), 1e-30) else deviation
        if info.std and math.isfinite(info.std):
            info.fourth = heavy / info.std**4
