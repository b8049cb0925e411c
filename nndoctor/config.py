"""Settings of the command: defaults, a configuration file, the command line, in rising order of precedence.

A file is YAML or TOML with the keys of `KEYS`: the nearest `nndoctor.yaml`, or `[tool.nndoctor]` in the nearest
pyproject.toml. All mistakes of a file are reported at once, each with what would be valid.
"""

from __future__ import annotations

import difflib
import importlib
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nndoctor.errors import FileError, UsageError
from nndoctor.report.formats import FORMATS

OWN_FILE = "nndoctor.yaml"  # found at or above the script; `nndoctor init` writes it
FAIL_ON = ("error", "warning", "note", "never")
COMMAND_LINE = "command line"
EXAMPLE = "for example `steps: 500` in YAML, `steps = 500` in TOML"


@dataclass(frozen=True)
class Settings:
    """Everything that a file may set, with the values that hold where nobody sets them."""

    steps: int = 300
    seconds: float = 60.0
    wait: float = 10.0  # 0 where `steps` is set and this is not: who names a number gets it
    timeout: float = 600.0
    fail_on: str = "warning"
    format: str = "text"
    select: frozenset[str] = frozenset()  # cause ids; empty: all
    ignore: frozenset[str] = frozenset()
    thresholds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # by symptom name
    trials: int = 12  # at most; 0: none
    budget: float = 60.0  # seconds for all trials together
    run: int = 0  # which training of the script is judged, from 1; 0: the last


@dataclass(frozen=True)
class Names:
    """The causes and symptoms that exist: only these may be named."""

    causes: Collection[str]
    symptoms: Collection[str]


class _WrongError(Exception):
    """What is wrong with one value: the end of a sentence that begins with its key."""


def known_names() -> Names:
    """The names of the knowledge base and of the catalogue that ship."""
    from nndoctor.knowledge.loader import load_causes
    from nndoctor.symptoms.catalogue import CATALOGUE

    return Names(load_causes().keys(), [s.name for s in CATALOGUE])


def settings(file: Path | None, start: Path, options: Mapping[str, Any], source: str = COMMAND_LINE) -> Settings:
    """The settings for one run: `options`, of the command line or of another `source`, over those of `file`, or else of what
    `read_nearest` finds at or above `start`. An option that is None was not given.

    Raises UsageError with every mistake of the source at fault.
    """
    written = read_file(file) if file is not None else read_nearest(start)
    from_file = check(written.content, written.source) if written is not None else {}
    given = {key.replace("_", "-"): value for key, value in options.items() if value is not None}
    chosen = {**from_file, **check(given, source, hint="")}
    return Settings(**({"wait": 0.0} if "steps" in chosen else {}) | chosen)


@dataclass(frozen=True)
class Written:
    """A table of settings as it stands in a file, and the file's name."""

    source: str
    content: dict[Any, Any]


def read_file(path: Path) -> Written:
    """The settings in a YAML or TOML file; of one with tables of tools, its `[tool.nndoctor]`. Raises FileError."""
    text = _text(path)
    if path.suffix.lower() == ".toml":
        table = _parse_toml(text, path)
        if "tool" in table:
            table = _tool_table(table, path) or {}
    elif path.suffix.lower() in (".yaml", ".yml"):
        table = _parse_yaml(text, path)
    else:
        raise FileError(f"{path}: a configuration is .yaml, .yml or .toml")
    if not isinstance(table, dict):
        raise FileError(f"{path}: not a table of settings; {EXAMPLE}")
    return Written(str(path), table)


def read_nearest(start: Path) -> Written | None:
    """The nearest `nndoctor.yaml`, or pyproject.toml with a `[tool.nndoctor]`, at or above `start`; None where there is none.

    Of two in one directory the file that is ours alone is read. A pyproject.toml that does not mention us is not even
    parsed: its mistakes are not ours to report.
    """
    try:
        here = start.resolve()
    except OSError:
        return None
    for directory in (here, *here.parents):
        if (directory / OWN_FILE).is_file():
            return read_file(directory / OWN_FILE)
        path = directory / "pyproject.toml"
        if not path.is_file():
            continue
        text = _text(path)
        if "nndoctor" not in text:
            continue
        table = _tool_table(_parse_toml(text, path), path)
        if table is not None:
            return Written(f"{path} [tool.nndoctor]", table)
    return None


def _tool_table(content: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """`[tool.nndoctor]`, None where there is none."""
    tool = content.get("tool")
    table = tool.get("nndoctor") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise FileError(f"{path}: tool.nndoctor is not a table; {EXAMPLE}")
    return table


def check(content: Mapping[Any, Any], source: str, names: Names | None = None, hint: str = f" ({EXAMPLE})") -> dict[str, Any]:
    """Fields of `Settings` from a table. Names are compared with `names`, or with those that ship where any is given.

    Raises UsageError with all mistakes on one line, and the hint at its end.
    """
    fields: dict[str, Any] = {}
    mistakes = []
    if names is None and any(content.get(key) for key in ("select", "ignore", "thresholds")):
        names = known_names()
    for key, value in content.items():
        if key not in KEYS:
            near = _near(str(key).replace("_", "-"), KEYS)
            mistakes.append(f"{key!r} is no setting{near}; valid are {', '.join(KEYS)}")
            continue
        try:
            fields[key.replace("-", "_")] = KEYS[key].read(value, names or Names((), ()))
        except _WrongError as wrong:
            mistakes.append(f"{key} {wrong}")
    if mistakes:
        raise UsageError(f"{source}: {'; '.join(mistakes)}{hint}")
    return fields


def suggestion(name: str, valid: Collection[str]) -> str:
    """The valid name that was most likely meant, empty where none is near."""
    return next(iter(difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)), "")


