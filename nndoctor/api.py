"""The command from Python: `check` watches a script as `nndoctor check` does, `watch` a stretch of this very program."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nndoctor import config as configuration
from nndoctor.errors import NndoctorError, UsageError
from nndoctor.outcome import Report, here, working_in

if TYPE_CHECKING:
    from nndoctor.config import Settings
    from nndoctor.probe.inside import Stretch

_Path = str | os.PathLike[str]


def check(
    script: _Path, arguments: Sequence[object] = (), *, module: bool = False, directory: _Path | None = None,
    config: _Path | None = None, baseline: _Path | None = None, quiet: bool = True, fork: bool = True,
    steps: int | None = None, seconds: float | None = None, wait: float | None = None, timeout: float | None = None,
    run: int | None = None, trials: int | bool | None = None, budget: float | None = None, fail_on: str | None = None,
    select: Sequence[str] | None = None, ignore: Sequence[str] | None = None, thresholds: Mapping[str, float] | None = None,
) -> Report:  # fmt: skip
    """Run a script as `python script arguments` would, watch its first training steps, and say what is wrong.

    It runs in a process of its own, in `directory` or where this process works; `script` is named from there, and is a
    module as for `python -m` with `module`. Settings that are None come from the file `config`, or else from the nearest
    pyproject.toml: the run ends after `steps` optimiser steps (and `wait` seconds more for a first validation pass),
    `seconds` of training or `timeout` seconds in all; `run` judges the K-th training; `trials` runs (0: none) and `budget` seconds
    may be spent on trials, each by a `fork` where that is possible; `fail_on` is the least severity that counts, findings in the
    file `baseline` do not. `quiet` drops what the script prints, which else goes to stderr.

    Raises UsageError for a wrong setting and FileError for a file that is not there. A script that raises is no error here:
    the report says so. Raises KeyboardInterrupt where the run was ended by one.
    """
    __tracebackhide__ = True  # pytest shows the line that called
    given = {
        "steps": steps, "seconds": seconds, "wait": wait, "timeout": timeout, "run": run, "trials": trials, "budget": budget,
        "fail_on": fail_on, "select": select, "ignore": ignore, "thresholds": thresholds,
    }  # fmt: skip
    if isinstance(arguments, str):
        raise UsageError(f"nndoctor.check: arguments are a list, for example {arguments.split()!r}, and not one string")
    try:
        with working_in(here() if directory is None else Path(directory).absolute()):
            return _checked(os.fspath(script), tuple(map(str, arguments)), module, config, baseline, quiet, fork, given)
    except NndoctorError as error:
        # The caller's to mend, and not by reading how we came to see it.
        raise error.with_traceback(None) from None


def _checked(
    script: str, arguments: tuple[str, ...], module: bool, config: _Path | None, baseline: _Path | None, quiet: bool, fork: bool,
    given: Mapping[str, Any],
) -> Report:  # fmt: skip
    from nndoctor import checkup
    from nndoctor.probe.launch import Target
    from nndoctor.probe.launcher import may_be_rank

    if may_be_rank(os.environ):
        raise UsageError("nndoctor.check: runs one process, and this is one rank of several; start it without the launcher")
    start = Path() if module else Path(script).parent
    settings = configuration.settings(_path(config), start, given, "nndoctor.check")
    tries = checkup.Tries(settings.trials, settings.budget, fork)
    diagnosis = checkup.check(Target(script, arguments, module), settings, (), checkup.Gate(_path(baseline)), None, quiet, tries)
    assert diagnosis is not None  # as it is for the first rank of several alone
    end = diagnosis.recording.end
    if end is not None and end.reason == "interrupt":
        raise KeyboardInterrupt  # it was meant for the caller, too, who may be in the midst of many checks
    return Report(diagnosis)


def _path(file: _Path | None) -> Path | None:
    return Path(file) if file is not None else None


def watch(
    *, config: _Path | None = None, steps: int | None = None, seconds: float | None = None, run: int | None = None,
    fail_on: str | None = None, select: Sequence[str] | None = None, ignore: Sequence[str] | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> Watching:  # fmt: skip
    """A `with` block in which the training of this very process is watched: `with nndoctor.watch() as watch: ...`.

    Afterwards `watch.report` says what is wrong. The settings are those of `check`. Once `steps` optimiser steps or `seconds`
    of training were seen, the program goes on unwatched. No trials are made, since a program cannot be run again from its midst.

    Raises UsageError for a wrong setting.
    """
    given = {
        "steps": steps, "seconds": seconds, "run": run, "fail_on": fail_on, "select": select, "ignore": ignore, "thresholds": thresholds,
    }  # fmt: skip
    try:
        return Watching(configuration.settings(_path(config), Path(), given, "nndoctor.watch"))
    except NndoctorError as error:
        raise error.with_traceback(None) from None


class Watching:
    """A stretch of this program under watch, as the context that `watch` makes. It can be entered once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stretch: Stretch | None = None
        self._report: Report | None = None
        self._directory = here()

    def __enter__(self) -> Watching:
        from nndoctor.probe.inside import Stretch

        if self._stretch is not None:
            raise UsageError("this watch has been used; take a new nndoctor.watch() for each block")
        self._directory = here()
        stretch = Stretch(self._settings.steps, self._settings.seconds, self._settings.run)
        stretch.begin()
        self._stretch = stretch
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._stretch is not None
        self._stretch.end(error)

    @property
    def report(self) -> Report:
        """What is wrong with the training in the block. Raises UsageError before the block is left, or a limit is reached."""
        from nndoctor import checkup

        if self._stretch is None or not self._stretch.is_over:
            raise UsageError("the report is there once the `with` block is left, or its limit of steps or seconds is reached")
        if self._report is None:
            with working_in(self._directory if self._directory.is_dir() else here()):
                diagnosis = checkup.weigh(checkup.find_causes(self._stretch.recording, self._settings), self._settings, None)
            self._report = Report(diagnosis, self._directory)
        return self._report
