"""One sick script of each cause and its healthy twin; `make accuracy` runs all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nndoctor.knowledge.loader import load_causes
from tests import accuracy
from tests.accuracy import Case, Malformed, Outcome
from tests.nursery import nursery

ALL = accuracy.load()
QUICK = [case for case in ALL if case.quick]
# Those that a trial puts first, and one cause for some kinds of change; the others are tried by `make accuracy` and tests/test_classic_runs.py.
TRIED = frozenset({"loss-input", "lr-schedule", "exploding-gradient"})


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Python in which the libraries of the scripts are imported already."""
    with nursery(tmp_path_factory.mktemp("nursery"), "sklearn.datasets") as stand_in:
        yield stand_in


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_right_cause_comes_first_and_healthy_twin_gets_none(case: Case, python: str) -> None:
    """A sick script is given a right cause first; nothing at warning or above is said of a healthy one."""
    tried = case.sick and case.cause in TRIED
    outcome = accuracy.run(case, trials=tried) if tried or case.launch else accuracy.look(case, python)

    assert outcome.error == ""
    if case.sick:
        assert outcome.causes[:1] != []
        assert outcome.causes[0] in case.accept
    else:
        assert [] == outcome.causes
        assert outcome.verdict == "healthy"


def test_every_folder_has_one_quick_pair() -> None:
    """Each cause with cases is tested here, by one script and its twin, but for two whose harm comes after the probe's
    300 steps, or needs another network to show; the healthy folder by one script.
    """
    folders = {case.script.parent.name for case in ALL} - {"no-regularization", "model-too-large"}
    quick = Counter(case.script.parent.name for case in QUICK)

    assert {folder: 1 if folder == "healthy" else 2 for folder in folders} == quick


def test_cases_name_causes_that_exist() -> None:
    """Folders and accepted answers are ids of the knowledge base."""
    known = set(load_causes())

    assert set() == {cause for case in ALL for cause in case.accept} - known
    assert set() == {case.cause for case in ALL if case.cause} - known


def test_every_cause_has_two_pairs() -> None:
    """No folder holds fewer than two sick scripts, and there are ten healthy look-alikes."""
    sick = Counter(case.script.parent.name for case in ALL if case.sick)

    assert all(count >= 2 for count in sick.values()), sick
    assert len([case for case in ALL if case.script.parent.name == "healthy"]) >= 10


def test_scripts_and_listings_must_agree(tmp_path: Path) -> None:
    """A script without an entry, an entry without a script, and a folder without a listing are all named."""
    listed, bare = tmp_path / "lr-too-low", tmp_path / "lr-too-high"
    listed.mkdir()
    bare.mkdir()
    (listed / "cases.yaml").write_text("- name: one\n  accept: []\n", encoding="utf-8")
    (listed / "one.py").touch()
    (listed / "two.py").touch()
    with pytest.raises(Malformed) as caught:
        accuracy.load(tmp_path)

    mistakes = "lr-too-high: no cases.yaml\nlr-too-low/one_ok.py: listed in cases.yaml and not there\nlr-too-low/two.py: not listed in cases.yaml"
    assert mistakes == str(caught.value)


def test_scores_count_what_they_say() -> None:
    """First, among the first three, alarm, and no report."""
    sick = Case(Path("loss-input/a.py"), "loss-input", frozenset({"loss-input", "output-activation"}))
    well = Case(Path("loss-input/a_ok.py"), "loss-input", frozenset())
    first = Outcome(sick, 1.0, "sick", ["output-activation"])
    third = Outcome(sick, 1.0, "sick", ["lr-too-low", "lr-too-high", "loss-input"])
    fourth = Outcome(sick, 1.0, "sick", ["lr-too-low", "lr-too-high", "dying-relu", "loss-input"])
    quiet = Outcome(well, 1.0, "healthy")
    alarm = Outcome(well, 1.0, "sick", ["lr-too-low"])
    none = Outcome(well, 1.0, error="exit code 3: it raised")
    everything = [first, third, fourth, quiet, alarm, none]

    assert [True, False, False] == [o.top1 for o in (first, third, fourth)]
    assert [True, True, False] == [o.top3 for o in (first, third, fourth)]
    assert [False, True] == [o.alarm for o in (quiet, alarm)]
    assert accuracy.table(everything)[1].split() == ["loss-input", "1/3", "0/3", "2/3", "0/0", "1/3", "6.0"]
    assert accuracy.misses(everything) == [
        "loss-input/a: among the first three: lr-too-low, lr-too-high, loss-input",
        "loss-input/a: not among the first three: lr-too-low, lr-too-high, dying-relu",
        "loss-input/a_ok: false alarm: lr-too-low",
        "loss-input/a_ok: no diagnosis: exit code 3: it raised",
    ]


@pytest.mark.parametrize(
    ("good", "seconds", "code"),
    [([9, 1], 1, 0), ([8, 2], 1, 1), ([10, 0], 1, 0)],
)
def test_exit_code_tells_whether_enough_is_right(good: list[int], seconds: float, code: int) -> None:
    """Below nine in ten first answers the script fails."""
    sick = Case(Path("lr-too-low/a.py"), "lr-too-low", frozenset({"lr-too-low"}))
    right, nearly = Outcome(sick, seconds, "sick", ["lr-too-low"]), Outcome(sick, seconds, "sick", ["not-shuffled", "lr-too-low"])
    outcomes = [right] * good[0] + [nearly] * good[1]

    assert code == accuracy._totals(outcomes, 1.0)
    assert accuracy._totals([*outcomes, Outcome(Case(sick.script, "", frozenset()), 1.0, "sick", ["lr-too-low"])], 1.0) == 1
