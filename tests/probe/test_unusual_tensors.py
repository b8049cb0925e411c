"""Tensors and networks that are not the usual ones: what they compute stays the same, and what can be seen of them is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.probe.conftest import Outcome
from tests.probe.test_hostile import HEAD

# Scripts set `model`, `optimizer` and `loss()`, and are trained by this.
LOOP = """
def train(n=16):
    for _ in range(n):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
    return value.item()
print(train())
"""
CLASSES = "loss = lambda: F.cross_entropy(model(x), y)\n"
SGD = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"


def net(init: str, forward: str, arguments: str = "x") -> str:
    """A module of these layers with this forward."""
    return (
        f"class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        {init}\n"
        f"    def forward(self, {arguments}): return {forward}\nmodel = Net()\n"
    )


WRAPPED = """
class Wrapped(torch.Tensor):
    @staticmethod
    def __new__(cls, t): return torch.Tensor._make_wrapper_subclass(cls, t.shape, dtype=t.dtype)
    def __init__(self, t): self.t = t
    __torch_function__ = torch._C._disabled_torch_function_impl
    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        from torch.utils._pytree import tree_map
        inner = lambda a: a.t if isinstance(a, Wrapped) else a
        return func(*tree_map(inner, args), **tree_map(inner, kwargs or {}))
x = Wrapped(x)
"""
COUNTING = """
class Counting(torch.Tensor):
    n = 0
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        Counting.n += 1
        return super().__torch_function__(func, types, args, kwargs or {})
