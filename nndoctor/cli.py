"""The command line: options in, one call, text out, exit code.

Everything heavy is imported where it is used: `nndoctor --help` answers at once, and only the child process of `check`
ever imports torch.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from nndoctor import completion
from nndoctor.commands import lookup, setup
from nndoctor.errors import NndoctorError
from nndoctor.manual import COLOR, READS_SETTINGS, Manual, write_examples
from nndoctor.options import (
    COLOR_OPTION,
    CONFIG,
    FILE,
    PAGE_FORMATS,
    ReportCommand,
    look_of,
    page_options,
    read,
    read_page,
    report_options,
)
from nndoctor.outcome import EXIT_CLEAN, EXIT_FOUND, EXIT_NO_DIAGNOSIS, EXIT_USAGE, exit_code
from nndoctor.version import __version__

_EXITS = {
    EXIT_CLEAN: "Nothing as severe as --fail-on was found, or a baseline knows it.",
    EXIT_FOUND: "Something was found.",
    EXIT_USAGE: "The command line, a setting or a named file is wrong; one line on stderr says what.",
    EXIT_NO_DIAGNOSIS: "No diagnosis: too little training was seen, and the report says why.",
}
_GITHUB = {
    "GITHUB_ACTIONS": "Where it is true, the text report annotates the lines of a pull request as well.",
    "GITHUB_STEP_SUMMARY": "The file to which the evidence is added there.",
}


def main() -> None:
    """The `nndoctor` command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The command with these arguments; returns its exit code.

    A mistake of the user's is one line on stderr. A mistake of ours is a traceback, and never the code of a finding.
    """
    try:
        code = nndoctor.main(list(arguments), prog_name="nndoctor", standalone_mode=False)
        return code if isinstance(code, int) else EXIT_CLEAN
    except click.ClickException as e:
        context = getattr(e, "ctx", None)
        hint = f"; {_help_hint(context)}" if isinstance(e, click.UsageError) else ""
        return _refuse(e.format_message().rstrip(".").replace("\n", " ") + hint)
    except NndoctorError as e:
        return _refuse(str(e).replace("\n", "; "))
    except (KeyboardInterrupt, click.Abort):
        print("nndoctor: interrupted", file=sys.stderr)
        return EXIT_NO_DIAGNOSIS
    except SystemExit:
        return EXIT_CLEAN  # click: the reader of a help page went away (`| head`)
    except Exception:  # noqa: BLE001 - the last resort, which swallows nothing
        traceback.print_exc()
        print("nndoctor: this is a fault of nndoctor, not of your script; please report it", file=sys.stderr)
        return EXIT_NO_DIAGNOSIS


def _refuse(message: str) -> int:
    print(f"nndoctor: {message}", file=sys.stderr)
    return EXIT_USAGE


def _help_hint(context: click.Context | None) -> str:
    return f"see `{context.command_path if context is not None else 'nndoctor'} --help`"


_SECTIONS = {
    "Look at a training run": ("check", "try", "diagnose", "diff", "curves"),
    "Look something up": ("explain", "causes", "symptoms", "schema"),
    "Set up": ("init", "completion"),
}


class Commands(click.Group):
    """A group that notices a script in the place of a command, and lists its commands by what they are for."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names; click refuses a word that names none, in its own words."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            from nndoctor.config import suggestion

            is_script = name.endswith(".py") or Path(name).exists()
            near = f"check {name}" if is_script else suggestion(name, self.list_commands(ctx))
            hint = f"; did you mean `nndoctor {near}`?" if near else ""
            raise click.UsageError(f"no such command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with what it does."""
        width = max(map(len, self.commands))
        for title, names in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{width}}", self.commands[name].short_help or "") for name in names])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What to begin with."""
        examples = [
            ("nndoctor check train.py", "What is wrong with this run?"),
            ("nndoctor check train.py --epochs 5", "What follows the script is the script's."),
            ("nndoctor explain lr-too-high", "The whole page on a cause that was named."),
        ]
        write_examples(formatter, examples)
        formatter.write_paragraph()
        formatter.write_text("`nndoctor COMMAND --help` tells options, examples, exit codes, files and environment of each.")


