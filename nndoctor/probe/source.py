"""What the text of the user's files shows: names of methods that are never called, and rows that are moved alone.

Read after the run, from the files that took part in it. Evidence beside the run and never a verdict: a line may be one
that was not reached.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterable, Iterator

from nndoctor.probe.where import is_user_file
from nndoctor.record.model import Place, Recording, SourceHint

_MOST_FILES, _MOST_BYTES = 20, 2_000_000
_METHODS = frozenset({"zero_grad", "step", "backward", "train", "eval"})
# Functions and methods that put the rows of an array into another order, by where the array stands.
_IN_PLACE = frozenset({"shuffle"})  # of an argument, or of the object itself where it is a list's sort or reverse
_OF_ITSELF = frozenset({"sort", "reverse"})
_RETURNING = frozenset({"permutation", "permuted", "shuffle", "sort", "sorted", "flip", "flipud", "roll", "sample"})
_PERMUTATIONS = frozenset({"randperm", "permutation"})
_Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef


def hints(recording: Recording) -> list[SourceHint]:
    """What the files of a run show, by file and line. A file that cannot be read, or parsed, shows nothing."""
    found: list[SourceHint] = []
    for file in _files(recording):
        try:
            tree = ast.parse(_source(file))
        except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        found += (SourceHint(what, Place(file, node.lineno), _text(node)) for what, node in (*_uncalled(tree), *_moved_apart(tree)))
    return found


def _source(file: str) -> bytes | str:
    """The text of a file, or of a notebook's cell. Raises OSError."""
    try:
        with open(file, "rb") as f:
            return f.read(_MOST_BYTES)
    except FileNotFoundError:
        return "".join(linecache.getlines(file))


def _files(recording: Recording) -> list[str]:
    """The script, and every other file of the user's that the loop's places name."""
    places = [recording.header.script]
    for part in (recording.models, recording.optimizers, recording.losses, recording.loaders, recording.calls):
        places += [record.place.file for record in part if record.place is not None]
    return [file for file in dict.fromkeys(places) if is_user_file(file)][:_MOST_FILES]


def _text(node: ast.stmt) -> str:
    return " ".join(ast.unparse(node).split())[:120]


def _uncalled(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Statements that name a method and do not call it: `optimizer.zero_grad`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Attribute) and node.value.attr in _METHODS:
            yield f"uncalled:{node.value.attr}", node


def _moved_apart(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Statements that put one of two arrays into another order, where both are handed on side by side."""
    for scope in ast.walk(tree):
        if isinstance(scope, _Scope):
            own = list(_statements(scope.body))
            moves = [(name, node) for node in own if (name := _moved(node))]
            for name, node in moves:
                others = _beside(name, own)
                if others and not others & {other for other, _ in moves}:
                    yield "moved-apart", node


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a scope, those of inner blocks too, without the bodies of functions and classes in it."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        yield node
        for name in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(node, name, []))


def _moved(node: ast.stmt) -> str:
    """The name whose rows a statement puts into another order; "" where it does no such thing."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        if _called(call) in _IN_PLACE and len(call.args) == 1:
            return _name(call.args[0])
        if _called(call) in _OF_ITSELF and isinstance(call.func, ast.Attribute):
            return _name(call.func.value)
        return ""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return ""
    target = node.targets[0]
    name = _name(target.elts[0]) if isinstance(target, ast.Tuple) and target.elts else _name(target)
    return name if name and name == _reordered(node.value) else ""


def _reordered(value: ast.expr) -> str:
    """The name of which an expression is a new order."""
    if isinstance(value, ast.Attribute):  # y.sort().values
        return _reordered(value.value)
    if isinstance(value, ast.Subscript):
        inner = value.slice
        drawn = isinstance(inner, ast.Call) and _called(inner) in _PERMUTATIONS
        backwards = isinstance(inner, ast.Slice) and inner.step is not None and ast.unparse(inner.step) == "-1"
        return _name(value.value) if drawn or backwards else _reordered(value.value)
    if isinstance(value, ast.Call) and _called(value) in _RETURNING:
        arrays = [a for a in value.args if _name(a)]
        owner = _name(value.func.value) if isinstance(value.func, ast.Attribute) else ""
        return _name(arrays[0]) if len(arrays) == 1 else owner if not arrays else ""
    return ""


def _beside(name: str, statements: list[ast.stmt]) -> set[str]:
    """The names that are handed to a call together with this one."""
    found: set[str] = set()
    for node in statements:
        for call in ast.walk(node):
            if isinstance(call, ast.Call):
                names = [_name(a) for a in call.args]
                if name in names:
                    found |= {n for n in names if n} - {name}
    return found


def _called(call: ast.Call) -> str:
    """The last part of what is called."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


def _name(node: ast.expr) -> str:
    """A variable, or an attribute of one, as it is written."""
    return ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