def _near(name: str, valid: Collection[str]) -> str:
    near = suggestion(name, valid)
    return f" (did you mean {near!r}?)" if near else ""


def _number(value: Any) -> float:
    """A finite number. PyYAML reads 1e-3 as a string, and True is an int to Python."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            pass
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _WrongError(f"must be a number, not {value!r}")
    return value


def _positive(value: Any, names: Names) -> float:
    found = float(_number(value))
    if found <= 0:
        raise _WrongError(f"must be above 0, not {value!r}")
    return found


def _patience(value: Any, names: Names) -> float:
    found = float(_number(value))
    if found < 0:
        raise _WrongError(f"must be 0 or above, not {value!r}")
    return found


def _whole(value: Any, names: Names) -> int:
    found = _number(value)
    if found != int(found) or found < 1:
        raise _WrongError(f"must be a whole number from 1, not {value!r}")
    return int(found)


def _nth(value: Any, names: Names) -> int:
    """A whole number from 1, or 0 for the last."""
    return 0 if value == 0 and not isinstance(value, bool) else _whole(value, names)


def _count(value: Any, names: Names) -> int:
    """A whole number from 0; `false` in a file stands for none, `true` for as many as there are by default."""
    if isinstance(value, bool):
        return Settings.trials if value else 0
    found = _number(value)
    if found != int(found) or found < 0:
        raise _WrongError(f"must be a whole number from 0, not {value!r}")
    return int(found)


def _one_of(valid: tuple[str, ...]) -> Callable[[Any, Names], str]:
    def read(value: Any, names: Names) -> str:
        if value not in valid:
            raise _WrongError(f"must be one of {', '.join(valid)}, not {value!r}")
        return str(value)

    return read


def _causes(value: Any, names: Names) -> frozenset[str]:
    """Ids of causes: a list of strings, each possibly several with commas between."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(p, str) for p in parts):
        raise _WrongError(f"must be a list of cause ids such as [lr-too-low, not-shuffled], not {value!r}")
    ids = [i.strip() for part in parts for i in part.split(",") if i.strip()]
    unknown = [f"{i!r}{_near(i, names.causes)}" for i in ids if i not in names.causes]
    if unknown:
        raise _WrongError(f"names no cause: {', '.join(unknown)}; `nndoctor causes` lists them")
    return frozenset(ids)


def _thresholds(value: Any, names: Names) -> Mapping[str, float]:
    if not isinstance(value, dict):
        raise _WrongError(f"must be a table of numbers by symptom such as {{updates-tiny: 1e-6}}, not {value!r}")
    wrong = [f"{n!r}{_near(str(n), names.symptoms)}" for n in value if n not in names.symptoms]
    if wrong:
        raise _WrongError(f"names no symptom: {', '.join(wrong)}; `nndoctor symptoms` lists them")
    numbers = {}
    for name, limit in value.items():
        try:
            numbers[name] = _positive(limit, names)
        except _WrongError as error:
            raise _WrongError(f"of {name} {error}") from None
    return MappingProxyType(numbers)


@dataclass(frozen=True)
class Key:
    """A setting that a file may hold: the function that reads its value, and what it does, in one line for who sets it."""

    read: Callable[[Any, Names], Any]
    what: str


# In the order in which a file holds them. Its default is that of the field of `Settings` with the same name.
KEYS: dict[str, Key] = {
    "steps": Key(_whole, "How many optimiser steps are watched ..."),
    "seconds": Key(_positive, "... or how many seconds of training, if they are over first."),
    "wait": Key(_patience, "Where those steps have shown no validation pass: how many seconds more one is awaited; 0 where steps are set."),
    "timeout": Key(_positive, "Seconds after which the run is stopped come what may, loading of data included."),
    "run": Key(_nth, "Of a script with several trainings, which one is judged, from 1; 0 is the last that is seen."),
    "trials": Key(_count, "Where something is wrong, cures of the suspects are tried, in so many runs at most; 0 is none."),
    "budget": Key(_positive, "Seconds for all trials together."),
    "fail-on": Key(_one_of(FAIL_ON), f"The exit code is 1 for a finding of this severity or worse: {', '.join(FAIL_ON)}."),
    "format": Key(_one_of(tuple(FORMATS)), f"The report where the command line names none: {', '.join(FORMATS)}."),
    "select": Key(_causes, "Only these causes are suspected, all if there are none: ids as `nndoctor causes` lists them."),
    "ignore": Key(_causes, "These causes are never suspected: [class-imbalance, not-shuffled], for example."),
    "thresholds": Key(_thresholds, "Thresholds by symptom, as `nndoctor symptoms` lists them: {updates-tiny: 1e-7}, for example."),
}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as e:
        raise FileError(f"{path}: cannot be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise FileError(f"{path}: not UTF-8 text (byte {e.start})") from e


def _parse_yaml(text: str, path: Path) -> Any:
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise FileError(f"{path}{line}: not YAML: {getattr(e, 'problem', None) or e}") from e
    return {} if content is None else content


def _parse_toml(text: str, path: Path) -> dict[str, Any]:
    """TOML by the standard library, by tomli on Python 3.10."""
    for name in ("tomllib", "tomli"):
        try:
            toml = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        try:
            content: dict[str, Any] = toml.loads(text)
        except ValueError as e:
            raise FileError(f"{path}: not TOML: {e}") from e
        return content
    raise FileError(f"{path}: Python 3.10 reads no TOML by itself; install tomli, or use a YAML file with --config")
