"""Settings from files and from the command line."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from nndoctor import config
from nndoctor.config import Names, Settings, check, read_file, read_nearest, settings
from nndoctor.errors import FileError, UsageError
from nndoctor.report.formats import FORMATS

NAMES = Names(causes=["lr-too-low", "lr-too-high", "not-shuffled"], symptoms=["updates-tiny", "loss-flat"])


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few names in the place of those that ship."""
    monkeypatch.setattr(config, "known_names", lambda: NAMES)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults(tmp_path: Path) -> None:
    """Without a file and without options the defaults hold."""
    assert Settings() == settings(None, tmp_path, {"steps": None, "fail_on": None})
    assert (300, 60.0, 600.0, "warning", "text") == (
        Settings().steps, Settings().seconds, Settings().timeout, Settings().fail_on, Settings().format,
    )  # fmt: skip


def test_who_names_a_number_of_steps_gets_it(tmp_path: Path) -> None:
    """No validation pass is awaited beyond it, unless that is wanted too."""
    assert 10.0 == settings(None, tmp_path, {}).wait
    assert 0.0 == settings(None, tmp_path, {"steps": 50}).wait
    assert 5.0 == settings(None, tmp_path, {"steps": 50, "wait": 5}).wait
    (tmp_path / "nndoctor.yaml").write_text("steps: 50\n")
    assert 0.0 == settings(None, tmp_path, {}).wait


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "a.yaml",
            (
                "steps: 500\nseconds: 1e2\nwait: 4\ntimeout: 9.5\nrun: 2\ntrials: 3\nbudget: 20\nfail-on: never\nformat: json\nselect: lr-too-low, not-shuffled\n"
                "ignore: [lr-too-high]\nthresholds:\n  updates-tiny: 1e-7\n  loss-flat: 1\n"
            ),
        ),
        (
            "a.toml",
            (
                'steps = 500\nseconds = 1e2\nwait = 4\ntimeout = 9.5\nrun = 2\ntrials = 3\nbudget = 20.0\nfail-on = "never"\nformat = "json"\n'
                'select = ["lr-too-low,not-shuffled"]\nignore = ["lr-too-high"]\n'
                "[thresholds]\nupdates-tiny = 1e-7\nloss-flat = 1\n"
            ),
        ),
        (
            "pyproject.toml",
            (
                '[project]\nname = "x"\n[tool.nndoctor]\nsteps = 500\nseconds = "100"\nwait = 4\ntimeout = 9.5\nrun = 2\ntrials = 3\nbudget = 20.0\nfail-on = "never"\n'
                'format = "json"\nselect = ["lr-too-low", "not-shuffled"]\nignore = ["lr-too-high"]\n'
                "thresholds = {updates-tiny = 1e-7, loss-flat = 1.0}\n"
            ),
        ),
    ],
)
def test_every_key_in_every_format(name: str, text: str, tmp_path: Path) -> None:
    """YAML, TOML and pyproject.toml say the same. PyYAML's 1e-7 and 1e2, which are strings, are numbers."""
    found = settings(write(tmp_path / name, text), tmp_path, {})

    assert (
        Settings(
            500, 100.0, 4.0, 9.5, "never", "json", frozenset({"lr-too-low", "not-shuffled"}), frozenset({"lr-too-high"}),
            {"updates-tiny": 1e-7, "loss-flat": 1.0}, 3, 20.0, 2,
        )
        == found
    )  # fmt: skip
    assert (int, float) == (type(found.steps), type(found.thresholds["loss-flat"]))


def test_the_command_line_wins(tmp_path: Path) -> None:
    """An option that was given replaces the file's, one that was not does not."""
    file = write(tmp_path / "a.yaml", "steps: 500\nseconds: 5\nignore: [lr-too-low]\n")
    found = settings(file, tmp_path, {"steps": 7, "seconds": None, "ignore": ["lr-too-high"], "fail_on": "error"})

    assert (7, 5.0, frozenset({"lr-too-high"}), "error") == (found.steps, found.seconds, found.ignore, found.fail_on)


def test_nearest_pyproject(tmp_path: Path) -> None:
    """The nearest one at or above the script that has our table; a named file stands in its place."""
    write(tmp_path / "pyproject.toml", "[tool.nndoctor]\nsteps = 1\n")
    write(tmp_path / "a" / "pyproject.toml", "[tool.nndoctor]\nsteps = 2\n")
    write(tmp_path / "a" / "b" / "pyproject.toml", '[project]\nname = "b"\n')
    (tmp_path / "a" / "b" / "c").mkdir()

    assert 2 == settings(None, tmp_path / "a" / "b" / "c", {}).steps
    assert 1 == settings(None, tmp_path, {}).steps
    assert 300 == settings(write(tmp_path / "a" / "empty.yaml", ""), tmp_path / "a", {}).steps


def test_our_own_file_is_found(tmp_path: Path) -> None:
    """`nndoctor.yaml` at or above the start, before a pyproject.toml beside it and after one that is nearer."""
    write(tmp_path / "nndoctor.yaml", "steps: 1\n")
    write(tmp_path / "pyproject.toml", "[tool.nndoctor]\nsteps = 2\n")
    write(tmp_path / "a" / "pyproject.toml", "[tool.nndoctor]\nsteps = 3\n")
    write(tmp_path / "b" / "nndoctor.yaml", "# steps: 4\n")

    assert [1, 1, 3, 300] == [settings(None, tmp_path / start, {}).steps for start in (".", "c/d", "a", "b")]
    write(tmp_path / "nndoctor.yaml", "stepz: 1\n")
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path / 'nndoctor.yaml'}: 'stepz' is no setting")):
        settings(None, tmp_path, {})


