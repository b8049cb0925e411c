"""What is wrong and how we know: verdict, suspects, trials, and what was looked for in vain."""

from __future__ import annotations

from nndoctor.diagnosis.model import Diagnosis, Suspect, Trial
from nndoctor.knowledge.model import Fix
from nndoctor.record.model import Place
from nndoctor.report import facts
from nndoctor.report.details import measured
from nndoctor.report.frame import frame_lines
from nndoctor.report.html.markup import Child, Markup, element
from nndoctor.report.sources import cited
from nndoctor.report.suspects import fixes, how_sure
from nndoctor.report.trials import details, says, score, sentence
from nndoctor.report.words import place
from nndoctor.symptoms.model import Symptom


def verdict(diagnosis: Diagnosis) -> Markup:
    """The first thing to read: sick or healthy, and the first suspect."""
    grave = [s for s in diagnosis.suspects if s.severity != "note"]
    if diagnosis.verdict == "inconclusive":
        said = diagnosis.reasons[0] if diagnosis.reasons else facts.ending(diagnosis.recording, full=True)
        below: Child = [element("p", reason) for reason in diagnosis.reasons[1:]]
        below = [below, element("p", facts.advice(diagnosis.recording))]
    elif not grave:
        said = f"{'No known fault' if diagnosis.caution else 'Nothing is wrong'} as far as {facts.seen(diagnosis.recording)}"
        checks = element("ul", [element("li", reason) for reason in diagnosis.reasons], class_="checks") if diagnosis.reasons else None
        below = [element("p", diagnosis.caution), checks] if diagnosis.caution else checks
    else:
        said = grave[0].cause.title
        below = element("p", how_sure(grave[0]), _at(grave[0].location))
    word = "no diagnosis" if diagnosis.verdict == "inconclusive" else diagnosis.verdict
    return element("header", element("p", word, class_="badge"), element("h1", said), below, class_=f"verdict {diagnosis.verdict}")


def _at(where: Place | None) -> Child:
    return [" · ", element("code", place(where))] if where is not None else None


def suspect_cards(diagnosis: Diagnosis) -> list[Markup]:
    """A card a suspect, the first one open, and one for the notes."""
    grave = [s for s in diagnosis.suspects if s.severity != "note"]
    mild = [s for s in diagnosis.suspects if s.severity == "note"]
    cards = [_card(rank, s, diagnosis.recording.header.script) for rank, s in enumerate(grave, 1)]
    if mild:
        cards.append(element("section", element("h2", "Notes"), element("ul", [_note(s) for s in mild]), class_="card"))
    return cards


def _card(rank: int, suspect: Suspect, script: str) -> Markup:
    cause = suspect.cause
    badges = [
        element("span", suspect.severity, class_=f"tag {suspect.severity}"), element("code", cause.id), element("span", how_sure(suspect)),
        element("span", f"follows from {suspect.consequence_of}") if suspect.consequence_of else None,
    ]  # fmt: skip
    answers = fixes(suspect)
    body = [
        element("p", cause.what),
        _part("Evidence", element("ul", [_evidence(s) for s in suspect.evidence], [_evidence(s, "against it: ") for s in suspect.against])),
        _part("Tried", element("p", sentence(suspect.trial))) if suspect.trial is not None else None,
        _part("Where", _where(suspect, script)) if suspect.location is not None or suspect.module else None,
        _part("Change", [_fix(f) for f in answers]) if answers else None,
        _part("Why", element("p", cause.why)),
        _part("Said by", element("ul", [element("li", f"{title}: ", ", ".join(f"{c.phrase} ({c.id})" for c in claims)) for title, claims in cited(cause.documents)])) if cited(cause.documents) else None,
    ]
    title = element("summary", element("h2", element("span", f"{rank}. ", class_="rank"), cause.title), element("p", [[b, " "] for b in badges if b], class_="badges"))
    return element("details", title, body, open=rank == 1, class_=f"card suspect {suspect.severity}")


