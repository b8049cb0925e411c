"""The examples for CI, and the action: what their makers' schemas say of them, and whether the commands in them work."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import check_jsonschema
import click
import pytest
import yaml
from click.testing import CliRunner

from nndoctor import cli
from nndoctor.config import KEYS
from nndoctor.starter import HOSTS

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "ci"
ACTION = ROOT / ".github" / "actions" / "nndoctor" / "action.yml"
# File, and the schema that check-jsonschema carries for it; pre-commit has none.
SCHEMAS = {
    EXAMPLES / "github-workflow.yml": ["--builtin-schema", "vendor.github-workflows"],
    EXAMPLES / "gitlab-ci.yml": ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
    ACTION: ["--builtin-schema", "vendor.github-actions"],
}


def loaded(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def strings(value: Any) -> list[str]:
    """Every string in a document."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value] if isinstance(value, str) else [text for part in inner for text in strings(part)]


def parsed(words: list[str]) -> dict[str, Any]:
    """The options of a command, as click reads them; raises UsageError for one that does not exist."""
    assert "nndoctor" == words[0]
    command = cli.nndoctor.commands[words[1]]
    with command.make_context(words[1], words[2:], parent=click.Context(cli.nndoctor)) as context:
        return context.params


def test_every_example_is_tested() -> None:
    """None is forgotten, and `nndoctor init --ci` writes each of them."""
    expected = {"github-workflow.yml", "gitlab-ci.yml", "pre-commit-config.yaml"}

    assert expected == {path.name for path in EXAMPLES.iterdir()} == {host.template for host in HOSTS.values()}


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_schema(path: Path) -> None:
    """Each is what its host wants."""
    done = CliRunner().invoke(check_jsonschema.main, [*SCHEMAS[path], str(path)])

    assert (0, "ok -- validation done") == (done.exit_code, done.output.strip()), done.output


@pytest.mark.parametrize("name", ["github-workflow.yml", "gitlab-ci.yml", "pre-commit-config.yaml"])
def test_commands_use_options_that_exist(name: str) -> None:
    """Each example runs one check of a script, quietly, and fails for errors alone."""
    (line,) = [text for text in strings(loaded(EXAMPLES / name)) if text.startswith("nndoctor check ")]
    options = parsed(shlex.split(line))

    assert ("train.py", True, "error") == (options["script"], options["quiet"], options["fail_on"])


@pytest.mark.parametrize("name", ["github-workflow.yml", "gitlab-ci.yml"])
def test_files_that_are_kept_are_written(name: str) -> None:
    """What a job uploads is what its command writes."""
    document = loaded(EXAMPLES / name)
    (line,) = [text for text in strings(document) if text.startswith("nndoctor check ")]
    written = {str(path) for path in parsed(shlex.split(line))["output"]}
    kept = {text for text in strings(document) if re.fullmatch(r"nndoctor\.\w+", text)}

    assert written == kept


def test_the_hook_is_one_of_pre_commits() -> None:
    """It has what pre-commit wants of a local hook, and runs before a push."""
    (repository,) = loaded(EXAMPLES / "pre-commit-config.yaml")["repos"]
    (hook,) = repository["hooks"]

    assert "local" == repository["repo"]
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert ("system", False, ["pre-push"]) == (hook["language"], hook["pass_filenames"], hook["stages"])


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (
            {"SCRIPT": "my train.py", "ARGUMENTS": "--lr 0.1", "OPTIONS": "--steps 150", "FAIL_ON": "error", "BASELINE": "known.json"},
            ["--steps", "150", "--baseline", "known.json", "my train.py", "--lr", "0.1"],
        ),
        ({"SCRIPT": "$(touch x).py; touch y", "ARGUMENTS": "", "OPTIONS": "", "FAIL_ON": "never", "BASELINE": ""}, ["$(touch x).py; touch y"]),
    ],
)
def test_the_action_passes_its_inputs(inputs: dict[str, str], expected: list[str], tmp_path: Path) -> None:
    """Each as one argument or as words, none as a command; what it then runs is a check with options that exist."""
    (step,) = [s for s in loaded(ACTION)["runs"]["steps"] if s["name"] == "Check"]
    (tmp_path / "nndoctor").write_text('#!/bin/sh\nprintf "%s\\n" nndoctor "$@" > "$OUT"\n', encoding="utf-8")
    (tmp_path / "nndoctor").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    environment = {**inputs, "SARIF": "a b.sarif", "PATH": path, "OUT": str(tmp_path / "words")}
    assert set(environment) - {"PATH", "OUT"} == set(step["env"])
    # As GitHub starts `shell: bash`.
    subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], cwd=tmp_path, env=environment, check=True)
    words = (tmp_path / "words").read_text(encoding="utf-8").splitlines()

    first = ["nndoctor", "check", "--quiet", "--fail-on", inputs["FAIL_ON"], "--format", "text", "--format", "sarif", "--output", "a b.sarif"]
    assert [*first, *expected] == words
    assert inputs["SCRIPT"] == parsed(words)["script"]
    assert ["nndoctor", "words"] == sorted(p.name for p in tmp_path.iterdir())


def test_the_actions_inputs_are_used_and_no_others() -> None:
    """An input that is named nowhere does nothing."""
    action = loaded(ACTION)
    used = set(re.findall(r"inputs\.([a-z-]+)", ACTION.read_text(encoding="utf-8")))

    assert set(action["inputs"]) == used
    assert action["inputs"]["fail-on"]["default"] in ("error", "warning", "note", "never")
    assert "fail-on" in KEYS
    # Nothing of the caller's is pasted into a script.
    assert [] == [step["run"] for step in action["runs"]["steps"] if "${{" in step["run"]]
