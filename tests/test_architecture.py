"""Who may import whom: the table of rooms in docs/design.md, held by reading the code and by importing it."""

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import napari_hsisynth

PACKAGE = "napari_hsisynth"
ROOT = Path(napari_hsisynth.__file__).parent
REPOSITORY = Path(__file__).resolve().parent.parent

#: Rooms that know nothing of the others, so that every room may use them.
LEAVES = {"errors", "atomic", "lazy_array", "photographs", "terminal", "typed_path"}
#: The faces of the program reach every room; when they may do so is tested below.
FACES = {"__init__", "__main__", "cli", "demo", "bench", "widgets"}
#: Not at import of a widget: they load torch, or take long.
LATE_IN_WIDGETS = {"models", "training", "sampling", "metrics", "classify"}
SCREEN = {"napari", "qtpy", "superqt", "magicgui", "pyqtgraph", "PyQt5", "PyQt6", "PySide2", "PySide6", "vispy"}
TORCH_FREE = [
    "cube",
    "spectra",
    "composite",
    "corrections",
    "formats",
    "optics",
    "photo_inversion",
    "study",
    "jobs",
    "training.config",
    "cli",
    "segment",
    "metrics",
    "bench",
]
LONGEST = 400
DUMPS = {"utils", "helpers", "common", "base"}


def table_of_rooms() -> dict[str, set[str]]:
    """What each room may import, read from docs/design.md; without the faces, which may import any room."""
    allowed = {}
    for line in (REPOSITORY / "docs" / "design.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `") or len(cells) != 3 or cells[2].startswith("any room"):
            continue
        names = [name.strip() for name in cells[2].split("(")[0].split(",")]
        for room in cells[0].replace("`", "").split(","):
            allowed[room.strip().rstrip("/").replace("/", ".")] = {name for name in names if name != "nothing"}
    return allowed


ALLOWED = table_of_rooms()


@dataclass(frozen=True)
class Import:
    """One imported module, as a dotted name, and when the import runs."""

    module: str  # of the importing file
    line: int
    target: str
    late: bool  # inside a function
    typing_only: bool

    @property
    def room(self) -> str:
        return room_of(self.module)

    @property
    def target_room(self) -> str | None:
        return room_of(self.target) if self.target.split(".")[0] == PACKAGE else None

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join((PACKAGE, *parts)).removesuffix(".__init__")] = path
    return found


def room_of(module: str) -> str:
    """The room of a dotted name; of ``training``, the configuration is a room of its own."""
    parts = module.split(".")[1:]
    if not parts:
        return "__init__"
    return "training.config" if parts[:2] == ["training", "config"] else parts[0]


@cache
def imports() -> tuple[Import, ...]:
    """Every import of the package, those by ``import_module("...")`` included."""
    known = modules()
    return tuple(found for module, path in known.items() for found in imports_of(module, path, set(known)))


def imports_of(module: str, path: Path, known: set[str]) -> list[Import]:
    """The imports of one file."""
    found = []

    def visit(node: ast.AST, late: bool, typing_only: bool) -> None:
        names = targets(node, module, path.name == "__init__.py", known)
        found.extend(Import(module, node.lineno, name, late, typing_only) for name in names)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                visit(child, late, True)
            for child in node.orelse:
                visit(child, late, typing_only)
            return
        inside = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, inside, typing_only)

    visit(ast.parse(path.read_text(encoding="utf-8"), str(path)), False, False)
    return found


def targets(node: ast.AST, module: str, is_package: bool, known: set[str]) -> list[str]:
    """Dotted names that one statement imports; ``from a import b`` is a.b where b is a module, else a."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        origin = node.module or ""
        if node.level:
            kept = module.split(".")[: len(module.split(".")) - node.level + is_package]
            origin = ".".join([*kept, *([origin] if origin else [])])
        return [f"{origin}.{alias.name}" if f"{origin}.{alias.name}" in known else origin for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}:
        first = node.args[0] if node.args else None
        return [first.value] if isinstance(first, ast.Constant) and isinstance(first.value, str) else []
    return []


def offences(wrong) -> list[str]:
    return [str(each) for each in imports() if wrong(each)]


# --- the reader itself


def test_reader_sees_every_way_to_import(tmp_path):
    source = """
from typing import TYPE_CHECKING
import napari_hsisynth.cube
from napari_hsisynth import study
from . import sibling
from ..spectra import snv
if TYPE_CHECKING:
    import torch
class Holder:
    import numpy
