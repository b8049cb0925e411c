"""torch.compile under a watch that is taken off again: what is compiled runs eagerly meanwhile, and compiled afterwards.

A compiled graph holds no modules, no calls and no user's lines; and to trace it anew through the watch, and then without, would
cost the program more than the watch itself.
"""

from __future__ import annotations

import sys
from typing import Any

import torch


class Eagerly:
    """Holds the compiler back from `begin` to `end`.

    Assumption: `torch.compiler.set_stance`, from torch 2.6 on. Before, and where the program sets a stance of its own, the
    compiler traces through the watch as through any code.
    """

    def __init__(self) -> None:
        self._held: Any = None

    def begin(self) -> None:
        """Run eagerly from now on what has been or will be compiled. Does nothing before the compiler is loaded, which takes seconds."""
        if self._held is not None or "torch._dynamo" not in sys.modules or not hasattr(torch.compiler, "set_stance"):
            return
        self._held = torch.compiler.set_stance("force_eager")

    def end(self) -> None:
        """Compile again."""
        held, self._held = self._held, None
        if held is not None:
            held.__exit__(None, None, None)
