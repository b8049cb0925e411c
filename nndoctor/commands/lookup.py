"""`explain`, `causes`, `symptoms` and `schema`: what nndoctor knows, without a run."""

from __future__ import annotations

import click

from nndoctor import completion
from nndoctor.errors import UsageError
from nndoctor.manual import COLOR, Manual
from nndoctor.options import COLOR_OPTION, PAGE_FORMATS, look_of

LIST_FORMAT = click.option("--format", type=PAGE_FORMATS, default="text", metavar="FORMAT", help="text or json.  [default: text]")


@click.command(
    cls=Manual,
    short_help="Show the whole page on one cause.",
    examples=[
        ("nndoctor explain lr-too-high", ""),
        ("nndoctor explain loss-input --color always | less -R", ""),
        ("nndoctor explain loss-input --format markdown", "the page for a review, a wiki or an assistant"),
    ],
    exits={0: "The page was printed.", 2: "There is no such cause; one line on stderr says which was meant."},
    environment=COLOR,
)
@click.option("--format", type=click.Choice(["text", "markdown"]), default="text", metavar="FORMAT", help="text or markdown.  [default: text]")
@COLOR_OPTION
@click.argument("cause", metavar="ID", shell_complete=completion.one_cause)
def explain(cause: str, format: str, color: str) -> None:
    """Show the whole page on one cause: what it is, why it hurts, what speaks for it, and how to mend it."""
    from nndoctor.checkup import deliver
    from nndoctor.knowledge.loader import load_causes
    from nndoctor.report.explain import cause_page
    from nndoctor.report.handbook import cause_document
    from nndoctor.symptoms.catalogue import CATALOGUE

    causes = load_causes()
    if cause not in causes:
        raise UsageError(_unknown_cause(cause, list(causes), [s.name for s in CATALOGUE]))
    if format == "markdown":
        deliver(cause_document(causes[cause], causes.values(), CATALOGUE), None)
        return
    deliver(cause_page(causes[cause], CATALOGUE, look_of(color)), None)


@click.command(
    cls=Manual,
    short_help="List every cause that can be named.",
    examples=[
        ("nndoctor causes", ""),
        ("nndoctor causes --documents", "each claim of the texts behind them, and what serves it"),
        ("nndoctor causes --format json", ""),
    ],
    environment=COLOR,
)
@click.option("--documents", is_flag=True, help="Show what serves each claim of the documents that causes are drawn from.")
@LIST_FORMAT
@COLOR_OPTION
def causes(documents: bool, format: str, color: str) -> None:
    """List every cause that can be named, by the stage of training at which it lies."""
    from nndoctor.checkup import deliver
    from nndoctor.knowledge.loader import load_causes, load_documents
    from nndoctor.report.coverage import coverage, coverage_json
    from nndoctor.report.explain import cause_list, cause_list_json

    found = load_causes().values()
    if documents:
        texts = load_documents().values()
        deliver(coverage_json(texts, found) if format == "json" else coverage(texts, found, look_of(color)), None)
        return
    deliver(cause_list_json(found) if format == "json" else cause_list(found, look_of(color)), None)


@click.command(
    cls=Manual,
    short_help="List everything that is measured.",
    examples=[("nndoctor symptoms", ""), ("nndoctor symptoms --verbose", ""), ("nndoctor symptoms --format json", "")],
    environment=COLOR,
)
@LIST_FORMAT
@click.option("--verbose", is_flag=True, help="Add the reason and source of each threshold.")
@COLOR_OPTION
def symptoms(format: str, verbose: bool, color: str) -> None:
    """List everything that is measured, with the threshold from which it counts."""
    from nndoctor.checkup import deliver
    from nndoctor.report.explain import symptom_list, symptom_list_json
    from nndoctor.symptoms.catalogue import CATALOGUE

    deliver(symptom_list_json(CATALOGUE) if format == "json" else symptom_list(CATALOGUE, look_of(color, verbose)), None)


@click.command(
    cls=Manual,
    short_help="Print the JSON schema of `--format json`.",
    examples=[("nndoctor schema > nndoctor.schema.json", ""), ("check-jsonschema --schemafile nndoctor.schema.json report.json", "")],
)
def schema() -> None:
    """Print the JSON schema that every report of `--format json` fulfils."""
    from nndoctor.checkup import deliver
    from nndoctor.report.json import schema_text

    deliver(schema_text(), None)


def _unknown_cause(name: str, known: list[str], measured: list[str]) -> str:
    from nndoctor.config import suggestion

    if name in measured:
        return f"{name!r} is a symptom, not a cause; `nndoctor symptoms` explains it"
    near = suggestion(name, known)
    hint = f"did you mean {near!r}? " if near else ""
    return f"{name!r} is no cause; {hint}`nndoctor causes` lists all of them"