def later():
    from importlib import import_module
    return import_module("napari.layers")
"""
    path = tmp_path / "module.py"
    path.write_text(source)
    found = imports_of("napari_hsisynth.room.module", path, {"napari_hsisynth.study", "napari_hsisynth.room.sibling"})
    assert [(each.target, each.late, each.typing_only) for each in found] == [
        ("typing", False, False),
        ("napari_hsisynth.cube", False, False),
        ("napari_hsisynth.study", False, False),
        ("napari_hsisynth.room.sibling", False, False),
        ("napari_hsisynth.spectra", False, False),
        ("torch", False, True),
        ("numpy", False, False),
        ("importlib", True, False),
        ("napari.layers", True, False),
    ]


# --- the table


def test_table_is_read_as_it_is_written():
    assert ALLOWED["models"] == ALLOWED["training.config"] == set()
    assert ALLOWED["study"] == {"cube", "formats", "spectra"}
    assert ALLOWED["jobs"] == {"study"}
    assert not set().union(*ALLOWED.values()) - set(ALLOWED), "the table allows a room that it does not have"


def test_every_module_belongs_to_a_room_of_the_table():
    rooms = {room_of(module) for module in modules()}
    assert rooms <= set(ALLOWED) | FACES, "a new room needs a row in docs/design.md"


def test_rooms_import_only_what_the_table_allows():
    def wrong(each: Import) -> bool:
        if each.room in FACES or each.target_room in {None, each.room, "__init__"}:
            return False
        target = "training" if each.target_room == "training.config" else each.target_room  # whoever may have all of it
        return not {each.target_room, target} & (ALLOWED[each.room] | LEAVES | {each.room})

    assert not offences(wrong)


def test_nobody_imports_a_face_but_a_face():
    def wrong(each: Import) -> bool:
        return each.target_room in FACES - {"__init__", each.room} and each.room not in FACES

    assert not offences(wrong)


def test_cube_needs_numpy_only():
    def wrong(each: Import) -> bool:
        outside = each.target.split(".")[0]
        return each.room == "cube" and outside not in {"numpy", PACKAGE, *sys.stdlib_module_names}

    assert not offences(wrong)


def test_only_widgets_touch_qt_and_napari():
    assert not offences(lambda each: each.room != "widgets" and each.target.split(".")[0] in SCREEN)


def test_command_line_and_package_import_rooms_only_inside_functions():
    light = {*LEAVES, "__init__", "cli"}

    def wrong(each: Import) -> bool:
        early = not each.late and not each.typing_only
        faces = {"__init__", "__main__", "cli", "demo", "bench"}
        return each.room in faces and early and each.target_room not in {None, each.room, *light}

    assert not offences(wrong)


def test_widgets_import_what_trains_and_measures_only_inside_functions():
    def wrong(each: Import) -> bool:
        return each.room == "widgets" and not each.late and not each.typing_only and each.target_room in LATE_IN_WIDGETS

    assert not offences(wrong)


# --- what importing loads


def loaded_by(*names: str) -> set[str]:
    """Top-level packages that importing `names` in a new interpreter adds, the standard library aside."""
    code = (
        "import importlib, json, sys; before = set(sys.modules)\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in set(sys.modules) - before})))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout)) - set(sys.stdlib_module_names) - {PACKAGE}


def test_importing_the_package_loads_numpy_at_most():
    assert loaded_by(PACKAGE) <= {"numpy"}


def test_importing_the_command_line_loads_nothing_else_at_all():
    assert loaded_by(f"{PACKAGE}.cli") <= {"numpy"}


@pytest.mark.parametrize("room", TORCH_FREE)
def test_importing_the_light_rooms_loads_neither_torch_nor_a_screen(room):
    heavy = {"torch", "torchvision", "lightning", "kornia", "transformers", *SCREEN}
    assert not loaded_by(f"{PACKAGE}.{room}") & heavy


def test_importing_every_widget_loads_no_torch():
    widgets = [module for module in modules() if room_of(module) == "widgets"]
    assert not loaded_by(*widgets) & {"torch", "torchvision", "lightning", "kornia", "transformers"}


# --- files


def test_files_hold_one_concept():
    files = [*modules().values(), *(REPOSITORY / "tests").rglob("*.py"), *(REPOSITORY / "tools").rglob("*.py")]
    long = {str(path.relative_to(REPOSITORY)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert not {name: lines for name, lines in long.items() if lines > LONGEST}
    assert not [name for name in long if Path(name).stem in DUMPS]
