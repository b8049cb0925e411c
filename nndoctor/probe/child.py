"""Runs in the child process: the user's script as `python` would run it, watched from the end of `import torch` on.

`launch.py` starts this file by its path, so that it is `__main__` until the script takes its place:

    python child.py FD STEPS SECONDS GRACE TIMEOUT RUN ROLE file|module|code NAME ARGUMENTS...

ROLE of the run that is watched says `ranks=`, and in hexadecimal digits the folder in which all processes of one training
leave what they have seen (see `team.py`). One that such a run has started says `worker=` instead, and gives 0 for FD: it writes
to a file of that folder. A trial's says `changes=lr*0.1 threads=1 scratch=/tmp/...`; that of a trunk, which is forked into
trials at its first training forward, `orders=5 answers=6 branches=7,8,9 scratch=/tmp/...`.

Until the script runs, only modules that plain Python has loaded by then may be imported here. Any other, even one of
the standard library, would take the place of a file of the same name beside the script (`queue.py`, `code.py`).
Nothing travels in the environment, which the script's own children inherit.
"""

from __future__ import annotations

import _thread
import os
import sys
import time

TYPE_CHECKING = False  # `typing` would be a module too many; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, NoReturn

    from nndoctor.probe.attach import Watch
    from nndoctor.probe.scratch import Scratch
    from nndoctor.probe.workers import Workers

# What this Python gives a `__main__` before its first line; the set differs between versions.
_PLAIN_MAIN = {name: value for name, value in globals().items() if name.startswith("__")}
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LIBRARY_PATH = sys.path[0 if getattr(sys.flags, "safe_path", False) else 1 :]
_TICK = 0.2  # seconds between two looks at the clock, and between two writes to the pipe
_FAREWELL = 2.0  # seconds for the workers to end in, once a limit is reached
_MAIN_THREAD = _thread.get_ident()
_end_process = os._exit  # the script meets another by this name: see `leave_at_once`
_ALONE = 5.0  # seconds for a process to end by itself once another one of its training has ended
_LONGEST_ERROR = 2_000  # characters; some messages hold a whole state dict


def main(argv: Sequence[str]) -> None:
    """Watch one run. Leaves as Python would leave the script: by return, by its exception or by its SystemExit."""
    fd, steps, seconds, grace, timeout, training, role, kind, name, *arguments = argv[1:]
    run = Run(int(fd), int(steps), float(seconds), float(grace), float(timeout), int(training), dict(w.split("=", 1) for w in role.split()))
    run.begin()
    try:
        if kind == "module":
            _execute_module(name, arguments)
        elif kind == "code":
            _execute_code(name, arguments)
        else:
            _execute_file(name, arguments)
    except SystemExit as stop:
        if kind == "code" and not stop.code:  # as a process of multiprocessing always ends
            run.leave("finished")
            raise
        message = "" if stop.code is None or isinstance(stop.code, int) else str(stop.code)
        run.leave("exit", exit_code=_exit_code(stop.code), error=message[:_LONGEST_ERROR])
        raise
    except BaseException as error:
        with _OwnImports():
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


# --- the script, as python would run it ---------------------------------------------------------------------------


def _execute_file(path: str, arguments: list[str]) -> None:
    """`python path arguments`. A folder or an archive is run by its `__main__.py`."""
    sys.argv = [path, *arguments]
    sys.orig_argv = [sys.executable, *sys.argv]
    file = os.path.join(os.getcwd(), path)  # as python: absolute, not normalised
    if _is_importable(file):
        _put_first(file, even_if_safe=True)
        _put_main(dict(_PLAIN_MAIN))
        _run_as_main("__main__", alter_argv=False)
        return
    _put_first(os.path.dirname(os.path.realpath(path)))
    loader = type(_PLAIN_MAIN["__loader__"])("__main__", file)
    module = _put_main({**_PLAIN_MAIN, "__file__": file, "__loader__": loader})
    with open(file, "rb") as f:
        source = f.read()
    # Never cached, as python never caches the main file.
    exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)


def _execute_module(name: str, arguments: list[str]) -> None:
    """`python -m name arguments`."""
    sys.argv = ["-m", *arguments]  # runpy puts the module's file in the first place, once it has found it
    sys.orig_argv = [sys.executable, "-m", name, *arguments]
    _put_first(os.getcwd())
    _put_main(dict(_PLAIN_MAIN))
    _run_as_main(name, alter_argv=True)


