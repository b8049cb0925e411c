"""What the shell is offered where a word is begun: ids of causes, changes, and files.

Runs at every press of the key: nothing is loaded but what names the candidates.
"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS = ("bash", "zsh", "fish")


def script(program: click.Command, name: str, shell: str) -> str:
    """The lines that teach a shell to complete the program of this name. Raises UsageError for another shell."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell!r}: completion is for {', '.join(SHELLS)}")
    return kind(program, {}, name, f"_{name.upper()}_COMPLETE").source()


def one_cause(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids that begin so, each with its title."""
    return _causes("", incomplete, ())


def several_causes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The same for the last of several with commas between; none is offered twice."""
    before, comma, last = incomplete.rpartition(",")
    return _causes(before + comma, last, before.split(","))


def _causes(before: str, begun: str, named: tuple[str, ...] | list[str]) -> list[CompletionItem]:
    from nndoctor.knowledge.loader import load_causes

    return [CompletionItem(before + c.id, help=c.title) for c in load_causes().values() if c.id.startswith(begun) and c.id not in named]


def change(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Changes as `--change` takes them; of those that want a number, what stands before it."""
    from nndoctor.probe.changes.names import KINDS

    spelt = [(f"{k.name}{'*' if k.scales else '='}{value}", k.what) for k in KINDS for value in k.values or ("",)]
    return [CompletionItem(spelling, help=what) for spelling, what in spelt if spelling.startswith(incomplete)]


def file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Whatever files the shell finds."""
    return [CompletionItem(incomplete, type="file")]
