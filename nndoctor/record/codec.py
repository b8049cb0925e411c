"""Recording to JSON lines and back.

JSON has no NaN: a non-finite number is spelt as the string "nan", "inf" or "-inf" wherever a number may stand.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from nndoctor.errors import FileError
from nndoctor.record.model import FORMAT, RECORD_TYPES, Header, Recording

# What reading a line can raise where it is no record of ours.
MALFORMED = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
_NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_BY_KIND: dict[str, type] = {t.kind: t for t in RECORD_TYPES}  # type: ignore[attr-defined]
_LISTS = {
    "model": "models", "module": "modules", "parameter": "parameters", "optimizer": "optimizers",
    "setting": "settings", "scheduler": "schedulers", "loader": "loaders", "loss": "losses", "graph": "graphs",
    "step": "steps", "sample": "samples", "activation": "activations", "site": "sites", "features": "features",
    "labels": "labels", "holdout": "holdouts", "vocabulary": "vocabularies", "overlap": "overlaps", "rows": "rows", "reshaping": "reshapings", "sequence": "sequences", "recurrence": "recurrences", "evaluation": "evaluations", "reference": "references", "call": "calls", "mode": "modes",
    "nonfinite": "nonfinite", "training": "trainings", "rank": "ranks", "replica": "replicas", "shard": "shards", "hint": "hints", "change": "changes", "problem": "problems",
}  # fmt: skip


def encode(record: Any) -> str:
    """One record as one line of JSON, without the line's end."""
    data = {"kind": record.kind, **_plain(record)}
    try:
        return _ENCODER.encode(data)
    except ValueError:
        return _ENCODER.encode(_spelt(data))


# Made before the script runs: what it puts in the place of json.dumps is its own affair.
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def _plain(record: Any) -> dict[str, Any]:
    """Fields that differ from their default, nested dataclasses as dicts."""
    out = {}
    for name, default in _fields(type(record)):  # type: ignore[arg-type]
        value = getattr(record, name)
        if value is default or (default is not dataclasses.MISSING and type(value) is type(default) and value == default):
            continue
        out[name] = _plain_value(value)
    return out


def _plain_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _plain(value)
    if isinstance(value, list) and value and dataclasses.is_dataclass(value[0]):
        return [_plain(v) for v in value]
    return value


@cache
def _fields(cls: type) -> list[tuple[str, Any]]:
    return [
        (f.name, f.default if f.default_factory is dataclasses.MISSING else f.default_factory())
        for f in dataclasses.fields(cls)
    ]


def _spelt(value: Any) -> Any:
    """The same structure with every non-finite float spelt out."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, dict):
        return {k: _spelt(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spelt(v) for v in value]
    return value


def decode(line: str) -> Any:
    """The record that one line holds. Unknown fields are dropped, an unknown kind gives None.

    Raises one of MALFORMED where the line is not a record.
    """
    data = json.loads(line)
    if not isinstance(data, dict) or "kind" not in data:
        raise ValueError("not a record: no 'kind'")
    cls = _BY_KIND.get(data.pop("kind"))
    return None if cls is None else _reader(cls)(data)


@cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    """A function that turns parsed JSON into a value of the given type."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = typing.get_type_hints(hint)
        readers = {f.name: _reader(hints[f.name]) for f in dataclasses.fields(hint)}
        return lambda d: hint(**{k: readers[k](v) for k, v in d.items() if k in readers})
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        inner = [_reader(a) for a in arguments if a is not type(None)]
        return lambda v: None if v is None else inner[0](v)
    if origin is list:
        item = _reader(arguments[0])
        return lambda v: [item(x) for x in _expected(v, list)]
    if origin is dict:
        entry = _reader(arguments[1])
        return lambda v: {k: entry(x) for k, x in v.items()}
    if hint is float:
        return lambda v: _NUMBERS[v] if isinstance(v, str) else float(v)
    if hint is Any:
        return _unspelt
    return lambda v: _expected(v, hint)


def _expected(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _unspelt(value: Any) -> Any:
    """What `_spelt` made, undone."""
    if isinstance(value, str):
        return _NUMBERS.get(value, value)
    if isinstance(value, dict):
        return {k: _unspelt(v) for k, v in value.items()}
    return [_unspelt(v) for v in value] if isinstance(value, list) else value


def assemble(records: Iterable[Any]) -> Recording:
    """A recording from its records, in the order in which they were written. The first must be the header."""
    stream = iter(records)
    header = next(stream, None)
    if not isinstance(header, Header):
        raise ValueError("a recording begins with its header")
    recording = Recording(header)
    for record in stream:
        if record is None or isinstance(record, Header):
            continue
        if record.kind == "end":
            recording.end = record
        else:
            getattr(recording, _LISTS[record.kind]).append(record)
    return recording


def _lines(recording: Recording) -> Iterator[Any]:
    yield recording.header
    for name in _LISTS.values():
        yield from getattr(recording, name)
    if recording.end is not None:
        yield recording.end


def save(recording: Recording, path: str | Path) -> None:
    """Write a recording as JSON lines. Raises FileError where the file cannot be written."""
    try:
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(encode(r) + "\n" for r in _lines(recording))
    except OSError as e:
        raise FileError(f"{path}: cannot be written: {e.strerror}") from e


def load(path: str | Path) -> Recording:
    """Read a recording. Raises FileError where the file is missing or is none, with the line at fault."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise FileError(f"{path}: cannot be read: {getattr(e, 'strerror', None) or e}") from e
    records: list[Any] = []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            records.append(decode(line))
        except MALFORMED as e:
            if number == len(lines) and not text.endswith("\n"):
                break  # cut off while it was written: what came before it stands
            raise FileError(f"{path}:{number}: not a line of a recording ({e}); was it saved with --save?") from e
    if not records or not isinstance(records[0], Header):
        raise FileError(f"{path}: not a recording: its first line is no header; save one with `nndoctor check --save`")
    if not isinstance(records[0].format, int):
        raise FileError(f"{path}:1: not a recording: its format is {records[0].format!r}, no number")
    if records[0].format > FORMAT:
        raise FileError(f"{path}: format {records[0].format} is newer than this nndoctor reads ({FORMAT}); upgrade")
    return assemble(records)
