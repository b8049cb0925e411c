"""A terminal report as a picture: SVG that names no font and loads nothing."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.text import Text

# rich's own template asks another host for a font, which a forge does not load. Every row is told how wide it is, so that any
# font of equal widths will do.
TEMPLATE = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-family: system-ui, sans-serif; font-size: 16px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def drawn(report: str, title: str) -> tuple[str, str]:
    """The picture of a report with colour codes, 80 characters wide, and its words without them."""
    words = Text.from_ansi(report)
    console = Console(record=True, width=80, file=StringIO(), force_terminal=True, color_system="standard", legacy_windows=False)
    console.print(words, end="")
    picture = console.export_svg(title=title, code_format=TEMPLATE, unique_id="report")
    return picture, "\n".join(line.rstrip() for line in words.plain.rstrip("\n").split("\n")) + "\n"
