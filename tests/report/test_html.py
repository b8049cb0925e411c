"""The HTML report: whole against gold files, and what must hold whatever the user's names are."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from nndoctor.diagnosis.model import Diagnosis
from nndoctor.record.model import Activation, Header, ParameterInfo, ParameterSample, Recording, Sample, Site, Step
from nndoctor.report.html.document import render
from nndoctor.report.html.heat import Heat, heat_map, level_of
from nndoctor.report.html.layers import heat_maps
from nndoctor.report.html.markup import Markup, data, element, own
from nndoctor.report.html.plot import Plot, Series, line_plot
from nndoctor.report.spark import Scale
from tests.report import samples

HOSTILE = "</script></style></title><script>hacked=1</script><img src=x onerror=hacked=1>\" onfocus='hacked=1' autofocus a=\"<!--\u202e\x1b[31m\x00\ud800&lt;"


class Elements(HTMLParser):
    """Every element of a document with its attributes, the text, and what each script holds."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.comments: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def hostile(value: Any) -> Any:
    """The same structure with every string followed by what would break out of HTML, JSON and a terminal."""
    if isinstance(value, str):
        return value + HOSTILE
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value, **{f.name: hostile(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init})
    if isinstance(value, dict):
        return {hostile(k): hostile(v) for k, v in value.items()}
    return [hostile(v) for v in value] if isinstance(value, (list, tuple)) else value


def hostile_diagnosis() -> Diagnosis:
    """The sick sample, its recording and its symptoms and trials full of hostile names."""
    sick = samples.sick()
    suspects = [dataclasses.replace(s, evidence=hostile(s.evidence), against=hostile(s.against), location=hostile(s.location), module=hostile(s.module or "")) for s in sick.suspects]
    trials = [dataclasses.replace(t, change=hostile(t.change), reason=hostile(t.reason), measure=hostile(t.measure)) for t in sick.trials]
    return dataclasses.replace(sick, suspects=suspects, symptoms=hostile(sick.symptoms), trials=trials, recording=hostile(sick.recording))


def body(document: str) -> str:
    """The document with a line an element, and without the style sheet and the script, which are files of their own."""
    bare = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", document, flags=re.DOTALL)
    return re.sub(r"(?<=>)(?=<(?!/))", "\n", re.sub(r"sha256-[^&]*", "sha256-...", bare))


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_report(name: str, gold: Callable[[str, str], None], at_script: Path) -> None:
    """The report is the gold file's, style sheet and script aside."""
    gold(f"{name}.html", body(render(samples.SAMPLES[name]())))


def test_report_is_the_same_each_time(at_script: Path) -> None:
    """One diagnosis gives one document, to the last byte."""
    assert render(samples.sick()) == render(samples.sick())


def test_hostile_names_stay_text(at_script: Path) -> None:
    """Names that hold markup make no element, no attribute and no comment, and the numbers can still be read."""
    plain, attacked = Elements(render(samples.sick())), Elements(render(hostile_diagnosis()))
    known = {tag for tag, _ in plain.found}

    assert known >= {tag for tag, _ in attacked.found}
    assert [] == [a for _, attrs in attacked.found for a in attrs if a.startswith("on") or a in ("src", "href", "autofocus")]
    assert [] == attacked.comments
    assert {"lines", "cells", "ranges"} == {json.loads(s)["kind"] for s in attacked.scripts if s.startswith("{")}
    assert 1 == len([s for s in attacked.scripts if not s.startswith("{")])
    assert "hacked=1" in "".join(attacked.words)


def test_hostile_names_are_encodable_and_do_not_turn_the_page(at_script: Path) -> None:
    """No control character, lone surrogate or change of direction reaches the page."""
    report = render(hostile_diagnosis())

    assert report.encode("utf-8")
    assert [] == [c for c in "\u202e\x1b\x00\ud800" if c in report]


def test_only_our_script_may_run(at_script: Path) -> None:
    """The policy names the hash of the one script of the page, and lets nothing be loaded."""
    found = Elements(render(samples.sick()))
    policy = next(a["content"] or "" for _, a in found.found if a.get("http-equiv") == "Content-Security-Policy")
    script = resources.files("nndoctor.report.html").joinpath("script.js").read_text(encoding="utf-8")

    assert "default-src 'none'" in policy
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert [script] == [s for s in found.scripts if not s.startswith("{")]


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_nothing_is_fetched(name: str, at_script: Path) -> None:
    """No element refers to anything outside the file."""
    report = render(samples.SAMPLES[name]())

    assert set() == {tag for tag, _ in Elements(report).found} & {"link", "img", "iframe", "object", "embed", "video", "audio", "form", "base"}
    assert "url(" not in report
    assert "@import" not in report


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_elements_are_closed(name: str, at_script: Path) -> None:
    """Every element that is opened is closed, in order."""
    open_, wrong = [], []
    for close, tag in re.findall(r"<(/?)([a-zA-Z0-9]+)[^>]*>", body(render(samples.SAMPLES[name]())).replace("<!doctype html>", "")):
        if tag == "meta":
            continue
        if not close:
            open_.append(tag)
        elif open_ and open_[-1] == tag:
            open_.pop()
        else:
            wrong.append(tag)

    assert ([], []) == (open_, wrong)


