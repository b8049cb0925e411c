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

from nndoctor.errors import NndoctorError, UsageError
from nndoctor.options import COLORS, CONFIG, FILE, ReportCommand, look_of, page_options, read, read_page, report_options
from nndoctor.outcome import EXIT_CLEAN, EXIT_FOUND, EXIT_NO_DIAGNOSIS, EXIT_USAGE, exit_code
from nndoctor.version import __version__

_LIST_FORMATS = click.Choice(["text", "json"])  # of what is no diagnosis


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


class Commands(click.Group):
    """A group that notices a script in the place of a command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names; click refuses a word that names none, in its own words."""
        name = args[0]
        if self.get_command(ctx, name) is None:
            from nndoctor.config import suggestion

            is_script = name.endswith(".py") or Path(name).exists()
            near = f"check {name}" if is_script else suggestion(name, self.list_commands(ctx))
            hint = f"; did you mean `nndoctor {near}`?" if near else ""
            raise click.UsageError(f"no such command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)


def _examples(*lines: str) -> str:
    """Examples for the end of a help page; \\b keeps click from joining the lines."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(
    cls=Commands,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_examples(
        "nndoctor check train.py                    what is wrong with this run?",
        "nndoctor check train.py --epochs 5         arguments after the script are the script's",
        "nndoctor check --save run.jsonl train.py   keep what was seen",
        "nndoctor diagnose run.jsonl                and judge it again, without torch",
        "nndoctor explain lr-too-high               the whole page on one cause",
    ),
)
@click.version_option(__version__, message="nndoctor %(version)s")
def nndoctor() -> None:
    """A doctor for PyTorch training runs: runs your script, watches it learn, and tells what is wrong with it."""


@nndoctor.command(
    cls=ReportCommand,
    short_help="Watch a script train, and tell what is wrong with it.",
    # The first word that is no option ends the options: the rest is the script's, whatever it looks like.
    context_settings={"allow_interspersed_args": False},
    options_metavar="[OPTIONS]",
    epilog=_examples(
        "nndoctor check train.py --lr 0.1 --epochs 5",
        "nndoctor check -m package.train --lr 0.1",
        "nndoctor check --steps 1000 --seconds 300 train.py",
        "nndoctor check --format json --quiet train.py > report.json",
        "nndoctor check --format sarif --output a.sarif --format text train.py",
        "nndoctor check --write-baseline known.json train.py      and from then on --baseline known.json",
        "nndoctor check --ignore dataset-too-small,class-imbalance --fail-on error train.py",
    ),
)
@click.option("-m", "module", is_flag=True, help="SCRIPT is a module, as in `python -m`.")
@click.option("--steps", type=int, metavar="N", help="Stop after N optimiser steps ...  [default: 300]")
@click.option("--seconds", type=float, metavar="S", help="... or S seconds of training.  [default: 60]")
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
@click.argument("script")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]...")
def check(
    script: str, arguments: tuple[str, ...], module: bool, save: Path | None, quiet: bool, no_trials: bool, no_fork: bool,
    baseline: Path | None, write_baseline: Path | None, **options: Any,
) -> int:  # fmt: skip
    """Run SCRIPT as `python SCRIPT ARGS` would, watch its first training steps, and report what is wrong.

    Where something is, the same run is tried again without the cause of each leading suspect; a trial writes no file
    and opens no connection.

    The script's own output appears on stderr. Exit code: 0 for a clean run, 1 for a finding, 2 for a wrong command
    line, 3 where too little training was seen for a diagnosis.
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
    short_help="Run a script as it is and with one change, and compare.",
    context_settings={"allow_interspersed_args": False},
    options_metavar="[OPTIONS]",
    epilog=_examples(
        "nndoctor try --change lr*0.1 train.py",
        "nndoctor try --change activation=relu --steps 1000 train.py --epochs 5",
        "nndoctor try --change one-batch=repeated -m package.train",
        "nndoctor try --list",
    ),
)
@click.option("--change", metavar="CHANGE", help="What to change; --list shows what can be.")
@click.option("--list", "listed", is_flag=True, help="List every change, and exit.")
@click.option("-m", "module", is_flag=True, help="SCRIPT is a module, as in `python -m`.")
@click.option("--steps", type=int, metavar="N", help="Stop each run after N optimiser steps ...  [default: 300]")
@click.option("--seconds", type=float, metavar="S", help="... or S seconds of training.  [default: 60]")
@click.option("--timeout", type=float, metavar="S", help="Stop a run after S seconds, come what may.  [default: 600]")
@click.option("--run", type=int, metavar="K", help="Compare the K-th training of the script.  [default: the last that is seen]")
@click.option("--no-fork", is_flag=True, help="Run the trial afresh, also where a fork of the script would do.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--format", type=_LIST_FORMATS, help="For a person or for a machine.  [default: text]")
@click.option("--output", type=FILE, metavar="FILE", help="Write the comparison to FILE.")
@click.option("--color", type=COLORS, default="auto", help="Colour the text.  [default: auto]")
@CONFIG
@click.argument("script", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]...")
def try_(
    change: str | None, listed: bool, script: str | None, arguments: tuple[str, ...], module: bool, quiet: bool, no_fork: bool,
    color: str, format: str | None, output: Path | None, **options: Any,
) -> int:  # fmt: skip
    """Run SCRIPT twice, as it is and with one CHANGE of the run, and print both curves and what came of it.

    Your file is not edited; neither run writes a file or opens a connection. Exit code: 0 where the two could be
    compared, 2 for a wrong command line, 3 where the change could not be made or nothing compared.
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
    epilog=_examples(
        "nndoctor diagnose run.jsonl --verbose", "nndoctor diagnose run.jsonl --format json --output report.json"
    ),
)
@report_options
@click.argument("recording", type=FILE)
def diagnose(recording: Path, baseline: Path | None, write_baseline: Path | None, **options: Any) -> int:
    """Judge a RECORDING that `nndoctor check --save` has kept. Needs neither torch nor the script."""
    from nndoctor import checkup

    settings, deliveries = read(options, Path())
    return exit_code(checkup.diagnose(recording, settings, deliveries, checkup.Gate(baseline, write_baseline)))


@nndoctor.command(
    short_help="Compare two recordings: what changed since it trained?",
    epilog=_examples(
        "nndoctor check --save today.jsonl train.py", "nndoctor diff last-week.jsonl today.jsonl",
        "nndoctor diff last-week.jsonl today.jsonl --format json --fail-on error",
    ),
)  # fmt: skip
@click.option("--verbose", is_flag=True, help="Add what moved little, and every setting.")
@page_options
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
def diff(before: Path, after: Path, **options: Any) -> int:
    """Tell what changed between the recordings BEFORE and AFTER: settings, curves and findings.

    Both were kept by `nndoctor check --save`; neither torch nor the script is needed. Exit code: 0 where nothing new is
    wrong with AFTER, 1 where something is, 2 for a wrong command line or file, 3 where too little was seen of either.
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
    short_help="Judge the loss curves of a log that is already there.",
    epilog=_examples(
        "nndoctor curves lightning_logs/version_0/metrics.csv", "nndoctor curves output/checkpoint-500/trainer_state.json",
        "nndoctor curves runs/Nov21_10-00-00/", "nndoctor curves log.csv --train train/box_loss --validation val/box_loss",
    ),
)  # fmt: skip
@click.option("--train", metavar="COLUMN", default="", help="The training loss, where its name is not recognised.")
@click.option("--validation", metavar="COLUMN", default="", help="The validation loss, likewise.")
@page_options
@click.argument("log", type=FILE)
def curves(log: Path, train: str, validation: str, **options: Any) -> int:
    """Judge the training and validation loss in LOG: CSV (Keras, Lightning), JSON or JSON lines, Hugging Face's
    trainer_state.json, TensorBoard's events.out.tfevents... or a directory of them.

    A log shows how a run went, not why; what it cannot tell is said. Exit code: 0 where nothing is remarkable, 1 for a
    finding, 2 for a wrong command line or a file that is no log, 3 where there are too few points to judge.
    """
    from nndoctor import checkup
    from nndoctor.knowledge.model import is_as_severe

    settings, delivery = read_page({"verbose": False, **options})
    checkup.ensure_writable([delivery.output], [log])
    reading = checkup.curves(log, train, validation, settings, delivery)
    if reading.verdict == "inconclusive":
        return EXIT_NO_DIAGNOSIS
    return EXIT_FOUND if any(is_as_severe(f.severity, settings.fail_on) for f in reading.findings) else EXIT_CLEAN


