"""The HTML report in a real browser: no complaint, plots drawn, readable on a phone and on a screen, in light and dark.

Skipped where there is no Chromium; `apt-get install chromium` brings one, and NNDOCTOR_TEST_BROWSER names another.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nndoctor.outcome import Report
from nndoctor.report.html.document import render
from tests.report import samples
from tests.report.browser import Browser, find_browser
from tests.report.test_html import hostile_diagnosis

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no browser: install chromium, or name one in NNDOCTOR_TEST_BROWSER")

WIDTHS = (400, 1400)
PAGES = {**samples.SAMPLES, "hostile": hostile_diagnosis}
TEXT, LARGE, GRAPHICS = 4.5, 3.0, 3.0  # contrast that WCAG 2.1 asks for: level AA, criteria 1.4.3 and 1.4.11

# Contrast of every visible piece of text with what lies behind it, and of every line and mark of a plot with its area.
CONTRAST = """
(() => {
  const parse = (c) => { const n = (c.match(/[\\d.]+/g) || []).map(Number); return {rgb: n.slice(0, 3), a: n.length > 3 ? n[3] : 1}; };
  const light = (rgb) => rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = parse(getComputedStyle(at).backgroundColor);
      if (found.a === 1) return found.rgb;
      if (found.a > 0) throw new Error("half transparent: " + at.className);
    }
    throw new Error("nothing behind");
  };
  for (const one of document.querySelectorAll("details")) one.open = true;
  const texts = [], marks = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, words = walker.currentNode.textContent.trim();
    if (!words || element.closest("script, [hidden]")) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    texts.push([words.slice(0, 40), ratio(parse(style.color).rgb, behind(element)), size >= 24 || (size >= 18.66 && style.fontWeight >= 700), size]);
  }
  for (const path of document.querySelectorAll(".plot path")) {
    const style = getComputedStyle(path);
    if (path.matches(".grid, .faint") || style.stroke === "none") continue;
    marks.push([path.getAttribute("class"), ratio(parse(style.stroke).rgb, behind(path.closest(".area")))]);
  }
  for (const bar of document.querySelectorAll(".track .bar")) marks.push([bar.className, ratio(parse(getComputedStyle(bar).backgroundColor).rgb, behind(bar.closest(".card")))]);
  return [texts, marks];
})()
"""
# What is wider than the page, but for what scrolls within itself.
TOO_WIDE = """
[...document.body.querySelectorAll("*")]
  .filter((e) => !e.closest("pre, .scroll, [hidden], svg") && e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
  .map((e) => e.tagName + "." + e.className + " " + e.textContent.slice(0, 40))
"""
# How much of each plot's area its drawing takes, and how many shapes it has.
DRAWN = """
[...document.querySelectorAll("figure svg")].map((svg) => {
  const shapes = [...svg.querySelectorAll("path:not(.grid)")].filter((p) => p.getAttribute("d"));
  const boxes = shapes.map((p) => p.getBoundingClientRect());
  return [svg.closest("figure").getAttribute("aria-label"), shapes.length, svg.getBoundingClientRect().width, svg.getBoundingClientRect().height,
    Math.max(0, ...boxes.map((b) => b.width)), shapes.every((p) => getComputedStyle(p).stroke !== "none" || getComputedStyle(p).fill !== "none")];
})
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests."""
    assert PROGRAM is not None
    with Browser(PROGRAM, tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report on each sample, as a file."""
    folder = tmp_path_factory.mktemp("pages")
    written = {}
    for name, make in PAGES.items():
        written[name] = folder / f"{name}.html"
        written[name].write_text(render(make()), encoding="utf-8")
    return written


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_complained_of_or_fetched(name: str, width: int, browser: Browser, pages: dict[str, Path]) -> None:
    """The console stays empty, and the page asks for nothing but itself."""
    browser.open(pages[name], width)

    assert [] == browser.complaints
    assert [pages[name].as_uri()] == browser.requests


@pytest.mark.parametrize("name", ["sick", "hostile"])
def test_a_notebook_shows_the_page_in_a_frame(name: str, browser: Browser, tmp_path: Path) -> None:
    """The page's script runs there without complaint; its styles stay within, and the two cannot reach each other."""
    page = tmp_path / "notebook.html"
    page.write_text(f"<!doctype html><title>notebook</title><main>a cell</main>{Report(PAGES[name]())._repr_html_()}", encoding="utf-8")
    browser.open(page)
    within = "document.querySelector('iframe')"

    assert [] == browser.complaints
    assert {page.as_uri(), "about:srcdoc"} >= set(browser.requests)
    assert [1, None, 720] == browser.run(f"[document.querySelectorAll('iframe').length, {within}.contentDocument, {within}.clientHeight]")
    assert ["block", "0px", "none"] == browser.run("(({display, padding, maxWidth}) => [display, padding, maxWidth])(getComputedStyle(document.querySelector('main')))")


def test_complaints_are_heard(browser: Browser, tmp_path: Path) -> None:
    """A page that throws, logs and fetches is noticed: what is tested here can fail."""
    page = tmp_path / "bad.html"
    page.write_text("<script>console.error('said'); hacked = 1; nothing.at.all</script><img src='missing.png'>", encoding="utf-8")
    browser.open(page)

    assert 3 <= len(browser.complaints)
    assert 2 == len(browser.requests)
    assert 1 == browser.run("window.hacked")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_page_is_no_wider_than_the_window(name: str, width: int, browser: Browser, pages: dict[str, Path]) -> None:
    """Nothing sticks out sideways, all details open: only code and tables scroll, each within itself."""
    browser.open(pages[name], width)
    browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")

    assert [] == browser.run(TOO_WIDE)
    assert width == browser.run("document.documentElement.scrollWidth")


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("width", WIDTHS)
def test_plots_are_drawn(width: int, scripts: bool, browser: Browser, pages: dict[str, Path]) -> None:
    """Every plot has an area of some size and shapes with a colour in it, also where scripts are off."""
    browser.open(pages["sick"], width, scripts=scripts)
    drawn: list[Any] = browser.run(DRAWN)

    assert ["Loss", "Gradient norm", "Learning rate"] == [name for name, *_ in drawn if name in ("Loss", "Gradient norm", "Learning rate")]
    assert {"Gradients", "Updates", "Activations", "Zeros", "Scale of the inputs"} <= {name for name, *_ in drawn}
    assert [] == [d for d in drawn if d[1] < 1 or d[2] < 200 or d[3] < 24 or not d[5]]
    assert 0.9 < max(d[4] / d[2] for d in drawn if d[0] == "Loss") <= 1.05


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", PAGES)
def test_contrast(name: str, dark: bool, browser: Browser, pages: dict[str, Path]) -> None:
    """Text and lines stand out from what lies behind them as WCAG AA asks, in light and dark."""
    browser.open(pages[name], 1400, dark)
    texts, marks = browser.run(CONTRAST)

    assert texts
    assert [] == [t for t in texts if t[1] < (LARGE if t[2] else TEXT)]
    assert [] == [m for m in marks if m[1] < GRAPHICS]


def test_dark_is_dark(browser: Browser, pages: dict[str, Path]) -> None:
    """The page follows the reader's choice of light or dark."""
    colours = []
    for dark in (False, True):
        browser.open(pages["sick"], 1400, dark)
        colours.append(browser.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => a + Number(b), 0)"))

    assert colours[0] > 600
    assert colours[1] < 150


@pytest.mark.parametrize("width", WIDTHS)
def test_text_is_large_enough(width: int, browser: Browser, pages: dict[str, Path]) -> None:
    """No word is smaller than 12 pixels at any width: the drawings stretch and their words do not."""
    browser.open(pages["sick"], width)
    texts, _ = browser.run(CONTRAST)

    assert [] == [t for t in texts if t[3] < 12]


@pytest.mark.parametrize("width", WIDTHS)
def test_pointer_reads_values(width: int, browser: Browser, pages: dict[str, Path]) -> None:
    """Over a curve the page names the step and the value of every line there, within the window, and takes it away again."""
    browser.open(pages["sick"], width)
    for place, step in ((0.02, 3), (0.5, 80), (0.99, 159)):
        box = browser.run("(() => { const a = document.querySelector('.plot .area'); a.scrollIntoView({block: 'center'}); const b = a.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()")
        browser.point(box[0] + place * box[2], box[1] + 0.5 * box[3])
        said, left, right = browser.run("(() => { const t = document.querySelector('.plot .tip'), b = t.getBoundingClientRect(); return [t.innerText, b.left, b.right]; })()")

        assert abs(step - int(said.splitlines()[0].removeprefix("step "))) <= 1
        assert "training: 2." in said
        assert "validation: 2." in said
        assert 0 <= left < right <= width
    browser.point(1, 1)
    assert browser.run("document.querySelector('.plot .tip').hidden")


def test_pointer_reads_heat_maps(browser: Browser, pages: dict[str, Path]) -> None:
    """Over a heat map the page names the layer, the step and the value."""
    browser.open(pages["sick"])
    box = browser.run("(() => { const a = document.querySelector('.heat .area'); a.scrollIntoView({block: 'center'}); const b = a.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()")
    browser.point(box[0] + 0.9 * box[2], box[1] + 0.75 * box[3])

    assert "net.2\nstep 160: 0.001206" == browser.run("document.querySelector('.heat .tip').innerText")


def test_hostile_names_are_shown_and_not_run(browser: Browser, pages: dict[str, Path]) -> None:
    """Markup in names is read as text, also in what the script shows under the pointer."""
    browser.open(pages["hostile"])
    browser.run("document.querySelectorAll('.area').forEach((a) => { a.focus(); a.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'})); })")

    assert browser.run("typeof window.hacked === 'undefined'")
    assert 0 == browser.run("document.querySelectorAll('img, .tip script').length")
    assert browser.run("[...document.querySelectorAll('.tip')].some((t) => t.textContent.includes('<img'))")
    assert [] == browser.complaints
