"""What a launcher such as torchrun puts into the environment of each process that it starts. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping


def number(environment: Mapping[str, str], name: str) -> int:
    """A number from the environment, -1 where there is none."""
    value = str(environment.get(name, ""))
    return int(value) if value.isdecimal() else -1


def is_rank(environment: Mapping[str, str]) -> bool:
    """Whether it is that of one process of several that knows which of them it is."""
    return number(environment, "RANK") >= 0 and number(environment, "WORLD_SIZE") > 1


def may_be_rank(environment: Mapping[str, str]) -> bool:
    """The same, where the process may have to find out its number by itself: some launchers give that on one machine alone."""
    return is_rank(environment) or (number(environment, "LOCAL_RANK") >= 0 and number(environment, "WORLD_SIZE") > 1)