def _part(title: str, content: Child) -> Markup:
    return element("section", element("h3", title), content, class_="part")


def _evidence(symptom: Symptom, before: str = "") -> Markup:
    return element("li", element("span", before, class_="dim") if before else None, symptom.text, element("span", measured(symptom), class_="dim"))


def _where(suspect: Suspect, script: str) -> list[Markup]:
    inside = element("p", element("code", place(suspect.location)) if suspect.location else None, [" in ", element("code", suspect.module)] if suspect.module else None)
    lines = frame_lines(suspect.location, script) if suspect.location is not None else []
    if not lines:
        return [inside]
    rows = [element("span", element("i", f"{line.number:>{len(str(lines[-1].number))}}"), " ", line.text, "\n", class_="guilty" if line.guilty else None) for line in lines]
    return [inside, _code(rows, "frame-code", f"Code around {place(suspect.location)}")]


def _fix(fix: Fix) -> list[Markup]:
    return [element("p", fix.text), *([_code(fix.code.strip("\n"), "fix", "Code to change to")] if fix.code.strip() else [])]


def _code(content: Child, style: str, name: str) -> Markup:
    """Code that scrolls sideways where it is wider than the page; it can be reached by keyboard."""
    return element("pre", element("code", content), class_=style, tabindex="0", role="region", aria_label=name)


def _note(suspect: Suspect) -> Markup:
    because = f": {suspect.evidence[0].text}" if suspect.evidence else ""
    return element("li", element("strong", suspect.cause.title), " ", element("code", suspect.cause.id), _at(suspect.location), because)


def trial_table(trials: list[Trial]) -> Markup:
    """All trials in the order in which they were made."""
    if not trials:
        return Markup("")
    head = element("tr", [element("th", h, scope="col") for h in ("change", "outcome", "score", "cause", "how it was made")])
    rows = [
        element(
            "tr", element("th", t.change, scope="row"), element("td", element("span", t.outcome, class_="tag " + t.outcome.replace(" ", "-"))),
            element("td", score(t)), element("td", element("code", t.cause) if t.cause else "comparison"), element("td", details(t), class_="dim"),
        )
        for t in trials
    ]  # fmt: skip
    controls = [element("p", f"{t.change[:1].upper()}{t.change[1:]}: {says(t)}.") for t in trials if t.outcome == "control"]
    table = element("div", element("table", element("thead", head), element("tbody", rows)), class_="scroll", tabindex="0", role="region", aria_label="Trials")
    return element("section", element("h2", "Trials"), element("p", "The same run again, with one thing changed.", class_="note"), table, controls, class_="card")


def symptom_list(symptoms: list[Symptom]) -> Markup:
    """Everything that was measured and holds."""
    if not symptoms:
        return Markup("")
    rows = [[element("dt", element("code", s.name)), element("dd", s.text, element("span", measured(s), class_="dim"))] for s in symptoms]
    return element("details", element("summary", element("h2", f"Symptoms ({len(symptoms)})")), element("dl", rows), class_="card")


def ruled_out(diagnosis: Diagnosis) -> Markup:
    """Causes that were looked for and not found, with the reason."""
    if not diagnosis.ruled_out:
        return Markup("")
    rows = [[element("dt", element("code", r.cause.id)), element("dd", r.reason)] for r in diagnosis.ruled_out]
    return element("details", element("summary", element("h2", f"Ruled out ({len(diagnosis.ruled_out)})")), element("dl", rows), class_="card")


def traceback(diagnosis: Diagnosis) -> Markup:
    """The script's own traceback, where it raised."""
    end = diagnosis.recording.end
    if end is None or not (end.traceback.strip() or (end.error and end.reason == "error")):
        return Markup("")
    title = "Where the script was" if end.reason == "timeout" else "The script's own traceback"
    return element("section", element("h2", title), _code((end.traceback or end.error).strip("\n"), "trace", title), class_="card")
