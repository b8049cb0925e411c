"""TensorBoard's event files, as far as curves need them: numbers by tag and step.

An event file is a row of records, each framed by its length and two checksums; a record is a protocol buffer with a
step and values by tag. Reading the five fields that matter takes a page, and the package that reads all of them brings
a web server along. The layout: https://github.com/tensorflow/tensorboard (compat/proto/event.proto, summary.proto,
tensor.proto) and the TFRecord format of TensorFlow; the wire format: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from nndoctor.errors import FileError
from nndoctor.logs.model import Row, Table

_HEAD, _FOOT = 12, 4  # bytes around a record: its length with a checksum, and a checksum of its content
_FLOAT, _DOUBLE = 1, 2  # numbers of tensor types
_MOST_FILES = 200

Buffer = bytes | memoryview


def is_events(path: Path) -> bool:
    """Whether a file is named as TensorBoard's writers do it."""
    return "tfevents" in path.name


def read_events(path: Path) -> Table:
    """One event file, or all of a directory. Raises FileError where a file is damaged, or there is none."""
    files = sorted(p for p in path.rglob("*") if p.is_file() and is_events(p)) if path.is_dir() else [path]
    if not files:
        raise FileError(f"{path}: a directory without TensorBoard's event files; name the log itself")
    if len(files) > _MOST_FILES:
        raise FileError(f"{path}: holds {len(files)} event files, of more than one run; name the directory of one run")
    remarks: list[str] = []
    series: dict[str, dict[int, float]] = {}
    apart = len({file.parent for file in files}) > 1
    for file in files:
        prefix = f"{file.parent.relative_to(path)}/" if apart and file.parent != path else ""
        _read_into(series, file, prefix, remarks)
    steps = sorted({step for values in series.values() for step in values})
    rows = [Row(f"step {step}", {"step": float(step), **{tag: values[step] for tag, values in series.items() if step in values}}) for step in steps]
    return Table(str(path), "TensorBoard events", rows, remarks)


def _read_into(series: dict[str, dict[int, float]], file: Path, prefix: str, remarks: list[str]) -> None:
    """Add the numbers of one file. A step that goes back starts a tag anew from there, as a resumed run does."""
    try:
        content = file.read_bytes()
    except OSError as e:
        raise FileError(f"{file}: cannot be read: {e.strerror}") from e
    try:
        for record in _records(content):
            step, values = _event(record)
            for tag, value in values:
                known = series.setdefault(prefix + tag, {})
                for later in [s for s in known if s >= step] if known and step <= max(known) else []:
                    del known[later]
                known[step] = value
    except _Broken as e:
        raise FileError(f"{file}: not an event file of TensorBoard, or a damaged one: {e}") from e
    except EOFError:
        remarks.append(f"{file.name} ends within a record: the run was cut off, or is still being written.")


class _Broken(ValueError):
    """What is wrong with a file."""


def _records(content: bytes) -> Iterator[memoryview]:
    """The records of a file. Raises EOFError where the last one is not whole, _Broken where a checksum is wrong."""
    view, at = memoryview(content), 0
    while at < len(view):
        if at + _HEAD > len(view):
            raise EOFError
        (length,), (check,) = struct.unpack_from("<Q", view, at), struct.unpack_from("<I", view, at + 8)
        if check != _masked(view[at : at + 8]):
            raise _Broken(f"wrong checksum at byte {at}")
        start, end = at + _HEAD, at + _HEAD + length
        if end + _FOOT > len(view):
            raise EOFError
        record = view[start:end]
        if struct.unpack_from("<I", view, end)[0] != _masked(record):
            raise _Broken(f"wrong checksum at byte {start}")
        yield record
        at = end + _FOOT


def _event(record: Buffer) -> tuple[int, list[tuple[str, float]]]:
    """Step, and numbers by tag."""
    step, values = 0, []
    for field, value in _fields(record):
        if field == 2 and isinstance(value, int):
            step = value
        elif field == 5 and not isinstance(value, int):
            values += [found for name, part in _fields(value) if name == 1 and not isinstance(part, int) and (found := _value(part)) is not None]
    return step, values


def _value(part: Buffer) -> tuple[str, float] | None:
    """Tag and number of one value of a summary; None for an image, a histogram or a text."""
    tag, number = "", None
    for field, value in _fields(part):
        if field == 1 and not isinstance(value, int):
            tag = bytes(value).decode("utf-8", "replace")
        elif field == 2 and not isinstance(value, int) and len(value) == 4:
            number = float(struct.unpack("<f", value)[0])
        elif field == 8 and not isinstance(value, int):
            number = _scalar(value)
    return (tag, number) if number is not None else None


def _scalar(tensor: Buffer) -> float | None:
    """The number in a tensor of a single one; None for any other tensor."""
    kind, raw = 0, b""
    for field, value in _fields(tensor):
        if field == 1 and isinstance(value, int):
            kind = value
        elif field in (4, 5, 6) and not isinstance(value, int):  # raw content, floats, doubles: the bytes are the same
            raw = bytes(value)
    form = {_FLOAT: "<f", _DOUBLE: "<d"}.get(kind)
    return float(struct.unpack(form, raw)[0]) if form and len(raw) == struct.calcsize(form) else None


def _fields(message: Buffer) -> Iterator[tuple[int, int | memoryview]]:
    """Number and content of each field: an int for a varint, bytes for all else. Raises _Broken."""
    view, at = memoryview(message), 0
    while at < len(view):
        key, at = _varint(view, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(view, at)
            yield key >> 3, value
            continue
        if kind not in (1, 2, 5):
            raise _Broken(f"a field of unknown kind {kind}")
        size, at = _varint(view, at) if kind == 2 else (8 if kind == 1 else 4, at)
        if at + size > len(view):
            raise _Broken("a field is longer than its record")
        yield key >> 3, view[at : at + size]
        at += size


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends; of 64 bits, the highest is its sign."""
    value = shift = 0
    while at < len(view) and shift < 70:
        byte = view[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            value &= (1 << 64) - 1
            return (value - (1 << 64) if value >> 63 else value), at
    raise _Broken("a number without an end")


@cache
def _table() -> list[int]:
    """The remainders of CRC-32C (Castagnoli) by byte."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


def _masked(content: Buffer) -> int:
    """The checksum of a record as TFRecord stores it: rotated, and moved by a constant."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in bytes(content):
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
