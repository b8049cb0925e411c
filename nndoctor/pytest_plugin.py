"""pytest: "the model still trains" as a test, by the fixture `nndoctor_check`. Loads nothing until a test asks for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from nndoctor.outcome import Report


@pytest.fixture
def nndoctor_check(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Check a training script as `nndoctor.check` does, named from the tests' root directory and run there.

    `nndoctor_check("train.py", steps=100).assert_healthy()` fails with the report where something is wrong.
    """
    from nndoctor.api import check

    root = request.config.rootpath

    def checked(script: str | os.PathLike[str], arguments: Sequence[object] = (), **settings: Any) -> Report:
        __tracebackhide__ = True
        return check(script, arguments, **{"directory": root, **settings})

    return checked