def test_report_says_what_the_diagnosis_says(at_script: Path) -> None:
    """Verdict, evidence, the user's line, fix, trials, settings, symptoms and what was ruled out all stand on the page."""
    words = "".join(Elements(render(samples.sick())).words)
    for expected in (
        "sick", "Softmax before a loss that applies its own", "probabilities are normalised twice", "train.py:14", "nn.Softmax(dim=1),",
        "Remove the nn.Softmax", "output activation bypassed", "confirmed", "accuracy 21 % → 97 %", "not possible", "lr=0.05",
        "updates-tiny", "dying-relu", "follows from loss-input", "B-output",
    ):  # fmt: skip
        assert expected in words


def test_empty_recording_makes_a_page() -> None:
    """A run of which nothing was seen has a page without a single plot."""
    found = Elements(render(samples.inconclusive()))

    assert "figure" not in {tag for tag, _ in found.found}
    assert "FileNotFoundError" in "".join(found.words)


# --- parts --------------------------------------------------------------------------------------------------------


def test_text_is_escaped_and_markup_is_not() -> None:
    """A string is text wherever it stands; what an element made is taken as it is."""
    inner = element("b", "a < b & c")

    assert element("p", inner, " <i>", title='say "<>"') == '<p title="say &quot;&lt;&gt;&quot;"><b>a &lt; b &amp; c</b> &lt;i&gt;</p>'


def test_attributes_that_are_none_are_left_out() -> None:
    """True is a bare attribute, None and False are none."""
    assert element("div", class_="x", data_kind="y", hidden=True, title=None, open=False) == '<div class="x" data-kind="y" hidden></div>'


def test_data_cannot_end_its_script() -> None:
    """JSON within the page holds no character that HTML reads, and is the same JSON."""
    written = data({"name": "</script><!--", "values": [math.nan, 1.23456789, None]})

    assert "<" not in written.removeprefix('<script type="application/json">').removesuffix("</script>")
    assert {"name": "</script><!--", "values": ["nan", 1.2346, None]} == json.loads(written[written.index("{") : written.rindex("}") + 1])


def test_own_script_that_would_end_early_is_refused() -> None:
    """A script or style of ours that holds an end tag is a mistake of ours, and said so."""
    with pytest.raises(ValueError, match="would end"):
        own("script", "let x = '</script>'")


def test_plot_without_numbers_is_empty() -> None:
    """Neither an empty line nor one of NaN makes a plot."""
    assert Markup("") == line_plot(Plot("Loss", [Series("training", [], "training")]))
    assert Markup("") == line_plot(Plot("Loss", [Series("training", [(1.0, math.nan)], "training")]))


def test_plot_breaks_where_there_is_no_number() -> None:
    """A line with NaN in it is drawn in two parts, with a mark and a word for the step."""
    drawn = line_plot(Plot("Loss", [Series("training", [(1.0, 1.0), (2.0, 2.0), (3.0, math.nan), (4.0, 1.0), (5.0, 2.0)], "training")]))
    path = re.search(r'd="([^"]*)" class="line training"', drawn)

    assert path is not None
    assert 2 == path.group(1).count("M")
    assert "NaN or infinite, first at step 3" in drawn
    assert 'class="broken"' in drawn


def test_long_lines_are_thinned() -> None:
    """Of a hundred thousand steps the page holds means over stretches, and no more than some hundred of them."""
    drawn = line_plot(Plot("Loss", [Series("training", [(float(i), 1.0 + i % 7) for i in range(1, 100_001)], "training")]))

    assert len(drawn) < 60_000


def test_heat_map_levels() -> None:
    """The lowest value has the first level and the highest the last; NaN has its own, and what is missing none."""
    scale = Scale(1e-6, 1.0, True)

    assert ["0", "9", "n", "", "0"] == [level_of(v, scale) for v in (1e-6, 1.0, math.nan, None, 0.0)]


def test_heat_map_of_nothing_is_empty() -> None:
    """A map in which nothing was measured is not drawn, whatever its scale."""
    assert Markup("") == heat_map(Heat("Zeros", "", [], [1], [], Scale(0.0, 1.0, False)))
    assert Markup("") == heat_map(Heat("Zeros", "", ["a"], [1], [[None]]))


def test_deep_network_is_cut_and_said_to_be() -> None:
    """Of hundreds of layers the first and last are shown, and the page says how many are not."""
    recording = Recording(Header(1, "0.1.0", "deep.py"))
    names = [f"net.{i}" for i in range(300)]
    recording.parameters = [ParameterInfo(i, f"{n}.weight", [4, 4], "float32", True, n, "Linear", 0) for i, n in enumerate(names)]
    recording.samples = [Sample(step, [ParameterSample(i, 1.0, 1e-3, 0.1, 0.0, 0.0) for i in range(300)]) for step in range(1, 140)]
    recording.steps = [Step(step, 0.1 * step, 1.0) for step in range(1, 140)]
    recording.sites = [Site(n, "Linear", i, 4, None, None, 1, module=n) for i, n in enumerate(names)]
    recording.activations = [Activation(1, n, "Linear", 0.0, 1.0, 2.0, 0.0, None, 1.0) for n in names]
    maps = heat_maps(recording)

    assert 3 == len(maps)
    assert all("252 layers between the first and the last are left out" in m for m in maps)
    assert sum(map(len, maps)) < 400_000
