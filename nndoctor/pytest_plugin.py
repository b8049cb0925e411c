"""pytest: "the model still trains" as a test, by the fixture `nndoctor_check`. Loads nothing until a test asks for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from nndoctor.outcome import Report


@pytest.fixture
def nndoctor_check(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Check a training script as `nndoctor.check` does, named from the tests' root directory and run there.

    `nndoctor_check("train.py", steps=100).assert_healthy()` fails with the report where something is wrong.
    """
    from nndoctor.api import check

    return partial(check, directory=request.config.rootpath)