def _execute_code(code: str, arguments: list[str]) -> None:
    """`python -c code arguments`, as multiprocessing starts its processes."""
    sys.argv = ["-c", *arguments]
    sys.orig_argv = [sys.executable, "-c", code, *arguments]
    _put_first("")
    exec(compile(code, "<string>", "exec", dont_inherit=True), _put_main(dict(_PLAIN_MAIN)).__dict__)


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
    """Put the script's folder where python put this file's. Under `-P` it put none."""
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


# --- the run and its end ------------------------------------------------------------------------------------------


class Run:
    """The watched run: its pipe to the parent, its clock, and its one end."""

    def __init__(
        self, fd: int, steps: int, seconds: float, grace: float, timeout: float, training: int, role: dict[str, str]
    ) -> None:
        self._role = role
        self._folder = bytes.fromhex(role.get("ranks") or role.get("worker") or "").decode()
        self._trial = "scratch" in role
        self._workers: Workers | None = None
        self._alone: float | None = None  # since when another process of this training has ended
        self._fd = fd if "worker" not in role else self._own_file()
        self._forking = False  # a trunk makes a trial of its copy
        self._steps, self._seconds, self._grace, self._timeout = steps, seconds, grace, timeout
        self._training = training  # of the script: the one to watch, from 1, or 0
        self._started = time.monotonic()
        self._directory = os.getcwd()
        self._parent = os.getppid()
        self._watch: Watch | None = None
        self._scratch: Scratch
        self._lines: list[str] = []  # encoded, not yet written
        self._unwritten = ""  # why a record is missing
        self._kept: list[str] = []  # of a trunk: what every trial has to say first
        self._writing = _thread.allocate_lock()
        self._closing = _thread.RLock()
        self._closed = False  # End is on its way: no second one
        self._silent = False  # nothing more is written: after End, and in every forked child
        self._clock = Clock(self._tick)

    def begin(self) -> None:
        """Take up everything that must be in place before the script's first line."""
        os.set_inheritable(self._fd, False)
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._after_fork_in_child
        )
        if self._trial:
            self._begin_trial()
        os._exit = self.leave_at_once
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(line_buffering=True)
        self._clock.start()
        if "torch" in sys.modules:  # by sitecustomize or a .pth file
            self._install()
        else:
            sys.meta_path.insert(0, TorchFinder(self._install))

    def _install(self) -> None:
        """Called once, when torch has been imported completely."""
        if self._silent:
            return
        known = set(sys.modules)
        try:
            with _OwnImports():
                from nndoctor.probe.attach import Watch
            watch = Watch(self.emit, self._steps, self._seconds, self._grace, self.stop, self._directory, self._training)
            watch.install()
            if "ranks" in self._role:
                with _OwnImports():
                    self._watch_workers(watch)
            if self._trial:
                with _OwnImports():
                    self._change(watch)
            # What torch had not imported would stand in for a file of that name beside the script.
            for name in set(sys.modules) - known:
                if name.partition(".")[0] in sys.stdlib_module_names:
                    del sys.modules[name]
        except Exception as error:
            # Half a watch would be taken for a sick run: say that none was possible, and end.
            import traceback

            traceback.print_exc()
            self._close("error", exit_code=1, error=f"torch cannot be watched: {type(error).__name__}: {error}")
            self._exit(1)
        self._watch = watch

    def emit(self, record: Any) -> None:
        """Send a record to the parent, at the next tick of the clock. Any thread may call this."""
        if self._silent:
            return
        try:
            from nndoctor.record.codec import encode

            line = encode(record)
        except Exception as error:  # the caller may be in the midst of the script: tell it at the end
            self._unwritten = self._unwritten or f"{type(record).__name__} was not written: {type(error).__name__}: {error}"
            return
        self._lines.append(line)
        if "branches" in self._role:
            self._kept.append(line)

    def stop(self, reason: str) -> None:
        """End the run at once, whatever the script is doing; a limit was reached.

        By os._exit: an exception would be swallowed by a bare `except:`, and a signal may be handled. Returns where
        there is nothing to stop: in a forked child, which is no run of its own, and once the script has ended by itself.
        """
        try:
            if not self._close(reason):
                return
        except BaseException:
            # A fault of ours. The caller is in the midst of the script, which might swallow it and run on for ever.
            import traceback

            traceback.print_exc()
            self._exit(1)
        self._exit(0)

    def leave(self, reason: str, **fields: Any) -> None:
        """The main module's code is done: write the end, now or once the last thread has ended that Python waits for."""
        threading = sys.modules.get("threading")
        main = _thread.get_ident()
        if threading is not None and any(not t.daemon and t.ident != main for t in threading.enumerate()):
            # Registered last, so called first, between the end of the threads and the script's own atexit functions.
            import atexit

            atexit.register(self._close, reason, **fields)
        else:
            self._close(reason, **fields)
            if self._trial:
                self._exit(0)  # what the script's own farewell does is done once, by the run that is no trial

    def leave_at_once(self, status: int) -> NoReturn:
        """os._exit: what was seen is written, and the process ends as the script wants it to."""
        try:
            self._close("exit", exit_code=int(status) & 0xFF)
        finally:
            _end_process(status)

    def _close(self, reason: str, **fields: Any) -> bool:
        """Write what is summed up at the end, and the End. Whether this call did: the first one does, others wait."""
        if self._silent or not self._closing.acquire(blocking=not self._clock.is_here()):
            return False  # the clock must not wait for one that will wait for the clock
        try:
            if self._closed:
                return False
            self._closed = True
            with _NoInterrupt():
                self._sum_up(reason, fields)
            return True
        finally:
            self._closing.release()

    def _sum_up(self, reason: str, fields: dict[str, Any]) -> None:
        with _OwnImports():
            from nndoctor.record import codec  # noqa: F401  (for `emit`)
            from nndoctor.record.model import End, Problem
        total = time.monotonic() - self._started
        if self._watch is None:
            self.emit(End(reason, 0, 0, 0, 0.0, total, **fields))
        else:
            try:
                self._watch.finish()
            except Exception as error:  # where the clock sums up, the script's thread runs on: better an End than none
                fields.setdefault("error", f"the summary is incomplete: {type(error).__name__}: {error}")
            if self._unwritten:
                self.emit(Problem("the recording", self._unwritten))
            self.emit(self._watch.end(reason, total_seconds=total, **fields))
        if self._workers is not None:
            self._workers.note_ends()
        self._silent = True
        self._clock.end()
        self._write()
        ended_well = reason == "finished" or (reason == "exit" and not fields.get("exit_code"))
        if self._folder and not ended_well and self._watch is not None and self._watch.session.steps_made:
            self._tell_others(reason)

    def _exit(self, code: int) -> None:
        """Leave without Python's farewell, but with the output flushed and the worker processes ended."""
        try:
            _thread.start_new_thread(_exit_after, (_FAREWELL, code))
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            _end_workers()
        finally:
            _end_process(code)

    def _write(self) -> None:
        """Write the waiting lines. Only the clock and the one that closes come here, so no signal handler of the
        script can break a line in two: Python runs them in the main thread.
        """
        with self._writing:
            count = len(self._lines)
            data = memoryview("".join(line + "\n" for line in self._lines[:count]).encode())
            del self._lines[:count]  # one list for good: another thread may be appending
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:
                _end_process(1)  # the parent is gone, and with it the reason to go on

    def _tick(self) -> None:
        self._write()
        now = time.monotonic()
        if os.getppid() != self._parent:
            _end_process(1)
        if self._folder and self._others_ended(now):
            self.stop("peer")
        # Both are last resorts: the watch ends the run at its limit unless the script is stuck in something unseen.
        overdue = self._watch.overdue() if self._watch is not None else None
        if overdue is not None:
            self.stop(overdue)
        elif now > self._started + self._timeout:
            # The parent ends the process, and with it all that it has started.
            message = f"still running after {self._timeout:g} s"
            with _OwnImports():
                from nndoctor.probe import traces
            self._close("timeout", error=message, **traces.stuck(sys._current_frames().get(_MAIN_THREAD)))

    # --- several processes ------------------------------------------------------------------------------------

    def _own_file(self) -> int:
        """Where a process writes that the watched run has started."""
        try:
            return os.open(f"{self._folder}/{os.getpid()}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError:  # the parent is gone, and the run with it in a moment
            return os.open(os.devnull, os.O_WRONLY)

    def _watch_workers(self, watch: Watch) -> None:
        """Have the processes watched, too, that this one starts to train in."""
        from nndoctor.probe.workers import Workers

        numbers = (0, self._steps, self._seconds, self._grace, self._timeout, self._training)
        command = [os.path.abspath(__file__), *map(str, numbers), f"worker={self._role['ranks']}"]
        self._workers = Workers(self._folder, command)
        watch.watch_workers(self._workers)

    def _tell_others(self, reason: str) -> None:
        """The first process that ends leaves its reason: the others may wait for it in vain, and are ended soon."""
        try:
            fd = os.open(f"{self._folder}/over", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:  # it is not the first, or the only one
            return
        os.write(fd, reason.encode())
        os.close(fd)

    def _others_ended(self, now: float) -> bool:
        """Whether another process of this training has ended a while ago."""
        if self._alone is None and os.path.exists(f"{self._folder}/over"):
            self._alone = now
        return self._alone is not None and now > self._alone + _ALONE

    def _leave_mark(self) -> None:
        """Called in a forked process that trains: nobody watches it, and the report must say so."""
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            os.close(os.open(f"{self._folder}/{os.getpid()}.forked", os.O_WRONLY | os.O_CREAT, 0o600))
        except OSError:
            return

    # --- trials -----------------------------------------------------------------------------------------------

    def _begin_trial(self) -> None:
        """Before the script's first line: what it writes goes to a scratch folder, and the parent may say that it is enough."""
        import _signal  # type: ignore[import-not-found]  # built in, so that it stands in the place of nobody's file

        _signal.signal(_signal.SIGUSR2, lambda *_: self.stop("enough"))
        with _OwnImports():
            from nndoctor.probe import scratch

            self._scratch = scratch.enter(self._role["scratch"], "confined" in self._role)

    def _change(self, watch: Watch) -> None:
        """Once torch is there."""
        self._scratch.patch_torch()
        if "branches" in self._role:
            watch.allow_changes(self._branch)
        else:
            watch.allow_changes()
            watch.begin([c for c in self._role["changes"].split(",") if c], int(self._role["threads"]))

    def _branch(self) -> None:
        """A trunk's first training forward: fork a trial for every order that comes; the trial returns from here."""
        with _OwnImports():
            from nndoctor.probe.branch import why_not_fork

        orders, answers = int(self._role["orders"]), int(self._role["answers"])
        branches = [int(fd) for fd in self._role["branches"].split(",")]
        reason = why_not_fork()
        os.write(answers, f"{reason or 'ready'}\n".encode())
        while not reason and (order := _line(orders)):
            number, threads, changes = order.split()
            self._forking = True
            pid = os.fork()
            self._forking = False
            if pid == 0:
                self._become(branches.pop(int(number)), [orders, answers, *branches])
                self._scratch.fork(number)
                assert self._watch is not None
                self._watch.open_eyes()
                self._watch.begin(changes.split(","), int(threads))
                return
            os.close(branches[int(number)])  # the trial's end of the pipe is the only one
            branches[int(number)] = os.open(os.devnull, os.O_WRONLY)
            os.write(answers, f"{pid}\n".encode())
        self._exit(0)

    def _become(self, fd: int, others: list[int]) -> None:
        """Be a trial from here on: with a pipe, a clock and a time of its own."""
        os.close(self._fd)
        for other in others:
            os.close(other)
        self._fd, self._parent = fd, os.getppid()
        self._started = time.monotonic()
        self._lines[:], self._kept, self._role = self._kept, [], {"changes": ""}
        self._writing, self._closing = _thread.allocate_lock(), _thread.RLock()
        self._clock.forget()
        self._clock = Clock(self._tick)
        self._clock.start()

    def _before_fork(self) -> None:
        self._clock.rest()  # the clock of just now: a trial has one of its own

    def _after_fork(self) -> None:
        self._clock.resume()
        if self._watch is not None and not self._forking:
            self._watch.note_fork()

    def _after_fork_in_child(self) -> None:
        """A forked child is a worker, or a process that goes its own way: it has nothing to say to the parent."""
        if self._forking:
            return
        self._silent = True
        self._lines.clear()
        self._clock.forget()
        if self._folder and self._watch is not None:
            self._watch.trains_unseen = self._leave_mark
        if self._fd >= 0:  # else a child of such a child, where the number may mean another file
            os.close(self._fd)
            self._fd = -1


def _line(fd: int) -> str:
    """The next line from a pipe, without its end; "" where the other side has closed it."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(fd, 1)
        if not byte:
            return ""
        line += byte
    return line.decode().rstrip("\n")


def _exit_after(seconds: float, code: int) -> None:
    time.sleep(seconds)
    _end_process(code)


def _end_workers() -> None:
    """End the processes of multiprocessing, and do what it does at exit: else its tracker warns of leaked semaphores."""
    multiprocessing = sys.modules.get("multiprocessing")
    util: Any = sys.modules.get("multiprocessing.util")
    if multiprocessing is None or util is None:
        return
    import signal

    if _thread.get_ident() == _MAIN_THREAD:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler raises where a loader's worker is terminated
    for process in multiprocessing.active_children():
        process.terminate()
    util._exit_function()


class Clock:
    """A thread that calls `tick` every so often, and is away while the process forks.

    A bare thread: one of `threading` would show in the script's `threading.enumerate()`, and the import would come too
    early. It rests during a fork because Python warns of forking with threads from 3.12 on, and because the child must
    not inherit a lock that this thread held.
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._forking = _thread.allocate_lock()  # two threads may fork at a time
        self._wake = self._gone = self._forking
        self._running = self._ended = False
        self._thread = 0

    def start(self) -> None:
        """Begin to tick."""
        self._wake, self._gone = _thread.allocate_lock(), _thread.allocate_lock()
        self._wake.acquire()
        self._gone.acquire()
        try:
            self._thread = _thread.start_new_thread(self._run, (self._wake, self._gone))
            self._running = True
        except RuntimeError:  # no thread starts once the interpreter shuts down; the end is written without ticks
            pass

    def is_here(self) -> bool:
        """Whether the caller is called by a tick."""
        return _thread.get_ident() == self._thread

    def rest(self) -> None:
        """Be away until `resume`; called before a fork."""
        self._forking.acquire()
        if self._running:
            self._running = False
            self._wake.release()
            self._gone.acquire()
            self._thread = 0

    def resume(self) -> None:
        """Go on after `rest`; called after a fork, in the parent."""
        if not self._ended:
            self.start()
        self._forking.release()

    def end(self) -> None:
        """Tick no more."""
        self._ended = True
        if not self.is_here():
            self.rest()
            self._forking.release()

    def forget(self) -> None:
        """The same in a forked child, where the thread is not, and whose own forks find a free lock."""
        self._ended = True
        self._forking = _thread.allocate_lock()

    def _run(self, wake: _thread.LockType, gone: _thread.LockType) -> None:
        try:
            while not wake.acquire(timeout=_TICK) and not self._ended:
                self._tick()
        finally:
            gone.release()


class _OwnImports:
    """Imports of this package, and of what it needs, that find nothing beside the script: `resource.py` may be there.

    The package is found by its place, whatever sys.path says: the script's Python need not have it installed.
    """

    def __enter__(self) -> None:
        self._path, sys.path = sys.path, _LIBRARY_PATH
        if "nndoctor" in sys.modules:
            return
        from importlib.util import module_from_spec, spec_from_file_location

        file = os.path.join(_PACKAGE, "__init__.py")
        spec = spec_from_file_location("nndoctor", file, submodule_search_locations=[_PACKAGE])
        assert spec is not None and spec.loader is not None
        module = sys.modules["nndoctor"] = module_from_spec(spec)
        spec.loader.exec_module(module)

    def __exit__(self, *error: object) -> None:
        sys.path = self._path


class _NoInterrupt:
    """Ctrl-C is ignored meanwhile: the end must be written whole."""

    def __enter__(self) -> None:
        import signal

        self._handler = None
        try:
            # None where the handler in force is not Python's, which could not be put back.
            if signal.getsignal(signal.SIGINT) is not None:
                self._handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        except ValueError:  # not the main thread, in which alone KeyboardInterrupt is raised
            pass

    def __exit__(self, *error: object) -> None:
        import signal

        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)


# --- torch --------------------------------------------------------------------------------------------------------


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


if __name__ == "__main__":
    main(sys.argv)
