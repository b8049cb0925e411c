"""The evidence pack: complete, compact, and literal in what it quotes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from nndoctor.diagnosis.model import RuledOut, UnusedComment
from nndoctor.knowledge.loader import load_causes
from nndoctor.record.model import Place
from nndoctor.report.markdown import render
from nndoctor.report.marks import code, fenced, literal
from nndoctor.symptoms.model import Symptom
from tests.report import samples


def html(text: str) -> str:
    """What a reader makes of it."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_document(name: str, gold: Callable[[str, str], None], at_script: Path) -> None:
    """The whole page is the gold file's."""
    gold(f"{name}.md", render(samples.SAMPLES[name]()))


def test_everything_is_there(at_script: Path) -> None:
    """The line, the numbers, the trial, what was ruled out, and what to do next."""
    page = render(samples.sick())

    for part in ("`train.py:14`", "▸ 14 │     nn.Softmax(dim=1),", "value 2, threshold 1", "accuracy 21 % → 97 %", "## Ruled out", "`dying-relu`: 3.1 %", "## Next"):
        assert part in page, part


def test_what_can_be_tried_next(at_script: Path) -> None:
    """A cure that was not tried yet is a command with the script's arguments; one that was is none."""
    sick = samples.sick()
    suspects = [replace(s, cause=replace(s.cause, cures=cures)) for s, cures in zip(sick.suspects, (["output=identity"], ["clip=seen", "lr*3"]), strict=False)]
    page = render(replace(sick, suspects=suspects))

    assert "`nndoctor try --change clip=0.01 train.py --epochs 7`" in page  # fitted to the norms of this run
    assert "--change output=identity" not in page


def test_a_module_is_run_as_one(at_script: Path) -> None:
    """The command that looks again works."""
    sick = samples.sick()
    sick.recording.header.script = "package.train"

    assert "`nndoctor check -m package.train --epochs 7`" in render(sick)


def test_never_too_long(at_script: Path) -> None:
    """With as much of everything as there can be, and sentences without end, it stays below two thousand words."""
    sick = samples.sick()
    causes = list(load_causes().values())
    wordy = [Symptom("double-softmax", "a b c d e f g h i j " * 100, 1.0, 2.0)] * 20
    Path("train.py").write_text("x = [" + "1, " * 4000 + "]\n", encoding="utf-8")
    suspects = [replace(s, cause=replace(c, cures=["lr*2"]), severity="error", evidence=wordy, against=wordy, location=Place("train.py", 1))
                for s, c in zip([sick.suspects[0]] * 40, sorted(causes, key=lambda c: -len(c.what + c.fixes[0].code)), strict=False)]  # fmt: skip
    notes = [replace(s, severity="note") for s in suspects]
    sick.recording.header.arguments = ["a"] * 3000
    assert sick.recording.end is not None
    sick.recording.end.traceback = "a b c d\n" * 3000
    longest = replace(
        sick, suspects=suspects + notes, reasons=["why " * 1000] * 3, trials=sick.trials * 20, silenced=suspects,
        ruled_out=[RuledOut(c, "against it: " + "b c " * 1000) for c in causes],
        unused_comments=[UnusedComment(Place("train.py", 1), "# nndoctor: ignore", "w " * 999)] * 50,
    )  # fmt: skip

    assert len(render(longest).split()) < 2000


@pytest.mark.parametrize(
    "odd",
    ["<script>alert(1)</script>", "![x](http://a/b)", "[a](b)", "**bold** _it_ `code`", "a | b", "# head", "- item", "1. item", "``` x", "~~gone~~", "\\*", "&lt;", "<http://a>", "> said", "+ one"],
)  # fmt: skip
def test_foreign_words_are_literal(odd: str) -> None:
    """Nothing of the user's becomes a mark, a link, an image, a list or a tag: in a sentence, a name, or a block."""
    escaped = odd.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")

    assert f"<p>{escaped}</p>\n" == html(literal(odd))
    assert f"<p><code>{escaped}</code></p>\n" == html(code(odd))
    assert f'<pre><code class="language-python">{escaped}\n</code></pre>\n' == html(fenced(odd))


def test_a_table_keeps_its_columns(at_script: Path) -> None:
    """A bar in the words of a trial is no column."""
    sick = samples.sick()
    page = html(render(replace(sick, trials=[replace(sick.trials[0], change="a | b || c")])))

    assert "<td>a | b || c</td>" in page
    assert 5 == page.count("<td>")
