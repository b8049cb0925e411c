"""Imports point down: each room knows the rooms below it and none above, and only the probe touches torch."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import nndoctor

PACKAGE = Path(nndoctor.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# The ground, on which everyone stands.
GROUND = ("version", "errors")
# What `import nndoctor` gives, loaded when it is asked for; of it, the package itself may use the version alone.
FRONT = "nndoctor"
PUBLIC = ("api", "outcome")
# Rooms, and the modules that lie beside them, from the bottom up.
FLOORS = {
    "record": 1,
    "probe": 2,
    "logs": 2,
    "symptoms": 3,
    "diagnosis": 4,
    "trials": 5,
    "findings": 5,
    "report": 6,
    "config": 7,
    "checkup": 8,
    "starter": 8,
    "completion": 8,
    "manual": 8,
    "options": 9,
    "outcome": 9,
    "commands": 10,
    "api": 10,
    "cli": 11,
    "pytest_plugin": 11,
    "__main__": 12,
}
# Pages and what reads them: below all that use it, and knowing nobody.
DATA = "knowledge"
READERS_OF_DATA = 4  # the lowest floor that may: symptoms measure, and do not know what their measures mean


def room(module: str) -> str:
    """The room of a dotted module, as it is named in FLOORS."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def module_of(path: Path) -> str:
    """The dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, at its top, within functions, or for type checkers only."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None, f"{path}:{node.lineno}: a relative import"
            found.add(node.module)
            # `from nndoctor import cli` imports a module; `from nndoctor.cli import run` a name.
            found |= {f"{node.module}.{a.name}" for a in node.names if is_module(f"{node.module}.{a.name}")}
            assert node.module != FRONT or found >= {f"{FRONT}.{a.name}" for a in node.names}, f"{path}:{node.lineno}: a public name, from its front"
    return found


def is_module(dotted: str) -> bool:
    """Whether a dotted name is a file or a folder of the package."""
    path = PACKAGE.parent.joinpath(*dotted.split("."))
    return dotted.startswith("nndoctor.") and (path.with_suffix(".py").is_file() or path.is_dir())


def wrong_import(importer: str, imported: str) -> str:
    """Why one room may not import another; empty where it may."""
    if importer == imported or imported in (*GROUND, FRONT):
        return ""
    if importer == FRONT:
        return "" if imported in PUBLIC else f"{imported} is not public"
    if importer in GROUND:
        return "the ground knows nobody"
    if importer == DATA:
        return "the knowledge knows nobody"
    if imported == DATA:
        return "" if FLOORS[importer] >= READERS_OF_DATA else "it lies below the readers of the knowledge"
    return "" if FLOORS[importer] > FLOORS[imported] else f"{imported} is no floor below {importer}"


def test_every_room_has_a_floor() -> None:
    """A new room or module must be given its place here."""
    rooms = {room(module_of(path)) for path in MODULES}

    assert set() == rooms - {*FLOORS, *GROUND, FRONT, DATA}


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_imports_point_down(path: Path) -> None:
    """No file imports from its own floor's other rooms, or from above."""
    importer = room(module_of(path))
    wrong = {
        imported: why
        for imported in imports_of(path)
        if imported.partition(".")[0] == "nndoctor" and (why := wrong_import(importer, room(imported)))
    }

    assert {} == wrong


@pytest.mark.parametrize("path", [p for p in MODULES if room(module_of(p)) != "probe"], ids=module_of)
def test_no_torch_outside_the_probe(path: Path) -> None:
    """Everything above the probe works on a recording, where no torch need be installed."""
    assert "torch" not in {name.partition(".")[0] for name in imports_of(path)}


def test_rules_refuse_what_they_should() -> None:
    """The rule itself tells down from up, from sideways, and from the data."""
    assert wrong_import("symptoms", "record") == ""
    assert wrong_import("report", "version") == ""
    assert wrong_import("diagnosis", "knowledge") == ""
    assert wrong_import("record", "probe")
    assert wrong_import("symptoms", "knowledge")
    assert wrong_import("knowledge", "record")
    assert wrong_import("errors", "record")
    assert wrong_import("findings", "trials")
    assert wrong_import("nndoctor", "cli")
    assert wrong_import("nndoctor", "api") == ""


WITHOUT_TORCH = [
    "nndoctor", "nndoctor.api", "nndoctor.outcome", "nndoctor.pytest_plugin", "nndoctor.cli", "nndoctor.__main__", "nndoctor.checkup", "nndoctor.config", "nndoctor.report.handbook", "nndoctor.starter",
    "nndoctor.diagnosis.engine",
    "nndoctor.findings.baseline", "nndoctor.findings.comments", "nndoctor.knowledge.loader", "nndoctor.probe.launch", "nndoctor.record.codec", "nndoctor.report.explain",
    "nndoctor.report.curves", "nndoctor.report.difference", "nndoctor.report.html.document",
    "nndoctor.report.formats", "nndoctor.report.github", "nndoctor.report.json", "nndoctor.report.junit", "nndoctor.report.live",
    "nndoctor.report.markdown", "nndoctor.report.sarif", "nndoctor.report.text", "nndoctor.symptoms.catalogue",
]  # fmt: skip


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_modules_load_without_torch(module: str) -> None:
    """Everything but the watched child works on a machine that has no torch."""
    blocked = f"import sys; sys.modules['torch'] = None; import {module}"
    done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)


def test_command_line_loads_only_what_help_needs() -> None:
    """`nndoctor --help` answers at once: neither torch nor numpy nor rich nor a page of knowledge is loaded."""
    script = (
        "import json, sys\nfrom nndoctor.cli import run\ncode = run(['--help'])\n"
        "print(json.dumps([code, sorted({m.partition('.')[0] for m in sys.modules})]), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    code, loaded = json.loads(done.stderr)

    assert code == 0
    assert "click" in loaded
    assert set() == {"torch", "numpy", "rich", "yaml", "sklearn"} & set(loaded)