@click.group(cls=Commands, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="nndoctor %(version)s")
def nndoctor() -> None:
    """A doctor for PyTorch training runs: runs your script, watches it learn, and tells what is wrong with it."""


for _command in (lookup.explain, lookup.causes, lookup.symptoms, lookup.schema, setup.init, setup.completion):
    nndoctor.add_command(_command)


@nndoctor.command(
    cls=ReportCommand,
    short_help="Watch a script train, and tell what is wrong with it.",
    # The first word that is no option ends the options: the rest is the script's, whatever it looks like.
    context_settings={"allow_interspersed_args": False},
    options_metavar="[OPTIONS]",
    examples=[
        ("nndoctor check train.py --lr 0.1 --epochs 5", "What follows the script is the script's."),
        ("nndoctor check -m package.train --lr 0.1", "As python -m."),
        ("nndoctor check --steps 1000 --seconds 300 train.py", "Look longer."),
        ("nndoctor check --quiet --format json train.py > report.json", ""),
        ("nndoctor check --format sarif --output a.sarif --format text train.py", "Two reports: each --output belongs to the --format before it."),
        ("nndoctor check --write-baseline known.json train.py", "What is known passes from now on, with --baseline known.json."),
        ("nndoctor check --ignore class-imbalance --fail-on error train.py", ""),
        ("torchrun --nproc-per-node 2 -m nndoctor check train.py", "Under a launcher: every rank is watched, rank 0 reports."),
    ],
    exits={**_EXITS, EXIT_NO_DIAGNOSIS: "No diagnosis: the script raised, exited or ended before enough training was seen; the report says which."},
    files={**READS_SETTINGS, "SCRIPT": "It is read and run, never written. `# nndoctor: ignore[ID]` at the end of a line silences a finding there."},
    environment={**COLOR, **_GITHUB, "RANK, WORLD_SIZE": "Set by a launcher: which process of how many this is."},
)
@click.option("-m", "module", is_flag=True, help="SCRIPT is a module, as in `python -m`.")
@click.option("--steps", type=int, metavar="N", help="Stop after N optimiser steps ...  [default: 300]")
@click.option("--seconds", type=float, metavar="S", help="... or S seconds of training.  [default: 60]")
@click.option("--wait", type=float, metavar="S", help="After those steps, wait up to S seconds for a first validation pass.  [default: 10; 0 with --steps]")
@click.option("--timeout", type=float, metavar="S", help="Stop the run after S seconds, come what may.  [default: 600]")
@click.option("--run", type=int, metavar="K", help="Judge the K-th training of the script.  [default: the last that is seen]")
@click.option(
    "--save", type=FILE, metavar="FILE", help="Keep the recording, for `nndoctor diagnose`."
)
@click.option("--trials", type=int, metavar="N", help="Try the cures of the leading suspects, in N runs at most.  [default: 12]")
@click.option("--no-trials", is_flag=True, help="Try nothing: judge by what was seen.")
@click.option("--budget", type=float, metavar="S", help="Spend S seconds on all trials together.  [default: 60]")
@click.option("--no-fork", is_flag=True, help="Run every trial afresh, also where a fork of the script would do.")
@click.option("--quiet", is_flag=True, help="Show neither the script's output nor the progress.")
@report_options
@click.argument("script", shell_complete=completion.file)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]...", shell_complete=completion.file)
def check(
    script: str, arguments: tuple[str, ...], module: bool, save: Path | None, quiet: bool, no_trials: bool, no_fork: bool,
    baseline: Path | None, write_baseline: Path | None, **options: Any,
) -> int:  # fmt: skip
    """Run SCRIPT as `python SCRIPT ARGS` would, watch its first training steps, and report what is wrong.

    Where something is, the same run is tried again without the cause of each leading suspect; a trial writes no file
    and opens no connection.

    The script's own output appears on stderr.
    """
    from nndoctor import checkup
    from nndoctor.probe.launch import Target

    settings, deliveries = read(options, Path() if module else Path(script).parent)
    target = Target(script=script, arguments=arguments, module=module)
    tries = checkup.Tries(0 if no_trials else settings.trials, settings.budget, not no_fork)
    gate = checkup.Gate(baseline, write_baseline)
    diagnosis = checkup.check(target, settings, deliveries, gate, save, quiet, tries)
    return EXIT_CLEAN if diagnosis is None else exit_code(diagnosis)


