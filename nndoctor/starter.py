"""What `nndoctor init` puts into a project: a file with every setting, and a job for continuous integration.

The settings come from the ones that are read, so that none is missing; the jobs are the files in `ci/`, as they stand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nndoctor.config import KEYS, OWN_FILE, Settings
from nndoctor.errors import FileError

_TEMPLATES = Path(__file__).with_name("ci")
_HEAD = f"""\
# The settings of nndoctor for every script in this folder and below it.
#
# Each stands here with the value that it has without this file: take the # before it away, and change the value. The
# command line wins over {OWN_FILE}, and {OWN_FILE} over the [tool.nndoctor] of a pyproject.toml beside it.
"""


@dataclass(frozen=True)
class Host:
    """What runs the job: the template for it, where the host looks for one, and whether that file holds other jobs too."""

    template: str
    path: str
    is_shared: bool


HOSTS = {
    "github": Host("github-workflow.yml", ".github/workflows/nndoctor.yml", False),
    "gitlab": Host("gitlab-ci.yml", ".gitlab-ci.yml", True),
    "pre-commit": Host("pre-commit-config.yaml", ".pre-commit-config.yaml", True),
}


def settings_file() -> str:
    """YAML with every setting and what it does, each commented out at its default."""
    defaults = Settings()
    values = {f.name.replace("_", "-"): getattr(defaults, f.name) for f in fields(Settings)}
    return _HEAD + "".join(f"\n# {key.what}\n#{name}: {_yaml(values[name])}\n" for name, key in KEYS.items())


def _yaml(value: Any) -> str:
    """A default as YAML spells it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_yaml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, Collection) and not isinstance(value, str):
        return "[" + ", ".join(sorted(value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def ci_file(host: Host) -> str:
    """The job for a host."""
    return (_TEMPLATES / host.template).read_text(encoding="utf-8")


def laid_out(directory: Path, host: Host | None, force: bool) -> dict[Path, str]:
    """The files for a project, each with its text. Settings that are there already stay as they are where a job is asked for;
    no other file is replaced without `force`.

    Raises FileError, before anything is written, for a directory that is none and for files that are in the way.
    """
    if not directory.is_dir():
        raise FileError(f"{directory}: no such directory; make it first, or name the folder of your project")
    files = {directory / OWN_FILE: settings_file()}
    if host is not None:
        files = {path: text for path, text in files.items() if not _is_there(path)}
        files[directory / host.path] = ci_file(host)
    in_the_way = [path for path in files if _is_there(path) and not force]
    if in_the_way:
        is_shared = host is not None and host.is_shared
        way_out = "--show prints what to add to it, --force replaces it" if is_shared else "--force replaces it"
        raise FileError(f"{', '.join(map(str, in_the_way))}: is there already; {way_out}")
    return files


def _is_there(path: Path) -> bool:
    """Whether something has this name, be it a link that leads nowhere."""
    return path.exists() or path.is_symlink()
