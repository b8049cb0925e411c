"""HTML by elements. A string is text and is escaped wherever it stands; only what an element made is markup.

Names, messages and source lines come from the user's program, and the page may be opened by somebody else: there is no
way to write markup here but by `element` and `data`.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from nndoctor.report.json import spelt
from nndoctor.report.words import clean

_VOID = frozenset({"meta", "br", "hr", "input"})
# Characters that turn the direction of what follows: a name that holds one would rearrange the page around it.
_TURNS = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


class Markup(str):
    """Finished HTML, as `element` makes it."""

    __slots__ = ()


Child = Markup | str | None | Iterable["Child"]


def plain(text: str) -> str:
    """The text without what a terminal, UTF-8 or a line of text would trip over."""
    return str(spelt(clean(text))).translate(_TURNS)


def element(tag: str, *children: Child, **attributes: object) -> Markup:
    """One element. `class_` is class and `data_x` data-x; an attribute that is None or False is left out."""
    start = f"<{tag}{''.join(_attribute(name, value) for name, value in attributes.items())}>"
    return Markup(start if tag in _VOID else f"{start}{join(children)}</{tag}>")


def join(children: Child) -> Markup:
    """Children one after the other; text among them is escaped."""
    if children is None:
        return Markup("")
    if isinstance(children, Markup):
        return children
    if isinstance(children, str):
        return Markup(html.escape(plain(children)))
    return Markup("".join(join(child) for child in children))


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    spelling = name.rstrip("_").replace("_", "-")
    return f" {spelling}" if value is True else f' {spelling}="{html.escape(plain(str(value)))}"'


def own(tag: str, content: str, **attributes: object) -> Markup:
    """A style or script of ours, which HTML reads as it stands. Raises ValueError where it would end its element."""
    if "</" in content or "<!--" in content:
        raise ValueError(f"the {tag} would end before its end")
    return Markup(element(tag, **attributes).removesuffix(f"</{tag}>") + content + f"</{tag}>")


def data(content: Mapping[str, Any]) -> Markup:
    """Numbers and names for the page's script, as JSON that no name can break out of."""
    words = json.dumps(_ready(content), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    # Within a script element only `<` can end it; JSON lets any character be spelt by its number.
    safe = words.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return own("script", safe, type="application/json")


def _ready(value: Any) -> Any:
    """The same structure with text made plain, and numbers cut to what a reader can use."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.5g}")
    if isinstance(value, Mapping):
        return {plain(str(k)): _ready(v) for k, v in value.items()}
    return [_ready(v) for v in value] if isinstance(value, (list, tuple)) else spelt(value)
