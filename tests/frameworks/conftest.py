"""Makes the tests of `engine.Engine` from the scripts of each library."""

from __future__ import annotations

import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each healthy script, and for each fault."""
    for argument, scripts in (("name", "HEALTHY"), ("cause", "FAULTS")):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, getattr(metafunc.cls, scripts))
