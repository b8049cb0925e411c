"""The script, as `python` would run it: by its file, by its module's name, or as code.

Each way takes the names that this Python gives a `__main__` before its first line (`plain`), and leaves as the script does.
Imported before the script's first line: only modules may be imported here that plain Python has loaded by then.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` would be a module too many; type checkers know this name
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


def execute_file(path: str, arguments: list[str], plain: dict[str, Any]) -> None:
    """`python path arguments`. A folder or an archive is run by its `__main__.py`."""
    sys.argv = [path, *arguments]
    sys.orig_argv = [sys.executable, *sys.argv]
    file = os.path.join(os.getcwd(), path)  # as python: absolute, not normalised
    if _is_importable(file):
        _put_first(file, even_if_safe=True)
        _put_main(dict(plain))
        _run_as_main("__main__", alter_argv=False)
        return
    _put_first(os.path.dirname(os.path.realpath(path)))
    loader = type(plain["__loader__"])("__main__", file)
    module = _put_main({**plain, "__file__": file, "__loader__": loader})
    with open(file, "rb") as f:
        source = f.read()
    # Never cached, as python never caches the main file.
    exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)


def execute_module(name: str, arguments: list[str], plain: dict[str, Any]) -> None:
    """`python -m name arguments`."""
    sys.argv = ["-m", *arguments]  # runpy puts the module's file in the first place, once it has found it
    sys.orig_argv = [sys.executable, "-m", name, *arguments]
    _put_first(os.getcwd())
    _put_main(dict(plain))
    _run_as_main(name, alter_argv=True)


def execute_code(code: str, arguments: list[str], plain: dict[str, Any]) -> None:
    """`python -c code arguments`, as multiprocessing starts its processes."""
    sys.argv = ["-c", *arguments]
    sys.orig_argv = [sys.executable, "-c", code, *arguments]
    _put_first("")
    exec(compile(code, "<string>", "exec", dont_inherit=True), _put_main(dict(plain)).__dict__)


def _run_as_main(name: str, alter_argv: bool) -> None:
    import runpy

    # Private, and yet the very function that python's own `-m` calls by this name (Modules/main.c). `runpy.run_module`
    # is no substitute: it takes the module out of sys.modules again, which breaks pickling under spawn.
    runpy._run_module_as_main(name, alter_argv)  # type: ignore[attr-defined]


def _put_main(names: dict[str, Any]) -> ModuleType:
    """A fresh `__main__`: multiprocessing and pickle look their classes up in it by name."""
    module = type(sys)("__main__")
    module.__dict__.update({**names, "__name__": "__main__", "__doc__": None})
    if "__annotations__" in names:
        module.__dict__["__annotations__"] = {}
    sys.modules["__main__"] = module
    return module


def _put_first(folder: str, even_if_safe: bool = False) -> None:
    """Put the script's folder where python put that of `child.py`. Under `-P` it put none."""
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = folder
    elif even_if_safe:
        sys.path.insert(0, folder)


def _is_importable(path: str) -> bool:
    """Whether a path entry finder takes the path: a folder or an archive. The test that python itself makes."""
    for hook in sys.path_hooks:
        try:
            hook(path)
        except ImportError:
            continue
        return True
    return False
