"""Logs that are text: CSV as Keras and Lightning write it, JSON lines, Hugging Face's trainer_state.json, histories."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from nndoctor.errors import FileError
from nndoctor.logs.model import Row, Table

_DELIMITERS = ",\t;"
_EXPECTED = "expected one JSON object a line, a list of objects, a table of lists, or Hugging Face's trainer_state.json"


def read_text(path: Path) -> Table:
    """The log in a text file; what it is, its content tells. Raises FileError, with the line at fault."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as e:
        raise FileError(f"{path}: not UTF-8 text (byte {e.start}); of binary logs only TensorBoard's events.out.tfevents... are read") from e
    except OSError as e:
        raise FileError(f"{path}: cannot be read: {e.strerror}") from e
    if "\0" in text:
        raise FileError(f"{path}: not text: it holds null bytes")
    if not text.strip():
        raise FileError(f"{path}: is empty")
    if text.lstrip()[0] not in "{[":
        return _csv(text, path)
    try:
        content = json.loads(text)
    except RecursionError:
        raise FileError(f"{path}: not a log: its JSON is nested too deeply") from None
    except ValueError as whole:
        if "\n" not in text.strip() or text.lstrip()[0] == "[":
            raise FileError(f"{path}: not JSON: {whole}") from whole
        return _json_lines(text, path)
    return _json(content, path)


# --- CSV ----------------------------------------------------------------------------------------------------------


def _csv(text: str, path: Path) -> Table:
    first = text.lstrip("\r\n").splitlines()[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    head: list[str] = []
    try:
        for cells in reader:
            if not any(c.strip() for c in cells):
                continue
            if not head:
                head = _head(cells, path)
            elif [c.strip() for c in cells] != head:  # a log that was appended to may name its columns again
                rows.append(_cells(cells, head, path, reader.line_num))
    except csv.Error as e:
        raise FileError(f"{path}:{reader.line_num}: not CSV: {e}") from e
    if not rows:
        raise FileError(f"{path}: names columns and holds no row")
    return Table(str(path), "CSV", rows)


def _head(cells: list[str], path: Path) -> list[str]:
    head = [c.strip() for c in cells]
    if any(isinstance(_number(c), float) for c in head):
        raise FileError(f"{path}: its first line names no columns; expected a line such as `epoch,loss,val_loss`")
    return head


def _cells(cells: list[str], head: list[str], path: Path, line: int) -> Row:
    if len(cells) > len(head) and any(c.strip() for c in cells[len(head) :]):
        raise FileError(f"{path}:{line}: {len(cells)} cells, where the first line names {len(head)}; expected a CSV with a line of column names")
    return Row(f"line {line}", {name: _number(cell.strip()) for name, cell in zip(head, cells, strict=False) if name and cell.strip()})


# --- JSON ---------------------------------------------------------------------------------------------------------


def _json_lines(text: str, path: Path) -> Table:
    rows: list[Row] = []
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    remarks = []
    for number, line in lines:
        try:
            content = json.loads(line)
        except (ValueError, RecursionError) as e:
            if number == lines[-1][0] and rows and not text.endswith("\n"):
                remarks.append("The last line is not whole: the run was cut off, or is still being written.")
                break
            raise FileError(f"{path}:{number}: not JSON: {e}") from e
        if not isinstance(content, dict):
            raise FileError(f"{path}:{number}: not a JSON object; {_EXPECTED}")
        if content.get("kind") == "header" and "nndoctor" in content:
            raise FileError(f"{path}: a recording of nndoctor, which holds more than curves; use `nndoctor diagnose {path}`")
        rows.append(Row(f"line {number}", _flat(content)))
    return Table(str(path), "JSON lines", rows, remarks)


def _json(content: Any, path: Path) -> Table:
    """One JSON value: a list of objects, Hugging Face's state, or a table of lists such as a Keras history."""
    form = "JSON"
    if isinstance(content, dict):
        if isinstance(content.get("log_history"), list):
            content, form = content["log_history"], "Hugging Face trainer state"
        elif content.get("kind") == "header" and "nndoctor" in content:
            raise FileError(f"{path}: a recording of nndoctor that holds no step")
        else:
            content = _columns(content) or [content]
    if not isinstance(content, list) or not content or not all(isinstance(entry, dict) for entry in content):
        raise FileError(f"{path}: not a log: {_EXPECTED}")
    return Table(str(path), form, [Row(f"entry {i}", _flat(entry)) for i, entry in enumerate(content, 1)])


def _columns(content: dict[str, Any]) -> list[dict[str, Any]]:
    """A table of lists as a list of rows; empty where it is none."""
    lists = {k: v for k, v in content.items() if isinstance(v, list) and v and not isinstance(v[0], (dict, list))}
    return [{k: v[i] for k, v in lists.items() if i < len(v)} for i in range(max(map(len, lists.values()), default=0))]


def _flat(entry: dict[str, Any], prefix: str = "") -> dict[str, float | str]:
    """Nested objects as names with a slash; what can be no number is left out."""
    found: dict[str, float | str] = {}
    for key, value in entry.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found |= _flat(value, f"{name}/")
        elif isinstance(value, bool) or value is None or isinstance(value, list):
            continue
        elif isinstance(value, str):
            found[name] = _number(value.strip())
        else:
            found[name] = _float(value)
    return found


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def _float(value: float) -> float:
    """A whole number of any length as a float."""
    try:
        return float(value)
    except OverflowError:
        return float("inf")