@nndoctor.command(
    "try",
    cls=Manual,
    short_help="Run a script as it is and with one change, and compare.",
    context_settings={"allow_interspersed_args": False},
    options_metavar="[OPTIONS]",
    examples=[
        ("nndoctor try --list", "The changes that can be tried."),
        ("nndoctor try --change 'lr*0.1' train.py", ""),
        ("nndoctor try --change activation=relu --steps 1000 train.py --epochs 5", ""),
        ("nndoctor try --change one-batch=repeated -m package.train", ""),
    ],
    exits={
        EXIT_CLEAN: "The two could be compared.",
        EXIT_USAGE: _EXITS[EXIT_USAGE],
        EXIT_NO_DIAGNOSIS: "The change could not be made, or nothing could be compared.",
    },
    files=READS_SETTINGS,
    environment=COLOR,
)
@click.option("--change", metavar="CHANGE", shell_complete=completion.change, help="What to change; --list shows what can be.")
@click.option("--list", "listed", is_flag=True, help="List every change, and exit.")
@click.option("-m", "module", is_flag=True, help="SCRIPT is a module, as in `python -m`.")
@click.option("--steps", type=int, metavar="N", help="Stop each run after N optimiser steps ...  [default: 300]")
@click.option("--seconds", type=float, metavar="S", help="... or S seconds of training.  [default: 60]")
@click.option("--wait", type=float, metavar="S", help="After those steps, wait up to S seconds for a first validation pass.  [default: 10; 0 with --steps]")
@click.option("--timeout", type=float, metavar="S", help="Stop a run after S seconds, come what may.  [default: 600]")
@click.option("--run", type=int, metavar="K", help="Compare the K-th training of the script.  [default: the last that is seen]")
@click.option("--no-fork", is_flag=True, help="Run the trial afresh, also where a fork of the script would do.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--format", type=PAGE_FORMATS, metavar="FORMAT", help="text or json.  [default: text]")
@click.option("--output", type=FILE, metavar="FILE", help="Write the comparison to FILE.")
@COLOR_OPTION
@CONFIG
@click.argument("script", required=False, shell_complete=completion.file)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]...", shell_complete=completion.file)
def try_(
    change: str | None, listed: bool, script: str | None, arguments: tuple[str, ...], module: bool, quiet: bool, no_fork: bool,
    color: str, format: str | None, output: Path | None, **options: Any,
) -> int:  # fmt: skip
    """Run SCRIPT twice, as it is and with one CHANGE of the run, and print both curves and what came of it.

    Your file is not edited; neither run writes a file or opens a connection.
    """
    from nndoctor import checkup
    from nndoctor.probe.changes.names import KINDS, parse
    from nndoctor.probe.launch import Target
    from nndoctor.report.trials import change_list

    if listed:
        checkup.deliver(change_list(KINDS, look_of(color)), None)
        return EXIT_CLEAN
    if script is None or change is None:
        raise click.UsageError(f"missing {'SCRIPT' if change else '--change'}")
    parse(change)
    one = {"format": (format,) if format else (), "output": (output,) if output else ()}
    given = {**options, **one, "color": color, "verbose": False, "select": (), "ignore": ()}
    settings, (delivery, *_) = read(given, Path() if module else Path(script).parent)
    target = Target(script=script, arguments=arguments, module=module)
    made = checkup.try_change(target, settings, change, delivery, quiet, not no_fork)
    return EXIT_CLEAN if made.possible else EXIT_NO_DIAGNOSIS


