"""Workflow commands: one line each, which nothing from the user's program can end or begin."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nndoctor.report.github import render
from nndoctor.symptoms.model import Symptom
from tests.report import samples

COMMAND = re.compile(r"::(error|warning|notice) ((?:[a-z]+=[^,:\r\n]+)(?:,[a-z]+=[^,:\r\n]+)*)::(.*)")


def parsed(text: str) -> list[tuple[str, dict[str, str], str]]:
    """Name, properties and message of each command, as the runner reads them."""
    found = []
    for line in text.split("\n")[:-1]:  # the runner knows no other end of a line
        match = COMMAND.fullmatch(line)
        assert match is not None, line
        properties = dict(pair.split("=", 1) for pair in match[2].split(","))
        found.append((match[1], {key: plain(value) for key, value in properties.items()}, plain(match[3])))
    return found


def plain(text: str) -> str:
    """What the runner makes of the escapes."""
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, character)
    return text


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_commands(name: str, gold: Callable[[str, str], None], at_script: Path) -> None:
    """All of them are the gold file's, and can be read."""
    text = render(samples.SAMPLES[name]())
    parsed(text)

    gold(f"{name}.github", text)


def test_levels_and_places(at_script: Path) -> None:
    """An error, warnings and notes at their lines; without a line at the script."""
    found = [(name, p.get("file"), p.get("line")) for name, p, _ in parsed(render(samples.sick()))]

    assert [
        ("error", "train.py", "14"), ("warning", "train.py", "22"), ("warning", "train.py", None), ("notice", "train.py", None), ("notice", "train.py", "18"),
    ] == found  # fmt: skip


def test_known_findings_are_not_annotated(at_script: Path) -> None:
    """Nor those that a comment silences; a comment of no use is a notice at its line."""
    found = parsed(render(samples.weighed()))

    assert [] == [p for _, p, _ in found if "lr-too-low" in p["title"] or "over-regularization" in p["title"]]
    assert ("notice", {"file": "train.py", "line": "20", "title": "Unused comment"}) == found[-1][:2]


def test_paths_start_at_the_repository(at_script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that runs in a folder annotates the file where the pull request has it."""
    (at_script / "sub").mkdir()
    (at_script / "train.py").rename(at_script / "sub" / "train.py")
    monkeypatch.chdir(at_script / "sub")

    assert "sub/train.py" == parsed(render(samples.sick()))[0][1]["file"]


@pytest.mark.parametrize("odd", ["a\n::error::b", "a\r\n::set-output name=x::y", "50%0A", "a,line=3::b", "\x1b]0;x\x07", "\u2028::stop-commands::x"])
def test_nothing_breaks_out(odd: str, at_script: Path) -> None:
    """Names and sentences that hold commands, ends of lines or escapes stay within theirs."""
    sick = samples.sick()
    suspect = replace(sick.suspects[0], evidence=[Symptom("x", odd, 1.0, None)], cause=replace(sick.suspects[0].cause, title=odd))
    text = render(replace(sick, suspects=[suspect]))

    assert 1 == text.count("\n") == len(re.findall(r"^::", text, re.MULTILINE))
    assert "\r" not in text and "\x1b" not in text
    assert ["file", "line", "title"] == list(parsed(text)[0][1])
