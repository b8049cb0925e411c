"""The examples in `configs/`."""

from __future__ import annotations

from pathlib import Path

import pytest

from nndoctor.config import check, read_file

EXAMPLES = {path.name: path for path in (Path(__file__).parent.parent / "configs").iterdir()}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_example(name: str) -> None:
    """Each can be used as it stands, sets something, and begins with what it is for."""
    written = read_file(EXAMPLES[name])

    assert written.content
    assert check(written.content, written.source)
    assert EXAMPLES[name].read_text(encoding="utf-8").startswith("# ")