def test_a_foreign_pyproject_is_not_ours_to_judge(tmp_path: Path) -> None:
    """One that does not mention us may be broken, one that only mentions us in passing has no table."""
    write(tmp_path / "pyproject.toml", "this is [not TOML\n")
    assert read_nearest(tmp_path) is None
    write(tmp_path / "pyproject.toml", '[project]\ndependencies = ["nndoctor"]\n')
    assert read_nearest(tmp_path) is None
    write(tmp_path / "pyproject.toml", "tool = 3\n# nndoctor\n")
    assert read_nearest(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"stepz": 3},
            "'stepz' is no setting (did you mean 'steps'?); valid are steps, seconds, wait, timeout, run, trials, budget, fail-on, format",
        ),
        ({"fail_on": "error"}, "'fail_on' is no setting (did you mean 'fail-on'?)"),
        ({3: 4}, "3 is no setting"),
        ({"steps": "many"}, "steps must be a number, not 'many'"),
        ({"steps": 2.5}, "steps must be a whole number from 1, not 2.5"),
        ({"steps": 0}, "steps must be a whole number from 1, not 0"),
        ({"steps": True}, "steps must be a number, not True"),
        ({"steps": None}, "steps must be a number, not None"),
        ({"seconds": -1}, "seconds must be above 0, not -1"),
        ({"seconds": float("inf")}, "seconds must be a number, not inf"),
        ({"timeout": "nan"}, "timeout must be a number, not nan"),
        ({"trials": -1}, "trials must be a whole number from 0, not -1"),
        ({"trials": "many"}, "trials must be a number, not 'many'"),
        ({"budget": 0}, "budget must be above 0, not 0"),
        ({"timeout": [3]}, "timeout must be a number, not [3]"),
        ({"fail-on": False}, "fail-on must be one of error, warning, note, never, not False"),
        ({"format": "xml"}, f"format must be one of {', '.join(FORMATS)}, not 'xml'"),
        ({"select": {"lr-too-low": 1}}, "select must be a list of cause ids"),
        ({"ignore": [3]}, "ignore must be a list of cause ids"),
        (
            {"ignore": ["lr-to-low"]},
            "ignore names no cause: 'lr-to-low' (did you mean 'lr-too-low'?); `nndoctor causes` lists",
        ),
        ({"thresholds": [1]}, "thresholds must be a table of numbers by symptom"),
        ({"thresholds": {"loss-flatt": 1}}, "thresholds names no symptom: 'loss-flatt' (did you mean 'loss-flat'?)"),
        ({"thresholds": {"loss-flat": "low"}}, "thresholds of loss-flat must be a number, not 'low'"),
        ({"thresholds": {"loss-flat": True}}, "thresholds of loss-flat must be a number, not True"),
    ],
)
def test_mistakes(content: dict[Any, Any], said: str) -> None:
    """Each mistake is named with its place, what is wrong, and what would be right."""
    with pytest.raises(UsageError) as raised:
        check(content, "a.yaml")

    assert str(raised.value).startswith("a.yaml: ")
    assert said in str(raised.value)
    assert "for example `steps: 500` in YAML" in str(raised.value)


def test_all_mistakes_at_once() -> None:
    """Somebody with three mistakes runs the command twice, not four times; it is one line."""
    with pytest.raises(UsageError) as raised:
        check({"stepz": 3, "seconds": "long", "select": ["nothing-known"]}, "a.yaml")

    assert all(word in str(raised.value) for word in ("'stepz'", "seconds must", "'nothing-known'"))
    assert "\n" not in str(raised.value)


def test_mistakes_on_the_command_line_show_no_file_syntax() -> None:
    """`--steps 0` is told without an example in YAML."""
    with pytest.raises(UsageError, match=re.escape("command line: steps must be a whole number from 1, not 0") + "$"):
        settings(None, Path("/"), {"steps": 0})


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "steps: [1,\n", "a.yaml:2: not YAML"),
        ("a.yml", "just words", "not a table of settings"),
        ("a.toml", "steps = = 1", "a.toml: not TOML"),
        ("a.json", "{}", "a configuration is .yaml, .yml or .toml"),
        ("pyproject.toml", "[tool]\nnndoctor = 3\n", "tool.nndoctor is not a table"),
    ],
)
def test_files_that_are_none(name: str, text: str, said: str, tmp_path: Path) -> None:
    """A file that cannot be read as what its name says is a mistake of one line, with its place."""
    with pytest.raises(FileError, match=re.escape(said)) as raised:
        read_file(write(tmp_path / name, text))

    assert str(raised.value).startswith(str(tmp_path / name))
    assert "\n" not in str(raised.value)


def test_missing_and_undecodable_files(tmp_path: Path) -> None:
    """A file that is not there, a folder, or bytes that are no text."""
    (tmp_path / "b.yaml").write_bytes(b"steps: \xff\n")
    (tmp_path / "c.yaml").mkdir()
    for name, said in [("a.yaml", "No such file"), ("b.yaml", "not UTF-8 text (byte 7)"), ("c.yaml", "Is a directory")]:
        with pytest.raises(FileError, match=re.escape(said)):
            read_file(tmp_path / name)


def test_python_without_a_toml_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Python 3.10 without tomli, TOML is refused with a way out; a pyproject.toml without us is no trouble."""
    monkeypatch.setitem(sys.modules, "tomllib", None)
    monkeypatch.setitem(sys.modules, "tomli", None)
    file = write(tmp_path / "a.toml", "steps = 1\n")
    write(tmp_path / "pyproject.toml", '[project]\nname = "x"\n')
    with pytest.raises(FileError, match="install tomli, or use a YAML file"):
        read_file(file)

    assert read_nearest(tmp_path) is None
