"""What is tested of every library and every kind of loop: healthy scripts are healthy and undisturbed, and faults are found where the user put them."""

from __future__ import annotations

from typing import ClassVar

import pytest

from tests.digits import line_of
from tests.forks import Seen, run_all

_QUICK = 1  # of the healthy ones, and of the faults


class Engine:
    """The tests of one library or kind, on the scripts that a subclass names."""

    LIBRARIES: ClassVar[tuple[str, ...]]
    HEALTHY: ClassVar[dict[str, str]]  # script by name
    FAULTS: ClassVar[dict[str, tuple[str, str]]]  # script, and the words of the line to blame, by cause

    @classmethod
    def pytest_generate_tests(cls, metafunc: pytest.Metafunc) -> None:
        """A test for each healthy script, and for each fault; but for the first few, they are slow ones."""
        for argument, scripts in (("name", "HEALTHY"), ("cause", "FAULTS")):
            if argument in metafunc.fixturenames:
                names = list(getattr(metafunc.cls, scripts))
                slow = [pytest.param(name, marks=pytest.mark.slow) for name in names[_QUICK:]]
                metafunc.parametrize(argument, names[:_QUICK] + slow)

    @pytest.fixture(scope="class")
    @classmethod
    def seen(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
        """All that are asked for, from one process."""
        every = {**cls.HEALTHY, **{cause: script for cause, (script, _) in cls.FAULTS.items()}}
        mine = [item.callspec.params for item in request.session.items if isinstance(item, pytest.Function) and item.cls is cls]
        wanted = {params.get("name", params.get("cause")) for params in mine}
        scripts = {name: script for name, script in every.items() if name in wanted}
        return run_all(tmp_path_factory.mktemp("scripts"), cls.LIBRARIES, scripts)

    def test_healthy_training_is_called_healthy(self, seen: dict[str, Seen], name: str) -> None:
        """Nothing at warning or above."""
        assert ("healthy", []) == (seen[name].diagnosis.verdict, seen[name].findings)

    def test_watched_training_is_the_same(self, seen: dict[str, Seen], name: str) -> None:
        """Every loss, the weights, and the files that are left are those of the plain run."""
        assert len(seen[name].plain) > 5
        assert seen[name].plain == seen[name].watched
        assert seen[name].left_plain == seen[name].left_watched

    def test_fault_is_found_in_the_script(self, seen: dict[str, Seen], cause: str) -> None:
        """The right cause comes first, at a line of the user's."""
        script, words = self.FAULTS[cause]

        assert "sick" == seen[cause].diagnosis.verdict
        assert cause == seen[cause].findings[0]
        assert line_of(script, words) == seen[cause].place
