"""Modules import from their own layer or from lower ones; siblings of one layer never import each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from analysis.base.paths import ROOT

LAYERS: tuple[tuple[str, ...], ...] = (
    ("base",),
    ("stats",),
    ("plots",),
    ("literature", "maturity", "requirements", "survey", "experiment", "kpi"),
    ("synthesis",),
    ("reporting",),
    ("__main__",),
)
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
PROJECT_UNDER_STUDY = ROOT / "analysis/experiment/project"  # a program of its own, which the experiment runs
MODULES = sorted(
    path
    for path in (ROOT / "analysis").rglob("*.py")
    if path != ROOT / "analysis/__init__.py" and PROJECT_UNDER_STUDY not in path.parents
)


def room_of(path: Path) -> str:
    first = path.relative_to(ROOT / "analysis").parts[0]
    return first.removesuffix(".py")


def imported_rooms(source: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import: write it in full"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {parts[1] for name in names if (parts := name.split("."))[0] == "analysis" and len(parts) > 1}


def wrong_imports(room: str, source: str) -> set[str]:
    return {
        other for other in imported_rooms(source) if other != room and (other not in RANK or RANK[other] >= RANK[room])
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_downwards(path):
    assert room_of(path) in RANK, "a new room: give it its place in LAYERS"
    assert wrong_imports(room_of(path), path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("room", "source", "wrong"),
    [
        ("base", "from analysis.stats import intervals", {"stats"}),
        ("survey", "def f():\n    import analysis.literature.records", {"literature"}),
        ("survey", "from analysis import reporting", {"reporting"}),
        ("survey", "from analysis.base.errors import InputError\nimport analysis.plots.theme", set()),
        ("reporting", "from analysis.__main__ import main", {"__main__"}),
    ],
)
def test_a_seeded_wrong_import_is_caught(room, source, wrong):
    assert wrong_imports(room, source) == wrong


def test_modules_stay_readable():
    sizes = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > 450} == {}