x = x.as_subclass(Counting)
"""
NESTED = (
    "model = nn.Linear(8, 2)\nparts = [torch.randn(n, 8) for n in (3, 5, 2)]\n{}"
    "loss = lambda: torch.stack([t.square().mean() for t in model(torch.nested.nested_tensor(parts, layout=torch.{})).unbind()]).mean()\n"
)
# Name -> what stands between the head and the loop, and what after it.
SCRIPTS: dict[str, tuple[str, str]] = {
    "complex weights": (
        "model = nn.Linear(8, 2, dtype=torch.cfloat)\nx, t = torch.randn(256, 8, dtype=torch.cfloat), torch.randn(256, 2, dtype=torch.cfloat)\n"
        + SGD + "loss = lambda: (model(x) - t).abs().square().mean()\n", "",
    ),
    "whole numbers": ("x = torch.randint(0, 50, (256, 8))\nmodel = nn.Sequential(nn.Embedding(50, 4), nn.Flatten(), nn.Linear(32, 2))\n" + SGD + CLASSES, ""),
    "yes and no": ("x = x > 0\n" + net("self.l = nn.Linear(8, 2)", "self.l(x.float())") + SGD + CLASSES, ""),
    "sparse gradients": (
        "x = torch.randint(0, 50, (256, 8))\nmodel = nn.Sequential(nn.Embedding(50, 4, sparse=True), nn.Flatten(), nn.Linear(32, 2))\n" + SGD + CLASSES, "",
    ),
    "sparse bags": (
        "ids, starts = torch.randint(0, 50, (1024,)), torch.arange(0, 1024, 4)\n" + net("self.e = nn.EmbeddingBag(50, 2, sparse=True)", "self.e(x, at)", "x, at")
        + SGD + "loss = lambda: F.cross_entropy(model(ids, starts), y)\n", "",
    ),
    "sparse inputs": ("x = (x > 0.5).float().to_sparse()\n" + net("self.w = nn.Parameter(torch.zeros(8, 2))", "torch.sparse.mm(x, self.w)") + SGD + CLASSES, ""),
    "compressed inputs": ("import warnings\nwarnings.simplefilter('ignore')\nx = (x > 0.5).float().to_sparse_csr()\n" + net("self.w = nn.Parameter(torch.zeros(8, 2))", "torch.sparse.mm(x, self.w)") + SGD + CLASSES, ""),
    "jagged": (NESTED.format(SGD, "jagged"), ""),
    "nested": (NESTED.format(SGD, "strided"), ""),
    "rounded for integers": (net("self.l = nn.Linear(8, 2)", "F.linear(x, torch.fake_quantize_per_tensor_affine(self.l.weight, 0.05, 0, -128, 127))") + SGD + CLASSES, ""),
    "prepared for integers": (
        "import warnings\nwarnings.simplefilter('ignore')\nimport torch.ao.quantization as q\nmodel = nn.Sequential(q.QuantStub(), nn.Linear(8, 2), q.DeQuantStub())\n"
        "model.qconfig = q.get_default_qat_qconfig('fbgemm')\nq.prepare_qat(model, inplace=True)\n" + SGD + CLASSES, "",
    ),
    "a subclass that counts": (COUNTING + SGD + CLASSES, ""),
    "a subclass without numbers": (WRAPPED + SGD + CLASSES, ""),
    "tied weights": (
        "x = torch.randint(0, 20, (32, 6))\n" + net("self.e = nn.Embedding(20, 8); self.o = nn.Linear(8, 20); self.o.weight = self.e.weight", "self.o(self.e(x))")
        + SGD + "loss = lambda: F.cross_entropy(model(x).flatten(0, 1), x.flatten())\n", "",
    ),
    "one layer a hundred times": (
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 2)\n"
        "    def forward(self, x):\n        for _ in range(100): x = torch.tanh(self.a(x))\n        return self.b(x)\nmodel = Net()\n" + SGD + CLASSES, "",
    ),
    "hooks that leave": (
        "def forward_hook(*_): first.remove()\ndef backward_hook(*_): second.remove()\nfirst = model[0].register_forward_hook(forward_hook)\n"
        "second = model[2].register_full_backward_hook(backward_hook)\n" + SGD + CLASSES, "print(len(model[0]._forward_hooks), len(model[2]._backward_hooks))\n",
    ),
    "hooks of everything": (
        "seen = []\nnn.modules.module.register_module_forward_hook(lambda m, *_: seen.append(type(m).__name__))\n" + SGD + "optimizer.register_step_post_hook(lambda *_: seen.append('step'))\n" + CLASSES,
        "print(len(seen), seen[:9])\n",
    ),
    "calls of its own": ("class Net(nn.Sequential):\n    def __call__(self, x, scale=1.0): return super().__call__(x) * scale\nmodel = Net(nn.Linear(8, 2))\n" + SGD + "loss = lambda: F.cross_entropy(model(x, scale=2.0), y)\n", ""),
    "forward called by itself": (SGD + "loss = lambda: F.cross_entropy(model.forward(x), y)\n", ""),
    "compiled to TorchScript": ("model = torch.jit.script(model)\n" + SGD + CLASSES, ""),
    "traced to TorchScript": ("model = torch.jit.trace(model, x)\n" + SGD + CLASSES, ""),
    "traced in between": (SGD + CLASSES, "for _ in range(5): train(1), print(torch.jit.trace(model, x).code)\n"),
    "scripted in between": (SGD + CLASSES, "for _ in range(5): train(1), print(torch.jit.script(model).code)\n"),
    "symbolic in between": (SGD + CLASSES, "for _ in range(5): train(1), print(torch.fx.symbolic_trace(model).code)\n"),
    "called with other weights": (
        "from torch.func import functional_call\nweights = {k: p.detach().clone().requires_grad_() for k, p in model.named_parameters()}\n"
        "optimizer = torch.optim.SGD(weights.values(), lr=0.1)\nloss = lambda: F.cross_entropy(functional_call(model, weights, (x,)), y)\n", "",
    ),
    "an ensemble by vmap": (
        "from torch.func import functional_call, stack_module_state, vmap\nweights, _ = stack_module_state([nn.Linear(8, 2) for _ in range(3)])\nbase = nn.Linear(8, 2)\n"
        "optimizer = torch.optim.SGD(weights.values(), lr=0.1)\n"
        "loss = lambda: F.cross_entropy(vmap(lambda w: functional_call(base, w, (x,)))(weights).flatten(0, 1), y.repeat(3))\n", "",
    ),
    "gradients of single samples": (
        "from torch.func import functional_call, grad, vmap\none = grad(lambda w, a, b: F.cross_entropy(functional_call(model, w, (a[None],)), b[None]))\n" + SGD
        + "def loss():\n    rows = vmap(one, (None, 0, 0))({k: p.detach() for k, p in model.named_parameters()}, x[:32], y[:32])\n"
        "    print(sum(g.sum() for g in rows.values()).item())\n    return F.cross_entropy(model(x), y)\n", "",
    ),
    "gradients of gradients": (
        SGD + "def loss():\n    given = x.clone().requires_grad_()\n    slope = torch.autograd.grad(model(given).sum(), given, create_graph=True)[0]\n    return F.cross_entropy(model(x), y) + 0.01 * slope.square().mean()\n", "",
    ),
    "an operation of its own": (
        "class Sign(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, a): return a.sign()\n    @staticmethod\n    def backward(ctx, g): return g\n"
        + net("self.a = nn.Linear(8, 8); self.b = nn.Linear(8, 2)", "self.b(Sign.apply(self.a(x)))") + SGD + CLASSES, "",
    ),
    "computed twice": (
        "from torch.utils.checkpoint import checkpoint\n" + net("self.a = nn.Linear(8, 8); self.b = nn.Linear(8, 2)", "self.b(checkpoint(lambda t: self.a(t).relu(), x, use_reentrant=False))") + SGD + CLASSES, "",
    ),
    "weights that are computed": ("from torch.nn.utils import parametrizations as made\nmade.weight_norm(model[0]), made.orthogonal(model[2])\n" + SGD + CLASSES, ""),
    "weights that are masked": ("import torch.nn.utils.prune as prune\nprune.l1_unstructured(model[0], 'weight', 0.5)\n" + SGD + CLASSES, ""),
    "numbers without axes": (net("self.w = nn.Parameter(torch.zeros(()))", "self.w * x") + SGD + "loss = lambda: (model(torch.tensor(2.0)) - 3).square()\n", ""),
    "no input at all": (net("self.w = nn.Parameter(torch.zeros(5))", "self.w", "*_") + SGD + "loss = lambda: (model() - 3).square().sum()\n", ""),
    "words as inputs": (
        net("self.l = nn.Linear(1, 2)", "self.l(torch.tensor([[float(len(word))] for word in words]))", "words") + SGD + "loss = lambda: F.cross_entropy(model(['a', 'bcd', 'ef']), y[:3])\n", "",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class _Raising:
    script: str
    steps: int


RAISING = {
    "in a forward": _Raising("calls = []\ndef hook(*_):\n    calls.append(1)\n    if len(calls) % 4 == 0: raise ValueError('no')\nmodel[0].register_forward_hook(hook)\n", 12),
    "in a backward": _Raising("calls = []\ndef hook(*_):\n    calls.append(1)\n    if len(calls) % 4 == 0: raise ValueError('no')\nmodel[0].weight.register_hook(hook)\n", 12),
}
TRYING = "for _ in range(16):\n    try: train(1)\n    except ValueError as error: print(error)\ntell()\n"


@pytest.mark.parametrize("name", SCRIPTS)
def test_unusual_tensors_are_computed_as_unwatched(name: str, examined: Callable[..., Outcome], plain: Callable[..., tuple[int, str]]) -> None:
    """The script prints what it prints unwatched, each step is counted with its loss, and no part of the watch failed."""
    before, after = SCRIPTS[name]
    outcome = examined(HEAD + before + LOOP + after)

    assert sorted(plain()[1].splitlines()) == sorted(outcome.output.splitlines())
    assert ("finished", []) == (outcome.end.reason, outcome.recording.problems)
    assert len(outcome.recording.steps) >= 16
    assert all(s.loss is not None for s in outcome.recording.steps)


@pytest.mark.parametrize("name", RAISING)
def test_hooks_that_raise_leave_the_watch_whole(name: str, examined: Callable[..., Outcome], plain: Callable[..., tuple[int, str]]) -> None:
    """Where the script catches what its hook raised, the steps that it made are the ones that are counted."""
    case = RAISING[name]
    outcome = examined(HEAD + case.script + SGD + CLASSES + LOOP.replace("print(train())\n", TRYING))

    assert sorted(plain()[1].splitlines()) == sorted(outcome.output.splitlines())
    assert (case.steps, []) == (len(outcome.recording.steps), outcome.recording.problems)


def test_gradients_by_transforms_are_training(examined: Callable[..., Outcome], plain: Callable[..., tuple[int, str]]) -> None:
    """Weights that torch.func trains make no backward call: the gradients that it hands out are the steps, and the run is the same."""
    outcome = examined(
        HEAD + "from torch.func import functional_call, grad_and_value\nweights = {k: p.detach().clone() for k, p in model.named_parameters()}\n"
        "for _ in range(12):\n    slopes, value = grad_and_value(lambda w: F.cross_entropy(functional_call(model, w, (x,)), y))(weights)\n"
        "    weights = {k: w - 0.1 * slopes[k] for k, w in weights.items()}\nprint(value.item())\n"
    )  # fmt: skip

    assert plain()[1] == outcome.output
    assert (12, []) == (len(outcome.recording.steps), outcome.recording.problems)
    assert outcome.diagnosis.verdict != "inconclusive"
