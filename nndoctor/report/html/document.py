"""The report for a person with a browser: one HTML file that needs nothing from elsewhere and can be mailed.

Everything is drawn in the file itself and can be read without scripts; the script, of which there is one, shows the values
under the pointer. A content security policy names that script by its hash and allows nothing else: whatever a name of the
user's might hold, it is not run, and nothing is loaded.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from nndoctor.diagnosis.model import Diagnosis
from nndoctor.record.model import Recording
from nndoctor.report import facts
from nndoctor.report.details import observed_settings
from nndoctor.report.html import findings
from nndoctor.report.html.curves import gradient_plot, loss_plot, rate_plot, score_plot
from nndoctor.report.html.data import data_plots
from nndoctor.report.html.layers import dead_units, heat_maps, layer_table
from nndoctor.report.html.markup import Markup, element, own
from nndoctor.version import __version__


def render(diagnosis: Diagnosis) -> str:
    """The whole report as one HTML document."""
    header = diagnosis.recording.header
    body = element(
        "main",
        findings.verdict(diagnosis),
        _card("What was watched", _pairs(facts.watched(diagnosis.recording))),
        _curves(diagnosis),
        findings.suspect_cards(diagnosis),
        findings.trial_table(diagnosis.trials),
        findings.traceback(diagnosis),
        _network(diagnosis.recording),
        _card("Data", element("div", data, class_="pair")) if (data := data_plots(diagnosis.recording)) else None,
        _card("Settings, as they were observed", _pairs(observed_settings(diagnosis.recording)), rate_plot(diagnosis.recording)),
        findings.symptom_list(diagnosis.symptoms),
        findings.ruled_out(diagnosis),
    )
    foot = element("footer", f"nndoctor {__version__} · ", element("code", " ".join([header.script, *header.arguments])))
    page = element("html", _head(f"{diagnosis.verdict}: {header.script}"), element("body", body, foot, own("script", _asset("script.js"))), lang="en")
    return f"<!doctype html>\n{page}\n"


def _head(title: str) -> Markup:
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_hash(_asset('script.js'))}'; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("title", f"{title} · nndoctor"),
        own("style", _asset("style.css")),
    )


def _card(title: str, *content: Markup | None) -> Markup | None:
    """A section under a heading; None where there is nothing in it."""
    return element("section", element("h2", title), content, class_="card") if any(content) else None


def _pairs(rows: list[tuple[str, str]]) -> Markup:
    return element("dl", [[element("dt", label), element("dd", words)] for label, words in rows]) if rows else Markup("")


def _curves(diagnosis: Diagnosis) -> Markup | None:
    reading = " ".join(s for s in (diagnosis.curve.reading, facts.scores(diagnosis)) if s) if diagnosis.verdict != "inconclusive" else ""
    loss = loss_plot(diagnosis)
    others = [p for p in (score_plot(diagnosis), gradient_plot(diagnosis.recording)) if p]
    if not loss and not others:
        return None
    return _card("How it went", element("p", reading) if reading else None, loss, element("div", others, class_="pair") if others else None)


def _network(recording: Recording) -> Markup | None:
    maps = heat_maps(recording)
    dead, table = dead_units(recording), layer_table(recording)
    return _card("Inside the network", element("div", maps, dead, class_="pair") if maps or dead else None, table)


@cache
def _asset(name: str) -> str:
    """A file that lies beside this one."""
    return resources.files("nndoctor.report.html").joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
