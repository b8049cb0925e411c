"""`init` and `completion`: what makes nndoctor at home in a project and in a shell."""

from __future__ import annotations

from pathlib import Path

import click

from nndoctor import completion as shells
from nndoctor.errors import FileError
from nndoctor.manual import Manual

_HOSTS = click.Choice(["github", "gitlab", "pre-commit"])  # those of `starter.HOSTS`, which help does not load


@click.command(
    cls=Manual,
    short_help="Write a file with every setting, and a job for CI.",
    examples=[
        ("nndoctor init", "nndoctor.yaml in the working directory, with every setting commented out"),
        ("nndoctor init --ci github", "and .github/workflows/nndoctor.yml, which checks train.py at every push"),
        ("nndoctor init --ci gitlab --show", "the job alone, to be added to a .gitlab-ci.yml that is there"),
        ("nndoctor init --ci pre-commit path/to/project", ""),
    ],
    exits={0: "The files were written.", 2: "The command line is wrong, or a file is in the way; nothing was written."},
    files={
        "nndoctor.yaml": "Settings for all scripts in its folder and below.",
        ".github/workflows/nndoctor.yml": "The workflow of --ci github.",
        ".gitlab-ci.yml": "The job of --ci gitlab.",
        ".pre-commit-config.yaml": "The hook of --ci pre-commit.",
    },
)
@click.option("--ci", type=_HOSTS, metavar="HOST", help="Write a job as well: github, gitlab or pre-commit.")
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option("--show", is_flag=True, help="Print it (with --ci the job alone), and write nothing.")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=".", required=False)
def init(ci: str | None, force: bool, show: bool, directory: Path) -> None:
    """Write nndoctor.yaml into DIRECTORY, with every setting, what it does and its default, all commented out.

    Settings that are there already stay as they are where a job is asked for. No other file is replaced without --force.
    """
    from nndoctor.checkup import deliver
    from nndoctor.config import OWN_FILE
    from nndoctor.starter import HOSTS, ci_file, laid_out, settings_file

    host = HOSTS[ci] if ci else None
    if show:
        deliver(ci_file(host) if host else settings_file(), None)
        return
    files = laid_out(directory, host, force)
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise FileError(f"{path}: cannot be written: {e.strerror}") from e
        deliver(text, path)
    said = [f"wrote {path}" for path in files]
    if directory / OWN_FILE not in files:
        said.append(f"kept {directory / OWN_FILE}")
    if host:
        said.append(f"next: name your script where {directory / host.path} says train.py")
    deliver("\n".join(said) + "\n", None)


@click.command(
    cls=Manual,
    short_help="Print what teaches a shell to complete our words.",
    examples=[
        ("""echo 'eval "$(nndoctor completion bash)"' >> ~/.bashrc""", ""),
        ("""echo 'eval "$(nndoctor completion zsh)"' >> ~/.zshrc""", ""),
        ("nndoctor completion fish > ~/.config/fish/completions/nndoctor.fish", ""),
    ],
)
@click.argument("shell", type=click.Choice(shells.SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the lines that teach SHELL (bash, zsh or fish) to complete commands, options, ids of causes and files.

    They take effect in shells that are started after that.
    """
    from nndoctor.checkup import deliver

    deliver(shells.script(ctx.find_root().command, "nndoctor", shell) + "\n", None)
