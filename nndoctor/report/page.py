"""A page of text of a given width: what the text renderers write on. Knows rich, and nothing of a diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

NARROWEST, WIDEST = 60, 120
LINE = 96  # prose is no longer than this, whatever the width

Part = str | tuple[str, str] | Text  # text, or text and its style


@dataclass(frozen=True)
class Look:
    """How a report is to look: its width in characters, with or without colour, short or long."""

    width: int = 80
    color: bool = False
    verbose: bool = False


def text(*parts: Part) -> Text:
    """One `Text` from strings, each plain or with a style. No markup is read: brackets are brackets."""
    return Text.assemble(*parts)


class Page:
    """Collects lines. Every string is taken literally; nothing is read from the environment."""

    def __init__(self, look: Look) -> None:
        self.width = min(max(look.width, NARROWEST), WIDEST)
        self._sheet = StringIO()
        self._console = Console(
            file=self._sheet, width=self.width, height=100, force_terminal=look.color, no_color=False,
            color_system="standard" if look.color else None, legacy_windows=False, force_interactive=False,
            markup=False, emoji=False, highlight=False, soft_wrap=False, _environ={},
        )  # fmt: skip

    def put(self, content: RenderableType, indent: int = 0) -> None:
        """Write anything that rich can render."""
        # A bare Text would be joined with others by rich and lose its own overflow.
        self._console.print(Padding(content, (0, 0, 0, indent)))

    def line(self, *parts: Part, indent: int = 0) -> None:
        """One line, cut with an ellipsis where it does not fit."""
        content = text(*parts)
        content.no_wrap, content.overflow = True, "ellipsis"
        self.put(content, indent)

    def gap(self) -> None:
        """An empty line, never two in a row."""
        if not self._sheet.getvalue().endswith("\n\n"):
            self._sheet.write("\n")

    def heading(self, words: str, style: str = "bold") -> None:
        """A word or two above a section."""
        self.gap()
        self.line((words, style))

    def prose(self, *parts: Part, indent: int = 0, label: Part = "", hang: int = 0) -> None:
        """Words that wrap; with a label, beside it, in a column that begins `hang` characters further in."""
        if hang:
            self.put(self._rows([(label, text(*parts))], hang, indent), indent)
        else:
            words = text(*parts)
            words.overflow = "fold"
            self._console.print(Padding(words, (0, max(self.width - LINE, 0), 0, indent)))

    def rows(self, pairs: Iterable[tuple[str, Part]], margin: int, indent: int = 2) -> None:
        """Labels in a margin, and what they stand for, each wrapped in its own column."""
        self.put(self._rows([((label, "dim"), content) for label, content in pairs], margin, indent), indent)

    def bullets(self, items: Iterable[Part], indent: int = 2, mark: str = "·") -> None:
        """One item a bullet, wrapped beside it."""
        self.put(self._rows([((mark, "dim"), item) for item in items], len(mark) + 1, indent), indent)

    def table(self, head: Sequence[str], body: Sequence[Sequence[Part]], indent: int = 2, words: int = 1) -> None:
        """A table without a frame. The first `words` columns hold names, the rest numbers, which are never cut; a head
        ending in a blank marks words that wrap, one beginning with a blank words that are never cut.
        """
        columns = [
            Column(
                text((name.strip(), "dim")),
                justify="left" if i < words or name != name.strip() else "right",
                no_wrap=not name.endswith(" "),
                overflow="fold" if name.endswith(" ") else "ellipsis",
                min_width=0 if name.endswith(" ") or i < words else max(len(text(row[i]).plain.strip()) for row in [head, *body]),
            )
            for i, name in enumerate(head)
        ]
        grid = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
        for cells in body:
            grid.add_row(*(text(c) for c in cells))
        self.put(grid, indent)

    def _rows(self, pairs: Sequence[tuple[Part, Part]], margin: int, indent: int) -> Table:
        grid = Table.grid(Column(width=margin, no_wrap=True), Column(max_width=max(LINE - margin - indent, 30)))
        for label, content in pairs:
            words = text(content)
            words.overflow = "fold"
            grid.add_row(text(label), words)
        return grid

    def result(self) -> str:
        """Everything written, without blanks at the ends of lines and with one line end at the end."""
        return "\n".join(line.rstrip() for line in self._sheet.getvalue().split("\n")).strip("\n") + "\n"
