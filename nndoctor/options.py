"""The options of every command that ends in a report, and what they come to: settings, and which report goes where.

An `--output` belongs to the `--format` before it; a format without one goes to stdout. Where there is one of each, or one
of either, their order does not matter.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nndoctor import completion, config
from nndoctor.errors import UsageError
from nndoctor.manual import Manual
from nndoctor.report.formats import FORMATS

if TYPE_CHECKING:
    from nndoctor.checkup import Delivery
    from nndoctor.config import Settings
    from nndoctor.report.page import Look

_WIDTH = 80  # where no terminal says otherwise
_ORDER = "nndoctor.options.order"  # where a context keeps the names of --format and --output as they were given
_LINES = {"text", "github"}  # formats of which several can share stdout: the others are documents
FILE = click.Path(path_type=Path)
PAGE_FORMATS = click.Choice(["text", "json"])  # of what is no diagnosis
COLOR_OPTION = click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", metavar="WHEN",
    help="Colour the text: auto (on a terminal), always or never.  [default: auto]",
)  # fmt: skip
FAIL_ON = click.option(
    "--fail-on", type=click.Choice(config.FAIL_ON), metavar="LEVEL",
    help="Exit with 1 for a finding as severe as this or worse: error, warning, note or never.  [default: warning]",
)  # fmt: skip
CONFIG = click.option(
    "--config", type=FILE, metavar="FILE",
    help="Settings in YAML or TOML, instead of the nearest nndoctor.yaml or pyproject.toml.",
)  # fmt: skip

Command = TypeVar("Command", bound=Callable[..., Any])


class ReportCommand(Manual):
    """A command that remembers in which order its formats and outputs were given; click keeps each kind by itself."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse twice: the parser says in which order the options came, and click does not pass it on."""
        *_, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[_ORDER] = [option.name for option in order if option.name in ("format", "output")]
        return super().parse_args(ctx, args)


def report_options(command: Command) -> Command:
    """The options that `check` and `diagnose` share."""
    for option in reversed(
        [
            click.option(
                "--format", type=click.Choice(list(FORMATS)), multiple=True, metavar="FORMAT",
                help=f"{', '.join(FORMATS)}; repeat it for several reports.  [default: text]",
            ),
            click.option(
                "--output", type=FILE, multiple=True, metavar="FILE", help="Write the report of the --format before it to FILE."
            ),
            click.option("--verbose", is_flag=True, help="Add layers, settings, symptoms, and what was ruled out."),
            COLOR_OPTION,
            FAIL_ON,
            click.option("--baseline", type=FILE, metavar="FILE", help="Findings in FILE are known: no failure for them."),
            click.option(
                "--write-baseline", type=FILE, metavar="FILE", help="Write all findings to FILE; this run passes by them."
            ),
            click.option(
                "--select", multiple=True, metavar="IDS", shell_complete=completion.several_causes,
                help="Suspect only these causes; commas between, or repeated.",
            ),
            click.option(
                "--ignore", multiple=True, metavar="IDS", shell_complete=completion.several_causes, help="Never suspect these causes."
            ),
            CONFIG,
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def page_options(command: Command) -> Command:
    """The options of a command that ends in one page, which is no diagnosis of one run."""
    for option in reversed(
        [
            click.option("--format", type=PAGE_FORMATS, metavar="FORMAT", help="text or json.  [default: text]"),
            click.option("--output", type=FILE, metavar="FILE", help="Write it to FILE."),
            COLOR_OPTION,
            FAIL_ON,
            CONFIG,
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def read_page(options: dict[str, Any]) -> tuple[Settings, Delivery]:
    """Settings and the page's way out, from those options and `verbose`."""
    from nndoctor.checkup import Delivery

    name, output, verbose, color, file = (options.pop(key) for key in ("format", "output", "verbose", "color", "config"))
    settings = config.settings(file, Path(), options)
    return settings, Delivery(name or "text", output, look_of(color, verbose, output is not None))


def read(options: dict[str, Any], start: Path) -> tuple[Settings, list[Delivery]]:
    """Settings and the reports' ways out, from the options that the reporting commands share. Raises UsageError."""
    from nndoctor.checkup import Delivery

    formats, outputs, verbose, color, file = (options.pop(name) for name in ("format", "output", "verbose", "color", "config"))
    lists = {name: list(options.pop(name)) or None for name in ("select", "ignore")}
    settings = config.settings(file, start, {**options, **lists})
    pairs = paired(click.get_current_context().meta.get(_ORDER, []), formats, outputs, settings.format)
    if os.environ.get("GITHUB_ACTIONS") == "true" and ("text", None) in pairs and "github" not in [f for f, _ in pairs]:
        pairs.append(("github", None))
    return settings, [Delivery(name, path, look_of(color, verbose, path is not None)) for name, path in pairs]


def paired(
    order: Sequence[str | None], formats: Sequence[str], outputs: Sequence[Path], default: str
) -> list[tuple[str, Path | None]]:
    """Each format with its file, None for stdout. `order` holds "format" and "output" as they came.

    Raises UsageError for a file without a format or with two, and for two documents on stdout.
    """
    if len(formats) <= 1 and len(outputs) <= 1:
        return [(formats[0] if formats else default, outputs[0] if outputs else None)]
    names, paths = iter(formats), iter(outputs)
    pairs: list[tuple[str, Path | None]] = []
    for option in order:
        if option == "format":
            pairs.append((next(names), None))
            continue
        path = next(paths)
        if not pairs or pairs[-1][1] is not None:
            raise UsageError(f"--output {path}: give each --output after its own --format, as in --format sarif --output {path}")
        pairs[-1] = (pairs[-1][0], path)
    shown = [name for name, path in pairs if path is None]
    if len(shown) > 1 and not (_LINES.issuperset(shown) and len(set(shown)) == len(shown)):
        raise UsageError(f"{' and '.join(shown)} cannot share stdout: give an --output after each --format but one")
    return pairs


def look_of(color: str, verbose: bool = False, to_file: bool = False) -> Look:
    """Width and colour of what stdout is, or of a file. https://no-color.org"""
    from nndoctor.report.page import Look

    terminal = sys.stdout.isatty() and not to_file
    wanted = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    columns = shutil.get_terminal_size((_WIDTH, 24)).columns if not to_file else _WIDTH
    return Look(columns, color == "always" or (color == "auto" and wanted), verbose)
