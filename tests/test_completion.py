"""What a shell is offered, by click's own completion, and the scripts that make it ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import CompletionItem, ShellComplete

from nndoctor import cli
from nndoctor.cli import EXIT_CLEAN, EXIT_USAGE, run
from nndoctor.completion import SHELLS
from nndoctor.knowledge.loader import load_causes
from nndoctor.probe.changes.names import KINDS

FILES = [("file", "")]


def offered(*words: str) -> list[CompletionItem]:
    """What is offered for the last of the words after `nndoctor`."""
    return ShellComplete(cli.nndoctor, {}, "nndoctor", "_NNDOCTOR_COMPLETE").get_completions(list(words[:-1]), words[-1])


def values(*words: str) -> list[str]:
    return [item.value for item in offered(*words)]


def kinds(*words: str) -> list[tuple[str, str]]:
    return [(item.type, item.value) for item in offered(*words)]


def test_commands() -> None:
    """Every command, each with what it does; after a word that is none, the same and no complaint."""
    assert sorted(cli.nndoctor.commands) == values("")
    assert ["check"] == values("che")
    assert all(item.help for item in offered(""))
    assert sorted(cli.nndoctor.commands) == values("nonsense", "")


def test_causes_after_explain() -> None:
    """Every id, with its title for shells that show one; those that begin with what is there."""
    assert list(load_causes()) == values("explain", "")
    assert ["lr-schedule", "lr-too-high", "lr-too-low"] == values("explain", "lr-")
    assert [load_causes()["lr-schedule"].title] == [item.help for item in offered("explain", "lr-s")]


@pytest.mark.parametrize("option", ["--select", "--ignore"])
@pytest.mark.parametrize("command", ["check", "diagnose"])
def test_causes_in_lists(command: str, option: str) -> None:
    """The last of several with commas between; one that is named already is not offered again."""
    assert list(load_causes()) == values(command, option, "")
    assert ["lr-too-low", "lr-too-high"][::-1] == values(command, option, "lr-too")
    assert ["lr-too-high,lr-schedule", "lr-too-high,lr-too-low"] == values(command, option, "lr-too-high,lr-")
    assert ["lr-schedule"] == values(command, f"{option}=lr-s")


def test_files() -> None:
    """Where a file is wanted, the shell's own names of files."""
    for words in (["check", ""], ["check", "--save", ""], ["check", "--config", ""], ["diagnose", ""], ["diff", "a.jsonl", ""], ["curves", ""]):
        assert FILES == kinds(*words), words
    assert [("dir", "")] == kinds("init", "")
    assert [("file", "tr")] == kinds("try", "--change", "lr*10", "tr")


def test_what_follows_the_script_is_the_scripts() -> None:
    """None of our options is offered there, nor the values of one that has the same name; before it all of them are."""
    assert [] == values("check", "train.py", "--")
    assert FILES == kinds("check", "train.py", "--format", "")
    assert FILES == kinds("try", "--change", "lr*10", "train.py", "")
    assert {"--steps", "--fail-on", "--no-trials"} <= set(values("check", "--"))


def test_choices() -> None:
    """Values of options that have few."""
    assert ["github", "gitlab", "pre-commit"] == values("init", "--ci", "")
    assert ["json", "junit"] == values("check", "--format", "j")
    assert list(SHELLS) == values("completion", "")


def test_changes() -> None:
    """Changes as `--change` takes them, and of those with a number what stands before it."""
    assert ["activation=relu", "activation=he-relu"] == values("try", "--change", "activation=")[:2]
    assert ["lr*"] == values("try", "--change", "lr")
    assert {kind.name for kind in KINDS} == {value.partition("*" if "*" in value else "=")[0] for value in values("try", "--change", "")}


@pytest.mark.parametrize("shell", SHELLS)
def test_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The script asks the command by the variable that click reads, and is one that the shell can read, where it is here."""
    assert EXIT_CLEAN == run(["completion", shell])
    script = capsys.readouterr().out

    assert f"_NNDOCTOR_COMPLETE={shell}_complete " in script
    if shutil.which(shell):
        assert 0 == subprocess.run([shell, "-n"], input=script, text=True, check=False).returncode


def test_unknown_shell(capsys: pytest.CaptureFixture[str]) -> None:
    """Another shell is one line and code 2."""
    assert EXIT_USAGE == run(["completion", "tcsh"])
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in capsys.readouterr().err


def test_for_real(tmp_path: Path) -> None:
    """bash, given the script, completes a word of a command line by asking the command; nothing is said on stderr."""
    script = subprocess.run([sys.executable, "-m", "nndoctor", "completion", "bash"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "nndoctor").write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from nndoctor.cli import main; main()" "$@"\n', encoding="utf-8")
    (tmp_path / "nndoctor").chmod(0o755)
    asked = "COMP_WORDS=(nndoctor explain loss-in)\nCOMP_CWORD=2\n_nndoctor_completion nndoctor loss-in explain\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", script + asked], env={**os.environ, "PATH": path}, cwd=Path(cli.__file__).parent.parent, capture_output=True, text=True, check=False)

    assert ("loss-input\n", "") == (done.stdout, done.stderr)
