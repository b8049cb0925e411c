"""Pages of the knowledge base in Markdown: a cause as somebody reads it in a browser, and the list of all of them.

`nndoctor explain --format markdown` prints a page; those in `knowledge/pages/` are the same, and link each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby

from nndoctor.knowledge.model import Cause, Evidence
from nndoctor.probe.changes.names import parse
from nndoctor.report.explain import causes_by_stage
from nndoctor.report.marks import code, fenced, literal
from nndoctor.report.sources import cited
from nndoctor.report.words import count, listing, number
from nndoctor.symptoms.model import SymptomInfo

INDEX = "README.md"  # what a forge shows for the folder
_STAGES = {
    "data": "What goes in: samples, labels, scales, splits.",
    "model": "The network: layers, activations, the weights that it starts from.",
    "loss": "What is minimised, and what it is given.",
    "optimization": "Rate, batch, optimiser, regularisation.",
    "loop": "The order and the modes in which everything is called.",
}
_SEVERITIES = {"error": "the run fails by it", "warning": "the run is the worse for it", "note": "advice"}


def cause_summary(cause: Cause) -> str:
    """What a reader of one finding wants: what, why, the fixes with their code, and what to beware of."""
    parts = [literal(cause.what), f"**Why.** {literal(cause.why)}", *_fixes(cause, "**Change.** ")]
    parts += [f"**Known problems.** {literal(cause.known_problems)}"] if cause.known_problems.strip() else []
    parts += [f"**References.** {literal('; '.join(cause.references))}"] if cause.references else []
    return "\n\n".join(parts) + "\n"


def cause_document(cause: Cause, causes: Collection[Cause], symptoms: Sequence[SymptomInfo], linked: bool = False) -> str:
    """The whole page on one cause, among all the `causes` there are; `linked` makes links of them to the files beside it."""
    return _joined(
        [
            f"# {literal(cause.title)}",
            f"{code(cause.id)} · {cause.severity}: {_SEVERITIES[cause.severity]} · lies in: {cause.stage}",
            literal(cause.what),
            *_section("Why it harms", [_paragraphs(cause.why)]),
            *_section("How nndoctor tells it", _telling(cause, {s.name: s for s in symptoms})),
            *_section("What to change", _fixes(cause, "")),
            *_section("The trial that proves it", _trials(cause)),
            *_section("What it is mistaken for", _mistaken(cause, causes, linked)),
            *_section("Where it is described", _described(cause)),
            "## To let it pass",
            f"{code(f'# nndoctor: ignore[{cause.id}]')} at the end of the line to blame silences it there, "
            f"{code(f'--ignore {cause.id}')} in one run, {code(f'ignore: [{cause.id}]')} in nndoctor.yaml in all of them.",
        ]
    )


def index_document(causes: Collection[Cause]) -> str:
    """All causes by stage, each with what it is, and a link to its page."""
    parts = ["# What can be wrong with a training run", f"{len(causes)} causes, each with a page that {code('nndoctor explain ID')} shows as well."]
    for stage, group in groupby(causes_by_stage(causes), key=lambda c: c.stage):
        rows = [f"| {_link(c)} | {literal(c.title)} | {literal(c.what)} |" for c in group]
        table = "\n".join(["| id | cause | what it is |", "| --- | --- | --- |", *rows])
        parts += [f"## {stage.capitalize()}", _STAGES.get(stage, ""), table]
    return _joined(parts)


def file_name(cause: Cause) -> str:
    """The page's file, beside the list."""
    return f"{cause.id}.md"


def _section(title: str, paragraphs: Sequence[str]) -> list[str]:
    """A heading and what stands below it; nothing where there is nothing to tell."""
    told = [p for p in paragraphs if p]
    return [f"## {title}", *told] if told else []


def _paragraphs(words: str) -> str:
    return "\n\n".join(literal(p) for p in words.strip().split("\n\n"))


def _telling(cause: Cause, infos: dict[str, SymptomInfo]) -> list[str]:
    """Symptoms for it and against it, strongest first, each with its words and its threshold."""
    needed = "It is suspected only where " + ("this holds" if len(cause.needs) == 1 else "one of these holds") + ":"
    parts = [needed, "\n".join(f"- {_symptom(name, infos)}" for name in cause.needs)] if cause.needs else []
    further = [e for e in cause.evidence if e.weight > 0 and e.symptom not in cause.needs]
    against = [e for e in cause.evidence if e.weight < 0]
    for title, chosen in (("Beside that, these speak for it, the strongest first:", further), ("These speak against it:", against)):
        if chosen:
            ranked: list[Evidence] = sorted(chosen, key=lambda e: -abs(e.weight))
            parts += [title, "\n".join(f"- {_symptom(e.symptom, infos)}" for e in ranked)]
    return parts


def _symptom(name: str, infos: dict[str, SymptomInfo]) -> str:
    info = infos.get(name)
    if info is None:
        return code(name)
    limit = f" Threshold {number(info.threshold)}." if info.threshold is not None else ""
    why = f" ({literal(info.why.rstrip('.'))}.)" if limit and info.why.strip() else ""
    return f"{code(name)}: {literal(info.what)}{limit}{why}"


def _fixes(cause: Cause, label: str) -> list[str]:
    parts = []
    for fix in cause.fixes:
        when = f" (for {listing([code(name) for name in fix.when], 'or')})" if fix.when else ""
        parts.append(f"{label}{literal(fix.text)}{when}")
        parts += [fenced(fix.code)] if fix.code.strip() else []
    return parts


def _trials(cause: Cause) -> list[str]:
    """The changes that take it away, and how to make them by hand."""
    if not cause.cures:
        return ["None: no change from outside the script takes it away, so that it is told unproved."]
    changes = [parse(spelling.replace("clip=seen", "clip=1")) for spelling in cause.cures]
    rows = [f"- {literal(c.words)}: {code(f'nndoctor try --change {chr(39) + c.spelling + chr(39) if c.kind.scales else c.spelling} train.py')}" for c in changes]
    told = f"{count(len(rows), 'change takes', 'changes take')} it away, the smallest edit first; a run that then learns has proved it."
    return [told, "\n".join(rows)]


def _mistaken(cause: Cause, causes: Collection[Cause], linked: bool) -> list[str]:
    """What the page admits, and the neighbours that it brings about, or that bring it about."""
    named = {c.id: _link(c) if linked else code(c.id) for c in causes}
    bringing = [named[c.id] for c in causes if cause.id in c.leads_to]
    brought = [named[name] for name in cause.leads_to if name in named]
    return [
        _paragraphs(cause.known_problems),
        f"It may be no more than a consequence of {listing(bringing, 'or')}." if bringing else "",
        f"Of what it brings about, these then stand below it in a report: {listing(brought)}." if brought else "",
    ]


def _described(cause: Cause) -> list[str]:
    """The claims of the documents, and further reading."""
    claims = [f"- {literal(title)}: {literal(claim.phrase)} ({code(claim.id)})" for title, made in cited(cause.documents) for claim in made]
    return ["\n".join([*claims, *(f"- {literal(r)}" for r in cause.references)])]


def _link(cause: Cause) -> str:
    return f"[{cause.id}]({file_name(cause)})"


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(p for p in parts if p) + "\n"
