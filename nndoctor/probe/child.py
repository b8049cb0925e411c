"""Runs in the child process: the user's script as `python` would run it, watched from the end of `import torch` on.

`launch.py` starts this file by its path, so that it is `__main__` until the script takes its place:

    python child.py FD STEPS SECONDS GRACE WAIT TIMEOUT RUN ROLE file|module|code NAME ARGUMENTS...

ROLE of the run that is watched says `ranks=`, and in hexadecimal digits the folder in which all processes of one training
leave what they have seen (see `team.py`). One that such a run has started says `worker=` instead, and gives 0 for FD: it writes
to a file of that folder. A trial's says `changes=lr*0.1 threads=1 scratch=/tmp/...`; that of a trunk, which is forked into
trials at its first training forward, `orders=5 answers=6 branches=7,8,9 scratch=/tmp/...`.

Until the script runs, only modules that plain Python has loaded by then may be imported here, and by the parts of this
package that this file is made of. Any other, even one of the standard library, would take the place of a file of the same
name beside the script (`queue.py`, `code.py`).
Nothing travels in the environment, which the script's own children inherit.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib import module_from_spec  # what `importlib.util` hands on, which is a module too many
from _frozen_importlib_external import spec_from_file_location

TYPE_CHECKING = False  # `typing` would be a module too many; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Sequence

# What this Python gives a `__main__` before its first line; the set differs between versions.
_PLAIN_MAIN = {name: value for name, value in globals().items() if name.startswith("__")}
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LIBRARY_PATH = sys.path[0 if getattr(sys.flags, "safe_path", False) else 1 :]
_LONGEST_ERROR = 2_000  # characters; some messages hold a whole state dict


def main(argv: Sequence[str]) -> None:
    """Watch one run. Leaves as Python would leave the script: by return, by its exception or by its SystemExit."""
    fd, steps, seconds, grace, wait, timeout, training, role, kind, name, *arguments = argv[1:]
    known = set(sys.modules)
    with OwnImports():
        from nndoctor.probe.run import Run
        from nndoctor.probe.script import execute_code, execute_file, execute_module
    # The script finds the modules that it finds under Python; this package is imported anew, with torch.
    for module in set(sys.modules) - known:
        if module.partition(".")[0] == "nndoctor":
            del sys.modules[module]
    numbers = int(steps), float(seconds), float(grace), float(wait), float(timeout), int(training)
    run = Run(int(fd), *numbers, dict(w.split("=", 1) for w in role.split()), OwnImports, argv[2:8])
    run.begin()
    try:
        if kind == "module":
            execute_module(name, arguments, _PLAIN_MAIN)
        elif kind == "code":
            execute_code(name, arguments, _PLAIN_MAIN)
        else:
            execute_file(name, arguments, _PLAIN_MAIN)
    except SystemExit as stop:
        if kind == "code" and not stop.code:  # as a process of multiprocessing always ends
            run.leave("finished")
            raise
        message = "" if stop.code is None or isinstance(stop.code, int) else str(stop.code)
        run.leave("exit", exit_code=_exit_code(stop.code), error=message[:_LONGEST_ERROR])
        raise
    except BaseException as error:
        with OwnImports():
            from nndoctor.probe import traces
        if isinstance(error, KeyboardInterrupt):
            run.leave("interrupt", exit_code=130, **traces.described(error))
        else:
            run.leave("error", exit_code=1, **traces.described(error))
        traces.hide_our_frames(sys.excepthook)
        raise
    run.leave("finished")


def _exit_code(code: object) -> int:
    """The status that Python makes of SystemExit's argument."""
    if code is None:
        return 0
    return code & 0xFF if isinstance(code, int) else 1


class OwnImports:
    """Imports of this package, and of what it needs, that find nothing beside the script: `resource.py` may be there.

    The package is found by its place, whatever sys.path says: the script's Python need not have it installed.
    """

    def __enter__(self) -> None:
        self._path, sys.path = sys.path, _LIBRARY_PATH
        if "nndoctor" in sys.modules:
            return
        file = os.path.join(_PACKAGE, "__init__.py")
        spec = spec_from_file_location("nndoctor", file, submodule_search_locations=[_PACKAGE])
        assert spec is not None and spec.loader is not None
        module = sys.modules["nndoctor"] = module_from_spec(spec)
        spec.loader.exec_module(module)

    def __exit__(self, *error: object) -> None:
        sys.path = self._path


if __name__ == "__main__":
    main(sys.argv)
