"""A trial's view of the file system: it reads the real files, and what it writes goes to a scratch folder.

Copy on write, for what goes through Python: `open`, `os`, and with them pathlib, shutil, logging, zipfile, numpy; torch's
own writer is C++ and is told another path (`patch_torch`). What the script has written it finds again under the old name,
what it has removed is gone for it alone. C code and other programs are stopped by the kernel (`landlock.py`).

Imported before the script's first line: only modules may be imported here that plain Python has loaded by then.
"""

from __future__ import annotations

import _thread
import builtins
import io
import os
import sys

TYPE_CHECKING = False  # `typing` would be a module too many; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_DEVICES = ("/dev/", "/proc/self/", "/proc/thread-self/")
_READING = ("stat", "lstat", "access", "readlink", "listxattr", "getxattr", "statvfs")
_CHANGING = ("truncate", "chmod", "chown", "utime", "setxattr", "removexattr")
_LINKING = ("symlink", "link")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LARGEST_COPY = 1 << 30  # bytes; a file that is written to in place is copied first
_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")
_PROGRAMS = ("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "sqlite3.connect")

_real_open, _real_os_open, _real_stat, _real_lstat = builtins.open, os.open, os.stat, os.lstat
_real_mkdir, _real_listdir, _real_scandir = os.mkdir, os.listdir, os.scandir


def enter(folder: str, confined: bool = True) -> Scratch:
    """From here on this process, and what it forks, writes below `folder` alone, which exists. Call once.

    Where the kernel does not see to it (`confined` False), other programs are not started at all.
    """
    scratch = Scratch(folder)
    scratch.install()
    # An audit hook cannot be taken off, as a trial's process ends with its trial.
    sys.addaudithook(lambda event, args: _audit(event, args, confined))
    return scratch


def _audit(event: str, args: tuple[Any, ...], confined: bool) -> None:
    """Connecting out is writing somewhere, too: metrics that were logged once are not logged again."""
    if event == "socket.connect":
        address = args[1]
        if isinstance(address, tuple) and address and not str(address[0]).startswith(_LOOPBACK):
            raise PermissionError(f"a trial opens no connections: {address[0]}")
    elif not confined and event in _PROGRAMS:
        raise PermissionError(f"a trial starts no other programs here: {event}")


class Scratch:
    """The view: real path -> path below the folder, for what was written; and what was removed."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.realpath(folder)
        self._view = os.path.join(self.folder, "view")
        self._removed: set[str] = set()
        self._used = False  # nothing was written so far: every path is itself
        self._resolving: set[int] = set()  # threads that resolve a path, by functions that are replaced here
        _real_mkdir(self._view)

    def fork(self, name: str) -> None:
        """In a forked trial: go on with a view of its own, that begins as a copy of the one so far."""
        before, self._view = self._view, os.path.join(self.folder, f"view-{name}")
        _copy_folder(before, self._view)

    # --- paths ------------------------------------------------------------------------------------------------

    def _real(self, path: Any) -> str:
        """Absolute, the folder resolved and the last part as it is: a link may be written anew."""
        text = os.path.join(os.getcwd(), os.fsdecode(path))
        head, tail = os.path.split(os.path.normpath(text))
        return os.path.join(self._resolved(head), tail)

    def _resolved(self, folder: str) -> str:
        thread = _thread.get_ident()
        self._resolving.add(thread)
        try:
            known: str = os.path.realpath(folder)
        finally:
            self._resolving.discard(thread)
        # What lies in the view is named by where it would be.
        return known[len(self._view) :] or "/" if known.startswith(self._view) else known

    def _is_free(self, real: str) -> bool:
        """Whether writing there does no harm."""
        return real.startswith((self.folder + os.sep, *_DEVICES)) or real == self.folder

    def _is_removed(self, real: str) -> bool:
        while real != "/":
            if real in self._removed:
                return True
            real = os.path.dirname(real)
        return False

    def _below(self, real: str) -> str:
        return self._view + real

    def to_read(self, path: Any) -> Any:
        """Where a path is read from."""
        if not self._used or not isinstance(path, (str, bytes, os.PathLike)) or _thread.get_ident() in self._resolving:
            return path
        real = self._real(path)
        if self._is_free(real):
            return path
        below = self._below(real)
        return below if _exists(below) or self._is_removed(real) else path

    def to_write(self, path: Any, keep: bool) -> Any:
        """Where a path is written to; with its old content if it is to be kept. The folder above must be there, as ever."""
        if not isinstance(path, (str, bytes, os.PathLike)):
            return path
        real = self._real(path)
        if self._is_free(real):
            return path
        below, above = self._below(real), os.path.dirname(real)
        if not _is_folder(self.to_read(above)):
            return below  # fails as it would have failed
        _make_folders(os.path.dirname(below))
        self._used = True
        if not _exists(below):
            if not self._is_removed(real) and _exists(real):
                _copy(real, below, keep)
            self._restore(real)
        return below

    def _restore(self, real: str) -> None:
        """A path is there again. What was removed with the folder above it stays away."""
        if real in self._removed:
            self._removed.discard(real)
            if _is_folder(real):
                self._removed.update(os.path.join(real, name) for name in _real_listdir(real))

    def _remove(self, path: Any, remove: Callable[..., Any]) -> None:
        """Remove what the script sees under a path: really if it is its own, else for it alone."""
        real = self._real(path)
        if self._is_free(real):
            remove(path)
            return
        below = self._below(real)
        if remove is _rmdir and _is_folder(self.to_read(path)) and self._names(path):
            raise OSError(39, "Directory not empty", os.fspath(path))
        if _exists(below):
            remove(below)  # of a folder, too: it is empty in the view
        elif self._is_removed(real) or not _exists(real):
            remove(below)  # raises what is raised where there is nothing
        if _exists(real):
            self._used = True
            self._removed.add(real)

    # --- what is put in place ---------------------------------------------------------------------------------

    def install(self) -> None:
        """Put the view in the place of the functions that take a path."""
        builtins.open = io.open = self._open
        os.open = self._os_open
        os.mkdir = self._mkdir
        os.remove = lambda path, **o: self._remove(path, _remove) if not o else _remove(path, **o)
        os.unlink = os.remove
        os.rmdir = lambda path, **o: self._remove(path, _rmdir) if not o else _rmdir(path, **o)
        os.rename = self._moving(os.rename)
        os.replace = self._moving(os.replace)
        os.listdir = self._listdir
        os.scandir = self._scandir
        groups = ((_READING, self._reading), (_CHANGING, self._changing), (_LINKING, self._linking))
        for names, replace in groups:
            for name in names:
                if hasattr(os, name):
                    setattr(os, name, replace(getattr(os, name)))

    def patch_torch(self) -> None:
        """Tell torch where a path is written to and read from. Call once, when it has been imported completely."""
        import torch

        save, load = torch.save, torch.load
        torch.save = torch.serialization.save = lambda obj, f, *a, **k: save(obj, self.to_write(f, False), *a, **k)
        torch.load = torch.serialization.load = lambda f, *a, **k: load(self.to_read(f), *a, **k)

    def _open(self, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if isinstance(mode, str) and set(mode) & set("wax+"):
            if "x" in mode and _exists(self.to_read(file)):
                return _real_open(self.to_read(file), mode, *args, **kwargs)
            file = self.to_write(file, "w" not in mode)
        else:
            file = self.to_read(file)
        return _real_open(file, mode, *args, **kwargs)

    def _os_open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if dir_fd is None:
            path = self.to_write(path, not flags & os.O_TRUNC) if flags & _WRITING else self.to_read(path)
        return _real_os_open(path, flags, mode, dir_fd=dir_fd)

    def _mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        if dir_fd is not None or self._is_free(real := self._real(path)):
            _real_mkdir(path, mode, dir_fd=dir_fd)
            return
        if _exists(self.to_read(path)):
            raise FileExistsError(17, "File exists", os.fspath(path))
        if not _is_folder(self.to_read(os.path.dirname(real))):
            raise FileNotFoundError(2, "No such file or directory", os.fspath(path))
        _make_folders(self._below(real))
        self._used = True
        self._restore(real)

    def _moving(self, move: Callable[..., None]) -> Callable[..., None]:
        def moved(src: Any, dst: Any, **options: Any) -> None:
            if self._is_free(self._real(src)) and self._is_free(self._real(dst)):
                move(src, dst, **options)
                return
            if _is_folder(self.to_read(src)):
                raise PermissionError(f"a trial moves no folders: {os.fspath(src)!r}")
            source = self.to_read(src)
            if source == self._below(self._real(src)) or self._is_free(self._real(src)):
                move(source, self.to_write(dst, False))
            else:
                _copy(source, self.to_write(dst, False), True)
            if _exists(self._real(src)) and not self._is_free(self._real(src)):
                self._removed.add(self._real(src))

        return moved

    def _reading(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def read(path: Any, *args: Any, **options: Any) -> Any:
            if self._used and options.get("dir_fd") is None:
                path = self.to_read(path)
            return function(path, *args, **options)

        return read

    def _changing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def changed(path: Any, *args: Any, **options: Any) -> Any:
            return function(self.to_write(path, True) if options.get("dir_fd") is None else path, *args, **options)

        return changed

    def _linking(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def linked(src: Any, dst: Any, *args: Any, **options: Any) -> Any:
            return function(src, self.to_write(dst, False), *args, **options)

        return linked

    def _names(self, path: Any) -> list[str]:
        """What the script sees in a folder."""
        real = self._real(os.path.join(os.fsdecode(path), "x"))[:-2] or "/"
        below = self._below(real)
        there = _is_folder(real) and not self._is_removed(real)
        names = [n for n in _real_listdir(real) if os.path.join(real, n) not in self._removed] if there else []
        if _is_folder(below):
            names += [n for n in _real_listdir(below) if n not in names]
        elif not there:
            raise FileNotFoundError(2, "No such file or directory", os.fspath(path))
        return names

    def _listdir(self, path: Any = ".") -> Any:
        if not self._used or isinstance(path, int) or self._is_free(self._real(path)):
            return _real_listdir(path)
        names = self._names(path)
        return [os.fsencode(n) for n in names] if isinstance(path, bytes) else names

    def _scandir(self, path: Any = ".") -> Any:
        if not self._used or isinstance(path, int) or self._is_free(self._real(path)):
            return _real_scandir(path)
        shown = os.fspath(path)
        entries = []
        for name in self._names(path):
            found = self.to_read(os.path.join(os.fsdecode(shown), name))
            with _real_scandir(os.path.dirname(os.path.join(os.getcwd(), os.fsdecode(found)))) as there:
                entries += [_Entry(e, os.path.join(os.fsdecode(shown), name)) for e in there if e.name == name]
        return _Entries(entries)


class _Entry:
    """A directory entry under the name by which the script knows its folder."""

    def __init__(self, entry: os.DirEntry[str], path: str) -> None:
        self._entry, self.path, self.name = entry, path, entry.name

    def __fspath__(self) -> str:
        return self.path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)


class _Entries:
    """The iterator that os.scandir gives."""

    def __init__(self, entries: list[_Entry]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[_Entry]:
        return self._entries

    def __next__(self) -> _Entry:
        return next(self._entries)

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *error: object) -> None: ...

    def close(self) -> None:
        """Nothing is held open."""


_remove, _rmdir = os.remove, os.rmdir


def _exists(path: Any) -> bool:
    if isinstance(path, int):
        return True
    try:
        _real_lstat(path)
    except (OSError, ValueError):
        return False
    return True


def _is_folder(path: Any) -> bool:
    try:
        return _real_stat(path).st_mode & 0o170000 == 0o040000
    except (OSError, ValueError):
        return False


def _make_folders(path: str) -> None:
    if not _exists(path):
        _make_folders(os.path.dirname(path))
        _real_mkdir(path)


def _copy_folder(source: str, target: str) -> None:
    _real_mkdir(target)
    for name in _real_listdir(source):
        inner, copy = os.path.join(source, name), os.path.join(target, name)
        if _is_folder(inner):
            _copy_folder(inner, copy)
        elif _real_lstat(inner).st_mode & 0o170000 == 0o100000:  # a file; links and pipes are not worth it
            _copy(inner, copy, True)


def _copy(source: str, target: str, content: bool) -> None:
    """A stand-in for a file: its content if that is wanted, and its permissions."""
    about = _real_stat(source)
    if _is_folder(source):
        _make_folders(target)
        return
    if content and about.st_size > _LARGEST_COPY:
        raise PermissionError(f"a trial copies no file as large as {source!r} in order to write to it")
    with _real_open(target, "wb") as made:
        if content:
            with _real_open(source, "rb") as given:
                while part := given.read(1 << 20):
                    made.write(part)
    _chmod(target, about.st_mode & 0o777)


_chmod = os.chmod
