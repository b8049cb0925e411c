"""A log as rows of named numbers, and what of it is judged: one curve of training, one of validation."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """What was written at one moment. A value that is no number is the text that stands there instead."""

    place: str  # "line 14", "entry 3": for a message
    values: dict[str, float | str]


@dataclass(frozen=True)
class Table:
    """A log as it was written, in order of time."""

    source: str
    format: str  # in words: "CSV", "JSON lines", ...
    rows: list[Row]
    remarks: list[str] = field(default_factory=list)  # what a reader should know of how it was read

    def names(self) -> list[str]:
        """Every name that occurs, in order of its first occurrence."""
        return list(dict.fromkeys(name for row in self.rows for name in row.values))


@dataclass(frozen=True)
class Series:
    """One column: its name, and place in the order of time with the value, for each row that has one."""

    name: str
    points: list[tuple[float, float]]

    @property
    def values(self) -> list[float]:
        """The values alone."""
        return [value for _, value in self.points]


@dataclass(frozen=True)
class Log:
    """The curves of a log. One that it does not hold is None."""

    source: str
    format: str
    unit: str  # what the places in the order of time are: "step", "epoch" or "row"
    training: Series | None
    validation: Series | None
    training_accuracy: Series | None = None
    validation_accuracy: Series | None = None
    others: list[str] = field(default_factory=list)  # further losses, which are not judged
    remarks: list[str] = field(default_factory=list)
