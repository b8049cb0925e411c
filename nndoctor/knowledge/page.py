"""A YAML file as a page that is asked for values of a given type and notes every mistake on the way.

YAML turns `no` into False and `1e-3` into text without a word; a misspelt name would merely never count. Nothing here
knows what a page is about.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

from nndoctor.errors import KnowledgeError

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML without libyaml: ten times as slow, the same otherwise
    from yaml import SafeLoader  # type: ignore[assignment]


class Mistakes:
    """Everything found wrong so far, one line each: `file: key: what is wrong; valid: ...`."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, file: str, key: str, wrong: str, valid: str) -> None:
        self.lines.append(": ".join(part for part in (file, key, wrong) if part) + f"; valid: {valid}")

    def raise_any(self) -> None:
        """Raises KnowledgeError with all lines, if there are any."""
        if self.lines:
            raise KnowledgeError("\n".join(self.lines))


class Page:
    """A YAML mapping. Each reading method returns a stand-in where the value will not do, and notes why.

    The stand-in lets the reading go on to the next mistake; `Mistakes.raise_any` keeps it from being used. A missing
    key is noted by `check_keys` alone.
    """

    def __init__(self, file: str, content: dict[Any, Any], mistakes: Mistakes, path: str = "") -> None:
        self._file = file
        self._path = path
        self._mistakes = mistakes
        self._content: dict[str, Any] = {}
        for key, value in content.items():
            if isinstance(key, str):
                self._content[key] = value
            else:
                self.mistake(str(key), f"the key {_described(key)}, not text", "a key in quotes")

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def mistake(self, key: str, wrong: str, valid: str) -> None:
        self._mistakes.add(self._file, f"{self._path}.{key}" if self._path else key, wrong, valid)

    def check_keys(self, required: Collection[str], optional: Collection[str] = ()) -> None:
        """Every required key is there, and none that nobody reads."""
        allowed = [*required, *optional]
        for key in self._content:
            if key not in allowed:
                self.mistake(key, "unknown key", nearest_first(key, allowed))
        for key in required:
            if key not in self._content:
                self.mistake(key, "missing", f"all of {', '.join(required)}")

    def text(self, key: str, may_be_empty: bool = False) -> str:
        if key not in self._content:
            return ""
        return self._text(key, self._content[key], may_be_empty)

    def texts(self, key: str) -> list[str]:
        return [self._text(f"{key}[{i}]", value) for i, value in enumerate(self._list(key))]

    def name(self, key: str, valid: Collection[str] | None) -> str:
        """A text that is one of `valid`; None: any text will do."""
        if key not in self._content:
            return ""
        return self._name(key, self._content[key], valid)

    def names(self, key: str, valid: Collection[str] | None) -> list[str]:
        """A list of such names, none of them twice."""
        found = [self._name(f"{key}[{i}]", value, valid) for i, value in enumerate(self._list(key))]
        self.refuse_twins(key, found)
        return found

    def number(self, key: str, lowest: float = -math.inf, highest: float = math.inf) -> float:
        if key not in self._content:
            return 0.0
        value = self._content[key]
        valid = "a number such as -4 or 0.5"
        if isinstance(value, str) and _is_number(value):
            self.mistake(key, f"YAML reads {value} as text, not as a number", f"{float(value)!r}, without quotes")
            return 0.0
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.mistake(key, f"{_described(value)}, not a number", valid)
            return 0.0
        if not math.isfinite(value):
            self.mistake(key, "is not finite", valid)
            return 0.0
        if not lowest <= value <= highest:
            self.mistake(key, f"{value!r} is out of range", f"a number from {lowest:g} to {highest:g}")
            return 0.0
        return float(value)

    def inner(self, key: str) -> Page | None:
        """The mapping under a key."""
        if key not in self._content:
            return None
        return self._inner(key, self._content[key])

    def entries(self, key: str, required: Collection[str], optional: Collection[str] = ()) -> list[Page]:
        """A list of mappings with these keys; what is no mapping is left out."""
        pages = [self._inner(f"{key}[{i}]", value) for i, value in enumerate(self._list(key))]
        found = [page for page in pages if page is not None]
        for page in found:
            page.check_keys(required, optional)
        return found

    def refuse_empty(self, key: str) -> None:
        if self._content.get(key) == []:
            self.mistake(key, "is an empty list", "at least one entry")

    def refuse_twins(self, key: str, names: list[str]) -> None:
        for name in sorted({name for name in names if name and names.count(name) > 1}):
            self.mistake(key, f"{name!r} stands there more than once", "each name once")

    def _list(self, key: str) -> list[Any]:
        if key not in self._content:
            return []
        value = self._content[key]
        if isinstance(value, list):
            return value
        self.mistake(key, f"{_described(value)}, not a list", "[] or lines that begin with '- '")
        return []

    def _inner(self, key: str, value: Any) -> Page | None:
        if isinstance(value, dict):
            return Page(self._file, value, self._mistakes, f"{self._path}.{key}" if self._path else key)
        self.mistake(key, f"{_described(value)}, not a mapping", "lines of `key: value`")
        return None

    def _text(self, key: str, value: Any, may_be_empty: bool = False) -> str:
        if not isinstance(value, str):
            self.mistake(key, f"{_described(value)}, not text", "text, in quotes where YAML reads it as something else")
            return ""
        if not value.strip() and not may_be_empty:
            self.mistake(key, "is empty", "some text")
        return value.strip("\n").rstrip()

    def _name(self, key: str, value: Any, valid: Collection[str] | None) -> str:
        name = self._text(key, value)
        if name and valid is not None and name not in valid:
            self.mistake(key, f"{name!r} is unknown", nearest_first(name, valid))
        return name


class _StrictLoader(SafeLoader):
    """A safe loader that does not let the second of two equal keys win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value!r} is written twice", problem_mark=key.start_mark
                )
            seen.add(str(key.value))
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


def read_page(file: Path, mistakes: Mistakes) -> Page | None:
    """The file as a page; None, with the reason noted, where it holds no mapping at all."""
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except OSError as error:
        mistakes.add(file.name, "", f"cannot be read ({error.strerror})", "a readable file")
        return None
    except UnicodeDecodeError:
        mistakes.add(file.name, "", "is not UTF-8", "text in UTF-8")
        return None
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}" if error.problem_mark else ""
        mistakes.add(file.name, place, error.problem or "is not YAML", "a YAML mapping")
        return None
    except yaml.YAMLError as error:
        mistakes.add(file.name, "", str(error).splitlines()[0], "a YAML mapping")
        return None
    if not isinstance(content, dict):
        mistakes.add(file.name, "", f"{_described(content)}, not a mapping", "lines of `key: value`")
        return None
    return Page(file.name, content, mistakes)


def nearest_first(name: str, valid: Collection[str], most: int = 8) -> str:
    """Valid names, those that were likeliest meant first, cut short where there are many."""
    near = difflib.get_close_matches(name, sorted(valid), n=3)
    listed = near + [other for other in sorted(valid) if other not in near]
    return ", ".join(listed[:most]) + (f" ... {len(listed)} in all" if len(listed) > most else "")


def _described(value: Any) -> str:
    """What YAML made of a value, in words of the person who wrote it."""
    if value is None:
        return "is empty"
    if isinstance(value, bool):
        return f"is the truth value {str(value).lower()} (as YAML reads no, yes, on and off)"
    if isinstance(value, (str, int, float)):
        return f"is {value!r}"
    if isinstance(value, (list, dict)):
        return "is a list" if isinstance(value, list) else "is a mapping"
    return f"is a {type(value).__name__}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
