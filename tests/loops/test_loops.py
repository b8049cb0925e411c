"""Loops, losses and models that are right though unusual are left alone, in both senses; faults in such loops are found."""

from __future__ import annotations

from tests.engine import Engine
from tests.loops.scripts import FAULTS, HEALTHY


class TestLoops(Engine):
    """Steps by hand and by value, several backward calls, odd losses, streams, notebooks, several trainings."""

    LIBRARIES = ("torch._dynamo", "sklearn.datasets")
    HEALTHY = HEALTHY
    FAULTS = FAULTS
