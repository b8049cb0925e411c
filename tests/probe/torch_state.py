"""What a watch may not change of torch, and an ordinary run that meets everything that it patches."""

from __future__ import annotations

import sys
import types

import torch
import torch.nn.functional as F
from torch import nn


def callables_of_torch() -> dict[tuple[str, str], int]:
    """Every function, class and method of torch that can be replaced, by name."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] != "torch" or not isinstance(module, types.ModuleType):
            continue
        for key, value in list(vars(module).items()):
            if callable(value):
                found[name, key] = id(value)
            if isinstance(value, type) and value.__module__.startswith("torch"):
                for inner, method in list(vars(value).items()):
                    if callable(method) or isinstance(method, (staticmethod, classmethod, property)):
                        found[f"{value.__module__}.{value.__qualname__}", inner] = id(method)
    return found


def hooks_of_torch() -> dict[str, int]:
    """How many hooks and modes are in force for the whole process."""
    module, optimizer = sys.modules["torch.nn.modules.module"], sys.modules["torch.optim.optimizer"]
    return {
        **{name: len(value) for name, value in vars(module).items() if name.startswith("_global_") and hasattr(value, "__len__")},
        **{name: len(value) for name, value in vars(optimizer).items() if name.startswith("_global_") and hasattr(value, "__len__")},
        "function modes": torch._C._len_torch_function_stack(),
        "dispatch modes": torch._C._len_torch_dispatch_stack(),
        "saved tensor hooks": int(torch._C._autograd._top_saved_tensors_default_hooks(True) is not None),
        "trace": int(sys.gettrace() is not None) + int(sys.getprofile() is not None),
        "gradients": int(torch.is_grad_enabled()),
    }


def train(steps: int = 25) -> tuple[nn.Module, torch.optim.Optimizer]:
    """An ordinary run with everything that is patched: loader, loss, clipping, schedule, validation."""
    torch.manual_seed(0)
    data = torch.utils.data.TensorDataset(torch.randn(200, 8), torch.randint(0, 3, (200,)))
    net = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5)
    loader = iter(torch.utils.data.DataLoader(data, batch_size=8, shuffle=True))
    for step in range(steps):
        x, y = next(loader)
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step % 10 == 0:
            net.eval()
            with torch.no_grad():
                F.cross_entropy(net(x), y)
            net.train()
    return net, optimizer
