"""A Python that has imported torch already, for tests that run many scripts: each run is a fork of it.

An import of torch takes seconds, most scripts of these tests a fraction of one. `nursery()` gives the path of an executable
that stands in for Python, as the `python` of a `Target` and in `python train.py`: it hands its arguments, files, folder and environment
to a process that waits with torch in place. That forks, and the fork becomes the script; the stand-in ends as the fork does, and the
fork with the stand-in. What a run does before torch is imported cannot be tested so.
"""

from __future__ import annotations

import array
import contextlib
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_STAND_IN = """\
#!{python} -IS
import array, json, os, signal, socket, sys
line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
line.connect({address!r})
watched = sys.argv[1].endswith("child.py")
fd = int(sys.argv[2]) if watched else 0
order = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
line.sendmsg([len(order).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2, fd]))])
line.sendall(order)
for given in {{0, 1, 2, fd}}:
    os.close(given)
status = int(line.makefile().readline() or 9)
if os.WIFSIGNALED(status):
    if os.WTERMSIG(status) != signal.SIGKILL:
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
    os.kill(os.getpid(), os.WTERMSIG(status))
os._exit(os.WEXITSTATUS(status))
"""


# What torch's first optimiser imports, and takes torch along.
TORCH = "torch._dynamo"


@contextlib.contextmanager
def nursery(folder: Path, *libraries: str) -> Iterator[str]:
    """The stand-in's path, in `folder`, while the process that waits is there, which has imported `libraries` beside torch."""
    address = str(folder / "nursery")
    stand_in = folder / "python"
    stand_in.write_text(_STAND_IN.format(python=sys.executable, address=address))
    stand_in.chmod(0o755)
    process = subprocess.Popen([sys.executable, __file__, address, TORCH, *libraries], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdin is not None
        assert b"ready\n" == process.stdout.readline()
        yield str(stand_in)
    finally:
        process.kill()
        process.wait()


# --- the process that waits ---------------------------------------------------------------------------------------


def _serve(address: str, libraries: list[str]) -> bool:
    """Fork for every stand-in that knocks. Returns True in each fork, and False once standard input ends."""
    for library in libraries:
        importlib.import_module(library)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(address)
    door.listen()
    print("ready", flush=True)
    children: dict[int, tuple[int, socket.socket]] = {}  # by the descriptor of the line
    while True:
        readable, _, _ = select.select([sys.stdin, door, *children], [], [], 0.02)
        if sys.stdin in readable:
            return False
        if door in readable:
            line, _ = door.accept()
            pid = _fork(line, [door, *(known for _, known in children.values())])
            if pid == 0:
                return True
            children[line.fileno()] = (pid, line)
        for number, (pid, line) in list(children.items()):
            if number in readable:  # the stand-in is gone
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with contextlib.suppress(OSError):
                    line.sendall(f"{status}\n".encode())
                line.close()
                del children[number]


def _fork(line: socket.socket, others: list[socket.socket]) -> int:
    """As os.fork: 0 in the fork, which has become what the line asks for."""
    head, control, _, _ = line.recvmsg(4, socket.CMSG_SPACE(16))
    fds = array.array("i")
    for _, _, data in control:
        fds.frombytes(data)
    order = b""
    while len(order) < int.from_bytes(head, "big"):
        order += line.recv(1 << 20)
    pid = os.fork()
    if pid == 0:
        for other in (line, *others):
            other.close()
        _become(fds, *json.loads(order))
        return 0
    for fd in fds:
        os.close(fd)
    return pid


def _become(fds: array.array[int], argv: list[str], folder: str, environment: dict[str, str]) -> None:
    """In the fork: take over the files, the folder, the arguments and the environment of the stand-in."""
    os.chdir(folder)
    for number, fd in enumerate(fds[:3]):
        os.dup2(fd, number)
        os.close(fd)
    if argv[0].endswith("child.py"):
        argv[1] = str(fds[3])
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(argv[0]))
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = argv


if __name__ == "__main__":
    if _serve(sys.argv[1], sys.argv[2:]):  # a fork: be `python argv` from here on
        _names = {"__name__": "__main__", "__file__": sys.argv[0], "__loader__": __loader__, "__builtins__": __builtins__}
        _names.update(__doc__=None, __package__=None, __spec__=None, __annotations__={}, __cached__=None)
        sys.modules["__main__"].__dict__.update(_names)
        exec(compile(Path(sys.argv[0]).read_bytes(), os.path.abspath(sys.argv[0]), "exec", dont_inherit=True), sys.modules["__main__"].__dict__)
