"""What all tests share: gold files, rewritten by `pytest --rewrite-gold`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Where the tests run in a job of GitHub's, what they start does not: it would annotate, and write to the job's summary.
for _name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
    os.environ.pop(_name, None)
pytest.register_assert_rewrite("tests.engine")  # it asserts, and is no test file


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-gold", action="store_true", help="write the gold files anew; read the diff before you commit"
    )


@pytest.fixture
def gold(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with the gold file of that name, in `gold/` beside the test, whole."""
    directory = Path(str(request.path)).parent / "gold"

    def compare(name: str, actual: str) -> None:
        path = directory / name
        if request.config.getoption("--rewrite-gold"):
            directory.mkdir(exist_ok=True)
            path.write_text(actual, encoding="utf-8")
        assert path.is_file(), f"{path}: no gold file; write it with --rewrite-gold"

        assert path.read_text(encoding="utf-8") == actual

    return compare
