"""Calls back when torch has been imported, and is not to be seen in what was imported.

Imported before the script's first line: only modules may be imported here that plain Python has loaded by then.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # `typing` would be a module too many; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from typing import Any


class TorchFinder:
    """Finds torch as the finders after it do, with a loader that calls back when torch has been executed.

    Leaves sys.meta_path then. Looking for torch without importing it (`importlib.util.find_spec`) changes nothing.
    """

    def __init__(self, loaded: Callable[[], None]) -> None:
        self._loaded = loaded

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The finders' protocol."""
        if name != "torch":
            return None
        finders = sys.meta_path
        for finder in finders[finders.index(self) + 1 :] if self in finders else finders:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find is not None else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = TorchLoader(spec.loader, self._done)  # type: ignore[assignment]
                return spec
        return None

    def _done(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
            self._loaded()


class TorchLoader:
    """The true loader in all but one thing: it calls back after the module's code. Takes itself out before it."""

    _loader: Any = None  # for copies, which are asked for attributes before they have any

    def __init__(self, loader: Any, done: Callable[[], None]) -> None:
        self._loader = loader
        self._done = done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: Any) -> None:
        """The loaders' protocol."""
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._done()
