"""Parameters of which each process keeps a part: what `fully_shard` puts together for a forward, and takes apart again.

The graph of the loss ends at the whole tensor, which is freed in between; the optimiser holds the part. Read from private
attributes, since no public one tells: where a version of torch has others, the whole tensors stay unknown, and what would
need them is not said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn


def whole_and_part(modules: Iterable[nn.Module]) -> Iterator[tuple[Tensor, Tensor]]:
    """Each parameter as the forward uses it, and the part of it that this process keeps."""
    for module in modules:
        find: Any = getattr(module, "_get_fsdp_state", None)
        state = find() if find is not None else None
        groups = getattr(state, "_fsdp_param_groups", None)
        if groups is None:
            groups = [getattr(state, "_fsdp_param_group", None)]
        for group in groups:
            for parameter in getattr(group, "fsdp_params", ()):
                whole, part = getattr(parameter, "_unsharded_param", None), getattr(parameter, "sharded_param", None)
                if isinstance(whole, Tensor) and isinstance(part, Tensor):
                    yield whole, part
