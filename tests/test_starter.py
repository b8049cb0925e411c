"""`nndoctor init`: what it writes, where, and what it leaves alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from nndoctor.cli import EXIT_CLEAN, EXIT_USAGE, run
from nndoctor.config import KEYS, OWN_FILE, Settings, check, settings
from nndoctor.starter import HOSTS, ci_file, settings_file


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, in which the command is run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(project: Path) -> dict[str, str]:
    """Every file with its text."""
    return {str(p.relative_to(project)): p.read_text(encoding="utf-8") for p in project.rglob("*") if p.is_file()}


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on stderr of an `init` that returns 2."""
    code = run(["init", *arguments])
    out, err = capsys.readouterr()

    assert (EXIT_USAGE, "", 1) == (code, out, err.count("\n"))
    return err


def test_settings_are_commented_out(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As written the file changes nothing; it is found from a folder below it."""
    assert EXIT_CLEAN == run(["init"])
    assert ({OWN_FILE: settings_file()}, f"wrote {OWN_FILE}\n") == (files(project), capsys.readouterr().out)
    assert Settings() == settings(None, project / "src", {})


def test_every_setting_is_there_at_its_default() -> None:
    """Without the comment signs each key that is read stands there, with its default and a line that says what it does."""
    text = settings_file()
    content = yaml.safe_load(re.sub(r"^#(?=[a-z])", "", text, flags=re.MULTILINE))

    assert list(KEYS) == list(content)
    assert Settings() == Settings(**check(content, "init"))
    for name, key in KEYS.items():
        assert f"\n\n# {key.what}\n#{name}: " in text
        assert key.what.endswith((".", "...")) and "\n" not in key.what
    assert max(map(len, text.splitlines())) <= 120


def test_a_setting_that_is_changed_holds(project: Path) -> None:
    """With the sign taken away, a value that was changed counts, and the others are what they were, but for the wait that comes with a number of steps of one's own."""
    run(["init"])
    (project / OWN_FILE).write_text(settings_file().replace("#steps: 300", "steps: 7"), encoding="utf-8")

    assert Settings(steps=7, wait=0.0) == settings(None, project, {})


@pytest.mark.parametrize("name", HOSTS)
def test_ci(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The job lies where its host looks for it, as it is in the examples; settings that are there stay."""
    (project / OWN_FILE).write_text("steps: 7\n", encoding="utf-8")
    path = HOSTS[name].path

    assert EXIT_CLEAN == run(["init", "--ci", name])
    assert {OWN_FILE: "steps: 7\n", path: ci_file(HOSTS[name])} == files(project)
    assert f"wrote {path}\nkept {OWN_FILE}\nnext: name your script where {path} says train.py\n" == capsys.readouterr().out
    assert "train.py" in ci_file(HOSTS[name])


def test_both_in_another_directory(project: Path) -> None:
    """Settings and job together, in the folder that is named."""
    (project / "there").mkdir()

    assert EXIT_CLEAN == run(["init", "--ci", "github", "there"])
    assert {f"there/{OWN_FILE}", "there/.github/workflows/nndoctor.yml"} == set(files(project))


def test_nothing_is_overwritten(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in the way is named, with the way out; nothing else is written then. --force replaces what was asked for alone."""
    (project / OWN_FILE).write_text("steps: 7\n", encoding="utf-8")
    (project / ".gitlab-ci.yml").write_text("theirs: {}\n", encoding="utf-8")
    before = files(project)

    assert "nndoctor.yaml: is there already; --force replaces it\n" in refused(capsys)
    assert "gitlab-ci.yml: is there already; --show prints what to add to it, --force replaces it" in refused(capsys, "--ci", "gitlab")
    assert before == files(project)
    assert EXIT_CLEAN == run(["init", "--ci", "gitlab", "--force"])
    assert {OWN_FILE: "steps: 7\n", ".gitlab-ci.yml": ci_file(HOSTS["gitlab"])} == files(project)
    assert EXIT_CLEAN == run(["init", "--force"])
    assert settings_file() == files(project)[OWN_FILE]


def test_a_link_to_nowhere_is_in_the_way(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it points to is not made behind the user's back."""
    (project / OWN_FILE).symlink_to(project / "elsewhere.yaml")

    assert "is there already" in refused(capsys)
    assert {} == files(project)


def test_show(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--show prints the settings, or the job alone, and writes nothing, whatever is there."""
    (project / OWN_FILE).write_text("steps: 7\n", encoding="utf-8")
    before = files(project)

    for arguments, expected in (([], settings_file()), (["--ci", "pre-commit"], ci_file(HOSTS["pre-commit"]))):
        assert EXIT_CLEAN == run(["init", "--show", *arguments])
        assert expected == capsys.readouterr().out
    assert before == files(project)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ci", "jenkins"], "Invalid value for '--ci'"),
        (["gone"], "gone: no such directory; make it first, or name the folder of your project"),
        (["file"], "Directory 'file' is a file"),
        (["--ci", "github", "taken"], "taken/.github/workflows/nndoctor.yml: cannot be written: "),
        (["a", "b"], "Got unexpected extra argument"),
    ],
)
def test_refusal(arguments: list[str], said: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each mistake is one line and code 2."""
    (project / "file").write_text("", encoding="utf-8")
    (project / "taken").mkdir()
    (project / "taken" / OWN_FILE).write_text("", encoding="utf-8")
    (project / "taken" / ".github").write_text("a file where a folder should be", encoding="utf-8")
    before = files(project)

    assert said in refused(capsys, *arguments)
    assert before == files(project)