@nndoctor.command(
    short_help="Show the whole page on one cause.",
    epilog=_examples("nndoctor explain lr-too-high", "nndoctor explain loss-input --color always | less -R"),
)
@click.option("--color", type=COLORS, default="auto", help="Colour the page.  [default: auto]")
@click.argument("cause", metavar="ID")
def explain(cause: str, color: str) -> None:
    """Show the whole page on one cause: what it is, why it hurts, what speaks for it, and how to mend it."""
    from nndoctor.checkup import deliver
    from nndoctor.knowledge.loader import load_causes
    from nndoctor.report.explain import cause_page
    from nndoctor.symptoms.catalogue import CATALOGUE

    causes = load_causes()
    if cause not in causes:
        raise UsageError(_unknown_cause(cause, list(causes), [s.name for s in CATALOGUE]))
    deliver(cause_page(causes[cause], CATALOGUE, look_of(color)), None)


@nndoctor.command(
    short_help="List every cause that can be named.",
    epilog=_examples("nndoctor causes", "nndoctor causes --documents", "nndoctor causes --format json"),
)
@click.option("--documents", is_flag=True, help="Show what serves each claim of the documents that causes are drawn from.")
@click.option("--format", type=_LIST_FORMATS, default="text", help="For a person or for a machine.  [default: text]")
@click.option("--color", type=COLORS, default="auto", help="Colour the list.  [default: auto]")
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


@nndoctor.command(
    short_help="List everything that is measured.",
    epilog=_examples("nndoctor symptoms", "nndoctor symptoms --verbose", "nndoctor symptoms --format json"),
)
@click.option("--format", type=_LIST_FORMATS, default="text", help="For a person or for a machine.  [default: text]")
@click.option("--verbose", is_flag=True, help="Add the reason and source of each threshold.")
@click.option("--color", type=COLORS, default="auto", help="Colour the list.  [default: auto]")
def symptoms(format: str, verbose: bool, color: str) -> None:
    """List everything that is measured, with the threshold from which it counts."""
    from nndoctor.checkup import deliver
    from nndoctor.report.explain import symptom_list, symptom_list_json
    from nndoctor.symptoms.catalogue import CATALOGUE

    deliver(symptom_list_json(CATALOGUE) if format == "json" else symptom_list(CATALOGUE, look_of(color, verbose)), None)


@nndoctor.command(
    short_help="Print the JSON schema of `--format json`.", epilog=_examples("nndoctor schema > nndoctor.schema.json")
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
