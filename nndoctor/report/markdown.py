"""Markdown: the whole of the evidence on a page that somebody pastes into a review, or hands to a coding assistant.

Compact and complete: the lines of code, the numbers, what was tried, what was ruled out, and what to do next. Below 2,000
words whatever the run: lists and foreign strings are cut, and say so.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from nndoctor.diagnosis.model import Diagnosis, Suspect
from nndoctor.findings.sources import find_source, project_path
from nndoctor.record.model import Place
from nndoctor.report import facts
from nndoctor.report.finding import surety
from nndoctor.report.frame import code_frame
from nndoctor.report.marks import code, fenced, literal
from nndoctor.report.suspects import fixes
from nndoctor.report.trials import score, sentence
from nndoctor.report.words import count, number, percent
from nndoctor.symptoms.model import Symptom
from nndoctor.trials.plan import changes_for

MOST_WORDS = 2000
_LINE = 100  # characters of a line of code


@dataclass(frozen=True)
class _Size:
    """How much of each thing is told, in pieces; of a sentence in words, of code in lines."""

    suspects: int
    evidence: int
    fixes: int
    trials: int
    reasoned: int  # causes that are ruled out with their reason; the others by name
    others: int  # of anything else
    sentence: int
    code: int


# The first with which the page is short enough: almost always the first of all.
_SIZES = (_Size(3, 5, 2, 10, 8, 5, 60, 12), _Size(2, 3, 1, 6, 4, 3, 30, 8), _Size(1, 2, 1, 3, 2, 2, 15, 5))


def render(diagnosis: Diagnosis) -> str:
    """The diagnosis as one Markdown document with a line end."""
    pages = (_Pack(diagnosis, size).page() for size in _SIZES)
    page = next(pages)
    while len(page.split()) >= MOST_WORDS and (shorter := next(pages, None)) is not None:
        page = shorter
    return page


class _Pack:
    """One page about a diagnosis, of a given size. Each method returns paragraphs."""

    def __init__(self, diagnosis: Diagnosis, size: _Size) -> None:
        self._diagnosis, self._size = diagnosis, size
        self._script = diagnosis.recording.header.script
        self._grave = [s for s in diagnosis.suspects if s.severity != "note"]

    def page(self) -> str:
        """All of it, in the order in which somebody reads."""
        parts = [self._headline(), *self._reasons(), *self._run()]
        for rank, suspect in enumerate(self._grave[: self._size.suspects], 1):
            parts += self._suspect(rank, suspect)
        parts += _left(self._grave, self._size.suspects, "less likely suspect")
        parts += [*self._notes(), *self._tried(), *self._ruled_out(), *self._comments(), *self._traceback(), *self._next()]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _headline(self) -> str:
        script = code(self._script)
        if self._diagnosis.verdict == "inconclusive":
            return f"# nndoctor: no diagnosis of {script}"
        if not self._grave:
            return f"# nndoctor: {script} is healthy"
        return f"# nndoctor: {script} is sick: {self._said(self._grave[0].cause.title)}"

    def _reasons(self) -> list[str]:
        return [_bullets([self._said(reason) for reason in self._diagnosis.all_reasons[: self._size.others]])]

    def _run(self) -> list[str]:
        """What was watched, and what the loss did."""
        recording, curve = self._diagnosis.recording, self._diagnosis.curve
        if not recording.steps and not recording.models:
            return []
        rows = [f"{label}: {self._said(words)}" for label, words in facts.watched(recording)]
        numbers = [f"{name} {number(value, 4)}" for name, value in (("from", curve.first), ("to", curve.last)) if value is not None]
        if curve.constant is not None:
            numbers.append(f"where the best constant prediction has {number(curve.constant, 4)}")
        rows += [f"mean loss over a tenth of the steps: {' '.join(numbers)}"] if numbers else []
        if curve.task_score is not None and curve.score_name:
            shown = percent if curve.score_name == "accuracy" else number
            validated = facts.validation_score(recording, curve.score_name)
            further = f", {shown(validated)} in validation" if validated is not None else ""
            rows.append(f"{literal(curve.score_name)}: {shown(curve.task_score)} in training{further}")
        return ["## The run", self._said(curve.reading), _bullets(rows)]

    def _suspect(self, rank: int, suspect: Suspect) -> list[str]:
        """A heading, what it means, the evidence with its numbers, the lines of code, the trial, and what to change."""
        size = self._size
        parts = [
            f"## {rank}. {self._said(suspect.cause.title)}",
            f"{code(suspect.cause.id)}, {suspect.severity}. {surety(suspect)}. {self._said(suspect.cause.what)}",
            _bullets(
                [self._measured(s) for s in suspect.evidence[: size.evidence]]
                + [f"against it: {self._measured(s)}" for s in suspect.against[: size.fixes]]
            ),
            *_left(suspect.evidence, size.evidence, "more piece of evidence", "more pieces of evidence"),
            *self._where(suspect),
        ]
        if suspect.trial is not None:
            parts.append(f"Tried: {self._said(sentence(suspect.trial))}.")
        for i, fix in enumerate(fixes(suspect)[: size.fixes]):
            parts += [f"{'Change' if i == 0 else 'Or'}: {self._said(fix.text)}", self._block(fix.code, "python")]
        return parts

    def _measured(self, symptom: Symptom) -> str:
        """A symptom's sentence, its name, and the numbers behind it."""
        pairs = (("value", symptom.value), ("threshold", symptom.threshold))
        numbers = [f"{name} {number(value)}" for name, value in pairs if value is not None]
        return f"{self._said(symptom.text)} ({', '.join([code(symptom.name), *numbers])})"

    def _where(self, suspect: Suspect) -> list[str]:
        """The line to blame with its neighbours, and the module that it concerns."""
        places = [self._place(suspect.location)] if suspect.location is not None else []
        places += [f"in {code(suspect.module)}"] if suspect.module else []
        frame = code_frame(suspect.location, self._script) if suspect.location is not None else []
        return [f"Where: {' '.join(places)}" if places else "", self._block("\n".join(line.plain for line in frame), "text")]

    def _place(self, place: Place) -> str:
        return code(f"{project_path(place.file, self._script)}:{place.line}")

    def _notes(self) -> list[str]:
        mild = [s for s in self._diagnosis.suspects if s.severity == "note"]
        if not mild:
            return []
        rows = []
        for suspect in mild[: self._size.others]:
            because = f": {self._said(suspect.evidence[0].text)}" if suspect.evidence else ""
            rows.append(f"{self._said(suspect.cause.title)} ({code(suspect.cause.id)}, {percent(suspect.confidence)} sure){because}")
        return ["## Notes", _bullets(rows), *_left(mild, self._size.others, "more note")]

    def _tried(self) -> list[str]:
        """A row for each trial that says something."""
        possible = [t for t in self._diagnosis.trials if t.possible]
        if not possible:
            return []
        rows = ["| the same run with | outcome | score | steps | for |", "| --- | --- | --- | --- | --- |"]
        for made in possible[: self._size.trials]:
            cells = (self._said(made.change), made.outcome, literal(score(made)), str(made.steps), made.cause or "comparison")
            rows.append(f"| {' | '.join(cells)} |")
        return ["## Tried", "\n".join(rows), *_left(possible, self._size.trials, "more trial")]

    def _ruled_out(self) -> list[str]:
        """Those that something speaks against with their reason; those of which nothing was seen by name."""
        told = {s.cause.id for s in (*self._diagnosis.suspects, *self._diagnosis.silenced)}
        others = [r for r in self._diagnosis.ruled_out if r.cause.id not in told]
        if self._diagnosis.verdict == "inconclusive" or not others:
            return []
        reasoned = [r for r in others if not r.reason.startswith("not seen: ")][: self._size.reasoned]
        rows = [f"{code(r.cause.id)}: {self._said(r.reason)}" for r in reasoned]
        plain = [r.cause.id for r in others if r not in reasoned]
        return ["## Ruled out", _bullets([*rows, *([f"no sign of {', '.join(plain)}"] if plain else [])])]

    def _comments(self) -> list[str]:
        """What a comment silences, and comments that silence nothing."""
        rows = []
        for suspect in self._diagnosis.silenced[: self._size.others]:
            where = f" at {self._place(suspect.location)}" if suspect.location else ""
            rows.append(f"silenced by a comment: {self._said(suspect.cause.title)} ({code(suspect.cause.id)}){where}")
        for comment in self._diagnosis.unused_comments[: self._size.others]:
            rows.append(f"{code(comment.words)} at {self._place(comment.place)} silences nothing: {self._said(comment.reason)}")
        return ["## Comments", _bullets(rows)] if rows else []

    def _traceback(self) -> list[str]:
        end = self._diagnosis.recording.end
        if end is None or not end.traceback.strip():
            return []
        last = end.traceback.strip("\n").split("\n")[-self._size.code :]
        return ["## The script's own traceback", self._block("\n".join(last), "text")]

    def _next(self) -> list[str]:
        """What to do, in order: the change that the evidence asks for, what is worth trying, and how to look again."""
        steps = []
        if self._grave:
            steps.append(f"Make the change above ({code(self._grave[0].cause.id)}), and run this check again: nothing else is certain before.")
            tried = {t.spelling for t in self._diagnosis.trials}
            for suspect in self._grave[: self._size.suspects]:
                cures = [c.spelling for c in changes_for(suspect.cause, self._diagnosis.recording)]
                for cure in [c for c in cures if c not in tried][:1]:
                    steps.append(f"To test {code(suspect.cause.id)} without an edit: {self._command('try', '--change', cure)}")
        elif self._diagnosis.verdict == "healthy":
            steps.append("Nothing has to change as far as this run shows.")
        else:
            steps.append("See why the run ended before enough training was seen, then check again.")
        steps.append(f"To look again: {self._command('check')}")
        return ["## Next", "\n".join(f"{i}. {step}" for i, step in enumerate(steps, 1))]

    def _command(self, *words: str) -> str:
        """A command on the same script, with its arguments where they are not too long to read."""
        module = not self._script.endswith(".py") and "/" not in self._script and find_source(self._script, self._script) is None
        start = ["nndoctor", *words, *(["-m"] if module else []), self._script]
        full = shlex.join([*start, *self._diagnosis.recording.header.arguments])
        return code(full if len(full) <= 2 * _LINE else f"{shlex.join(start)} ...")

    def _said(self, text: str) -> str:
        return literal(text, self._size.sentence)

    def _block(self, text: str, language: str) -> str:
        """Lines behind a fence, of which long ones and whatever comes after many are cut; empty where there are none."""
        lines = text.strip("\n").split("\n")
        if not text.strip():
            return ""
        kept = [line if len(line) <= _LINE else line[:_LINE] + "…" for line in lines[: self._size.code]]
        return fenced("\n".join([*kept, *(["…"] if len(lines) > self._size.code else [])]), language)


def _bullets(rows: list[str]) -> str:
    return "\n".join(f"- {row}" for row in rows)


def _left(items: Sequence[object], most: int, noun: str, plural: str = "") -> list[str]:
    """A line that says how many were left out; none where none were."""
    return [f"And {count(len(items) - most, noun, plural)}."] if len(items) > most else []