@nndoctor.command(
    cls=ReportCommand,
    short_help="Judge a recording that `check --save` has kept.",
    examples=[
        ("nndoctor diagnose run.jsonl --verbose", ""),
        ("nndoctor diagnose run.jsonl --format html --output report.html", "A page to look at and to mail."),
        ("nndoctor diagnose run.jsonl --select lr-too-high,lr-too-low", ""),
    ],
    exits=_EXITS,
    files={**READS_SETTINGS, "RECORDING": "JSON lines; nndoctor/record/README.md describes them."},
    environment={**COLOR, **_GITHUB},
)
@report_options
@click.argument("recording", type=FILE)
def diagnose(recording: Path, baseline: Path | None, write_baseline: Path | None, **options: Any) -> int:
    """Judge a RECORDING that `nndoctor check --save` has kept. Needs neither torch nor the script."""
    from nndoctor import checkup

    settings, deliveries = read(options, Path())
    return exit_code(checkup.diagnose(recording, settings, deliveries, checkup.Gate(baseline, write_baseline)))


@nndoctor.command(
    cls=Manual,
    short_help="Compare two recordings: what changed since it trained?",
    examples=[
        ("nndoctor check --save today.jsonl train.py", ""),
        ("nndoctor diff last-week.jsonl today.jsonl", ""),
        ("nndoctor diff last-week.jsonl today.jsonl --format json --fail-on error", ""),
    ],
    exits={
        EXIT_CLEAN: "Nothing new as severe as --fail-on is wrong with AFTER.",
        EXIT_FOUND: "Something new is.",
        EXIT_USAGE: _EXITS[EXIT_USAGE],
        EXIT_NO_DIAGNOSIS: "Too little was seen of either.",
    },
    files=READS_SETTINGS,
    environment=COLOR,
)
@click.option("--verbose", is_flag=True, help="Add what moved little, and every setting.")
@page_options
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
def diff(before: Path, after: Path, **options: Any) -> int:
    """Tell what changed between the recordings BEFORE and AFTER: settings, curves and findings.

    Both were kept by `nndoctor check --save`; neither torch nor the script is needed.
    """
    from nndoctor import checkup
    from nndoctor.record import codec

    settings, delivery = read_page(options)
    checkup.ensure_writable([delivery.output], [before, after])
    difference = checkup.diff(codec.load(before), codec.load(after), settings, delivery)
    if not difference.comparable:
        return EXIT_NO_DIAGNOSIS
    return EXIT_FOUND if any(map(difference.after.fails_by, difference.appeared)) else EXIT_CLEAN


@nndoctor.command(
    cls=Manual,
    short_help="Judge the loss curves of a log that is already there.",
    examples=[
        ("nndoctor curves lightning_logs/version_0/metrics.csv", ""),
        ("nndoctor curves output/checkpoint-500/trainer_state.json", ""),
        ("nndoctor curves runs/Nov21_10-00-00/", ""),
        ("nndoctor curves log.csv --train train/box_loss --validation val/box_loss", ""),
    ],
    exits={
        EXIT_CLEAN: "Nothing as severe as --fail-on is remarkable.",
        EXIT_FOUND: "Something is.",
        EXIT_USAGE: "The command line is wrong, or a file is no log; one line on stderr says what.",
        EXIT_NO_DIAGNOSIS: "There are too few points to judge.",
    },
    files=READS_SETTINGS,
    environment=COLOR,
)
@click.option("--train", metavar="COLUMN", default="", help="The training loss, where its name is not recognised.")
@click.option("--validation", metavar="COLUMN", default="", help="The validation loss, likewise.")
@page_options
@click.argument("log", type=FILE)
def curves(log: Path, train: str, validation: str, **options: Any) -> int:
    """Judge the training and validation loss in LOG: CSV (Keras, Lightning), JSON or JSON lines, Hugging Face's
    trainer_state.json, TensorBoard's events.out.tfevents... or a directory of them.

    A log shows how a run went, not why; what it cannot tell is said.
    """
    from nndoctor import checkup
    from nndoctor.knowledge.model import is_as_severe

    settings, delivery = read_page({"verbose": False, **options})
    checkup.ensure_writable([delivery.output], [log])
    reading = checkup.curves(log, train, validation, settings, delivery)
    if reading.verdict == "inconclusive":
        return EXIT_NO_DIAGNOSIS
    return EXIT_FOUND if any(f.severity and is_as_severe(f.severity, settings.fail_on) for f in reading.findings) else EXIT_CLEAN
