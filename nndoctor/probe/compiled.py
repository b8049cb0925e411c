"""torch.compile under watch: a compiled graph holds no modules, no calls and no user's lines, so that all is run eagerly."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from nndoctor.probe.patches import Patches


class Uncompiled:
    """In a process that ends with the watch: nothing is compiled at all. Torch's own no-op."""

    def install(self, patches: Patches, note: Callable[[str], None]) -> None:
        """Patch what compiles; each use is noted."""
        patches.replace(torch, "compile", functools.partial(self._compile, note))
        patches.replace(nn.Module, "compile", functools.partial(self._module_compile, note))

    def end(self) -> None:
        """The patches are taken off."""

    def _compile(self, note: Callable[[str], None], old: Any) -> Any:
        @functools.wraps(old)
        def compile(*args: Any, **kwargs: Any) -> Any:  # noqa: A001 - the name that it replaces
            note("compile")
            return self._compiled(old, args, kwargs)

        return compile

    def _module_compile(self, note: Callable[[str], None], old: Any) -> Any:
        @functools.wraps(old)
        def compile(module: nn.Module, *args: Any, **kwargs: Any) -> None:  # noqa: A001
            note("compile")
            self._compile_module(old, module, args, kwargs)

        return compile

    def _compiled(self, old: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return old(*args, **{**kwargs, "disable": True})

    def _compile_module(self, old: Any, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        return


class Eagerly(Uncompiled):
    """In a process that outlives the watch: what is compiled runs eagerly meanwhile, and compiled afterwards.

    Assumption: `torch.compiler.set_stance`, from torch 2.6 on. Before, and where the program sets a stance of its own, the
    compiler traces through the watch as through any code.
    """

    def __init__(self) -> None:
        self._held: Any = None
        self._over = False

    def install(self, patches: Patches, note: Callable[[str], None]) -> None:
        """The same, and hold back what is compiled already."""
        super().install(patches, note)
        self._hold()

    def end(self) -> None:
        """Compile again, also what a name for our patch is still asked for."""
        self._over = True
        held, self._held = self._held, None
        if held is not None:
            held.__exit__(None, None, None)

    def _hold(self) -> None:
        """Run eagerly from now on. There is nothing to hold before the compiler is loaded, which takes seconds."""
        if not self._over and self._held is None and "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
            self._held = torch.compiler.set_stance("force_eager")

    def _compiled(self, old: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        compiled = old(*args, **kwargs)
        self._hold()
        return compiled

    def _compile_module(self, old: Any, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        old(module, *args, **kwargs)
        self._hold()
