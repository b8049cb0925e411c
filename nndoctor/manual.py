"""Help pages as a manual has them: options by subject, examples, exit codes, files and environment.

Knows click alone; what a page says stands with its command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import click

# Where a long page tells its options, by name; a page of few options has one list of them.
_SECTIONS = {
    "What is watched": ("module", "change", "listed", "steps", "seconds", "wait", "timeout", "run", "save", "quiet"),
    "Trials": ("trials", "no_trials", "budget", "no_fork"),
    "Reports": ("format", "output", "verbose", "color"),
    "Findings": ("fail_on", "baseline", "write_baseline", "select", "ignore"),
}
_FEW = 10
COLOR = {
    "NO_COLOR": "Where it is set to anything, --color auto means never.",
    "COLUMNS": "The width of the text, where it is not that of the terminal; from 60 to 120.",
}
READS_SETTINGS = {
    "nndoctor.yaml": "Settings: the nearest in the script's folder (else the working directory) or above; `nndoctor init` writes one.",
    "pyproject.toml": "Settings in [tool.nndoctor], where no nndoctor.yaml is as near.",
}


class Manual(click.Command):
    """A command with a page in full.

    `examples` are commands, each with what it is for, where that is not plain; `exits` tells the exit codes, `files` and
    `environment` what is read by itself.
    """

    def __init__(
        self, *args: Any, examples: Sequence[tuple[str, str]] = (), exits: Mapping[int, str] | None = None,
        files: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None, **attributes: Any,
    ) -> None:  # fmt: skip
        super().__init__(*args, **attributes)
        self.examples = examples
        self.exits = exits or {0: "It was printed.", 2: "The command line is wrong; one line on stderr says what."}
        self.files = files or {}
        self.environment = environment or {}

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """All of them; for a shell that completes words after the script, where every option is the script's, the arguments alone."""
        found = super().get_params(ctx)
        is_theirs = ctx.resilient_parsing and not ctx.allow_interspersed_args and bool(ctx.params.get("script"))
        return [p for p in found if isinstance(p, click.Argument)] if is_theirs else found

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, in sections where there are many."""
        records = [(p, record) for p in self.get_params(ctx) if not isinstance(p, click.Argument) and (record := p.get_help_record(ctx))]
        placed = [(_section(p.name or "") if len(records) > _FEW else "Options", record) for p, record in records]
        order = [*_SECTIONS, "Options"]
        for title, group in groupby(sorted(placed, key=lambda found: order.index(found[0])), key=lambda found: found[0]):
            with formatter.section("Other options" if title == "Options" and len(records) > _FEW else title):
                formatter.write_dl([record for _, record in group])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What follows the options."""
        write_examples(formatter, self.examples)
        lists = {"Exit codes": {str(code): words for code, words in self.exits.items()}, "Files": self.files, "Environment": self.environment}
        for title, entries in lists.items():
            if entries:
                with formatter.section(title):
                    formatter.write_dl(list(entries.items()))


def _section(name: str) -> str:
    return next((title for title, names in _SECTIONS.items() if name in names), "Options")


def write_examples(formatter: click.HelpFormatter, examples: Sequence[tuple[str, str]]) -> None:
    """One command a line, never wrapped: somebody copies it. What it is for stands below it."""
    with formatter.section("Examples"):
        for command, purpose in examples:
            formatter.write(f"{'':{formatter.current_indent}}{command}\n")
            if purpose:
                with formatter.indentation(), formatter.indentation():
                    formatter.write_text(purpose)
