"""requirements.txt, requirements.lock and environment.yml say the same, and the lock is complete."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def _pins(name: str) -> dict[str, tuple[str, Marker | None]]:
    """Package → version and marker, for every line; a line that pins nothing fails."""
    pins: dict[str, tuple[str, Marker | None]] = {}
    for line in (ROOT / "env" / name).read_text(encoding="utf-8").splitlines():
        text = re.sub(r"(^|\s+)#.*", "", line).strip()
        if text:
            requirement = Requirement(text)
            (only,) = requirement.specifier
            package = canonicalize_name(requirement.name)
            assert only.operator == "==" and package not in pins, line
            pins[package] = (only.version, requirement.marker)
    return pins


STUDIED = ROOT / "analysis/experiment/project"  # a program of its own, which the experiment runs
DIRECT, LOCK = _pins("requirements.txt"), _pins("requirements.lock")


def test_every_direct_requirement_is_locked_at_its_version():
    assert {name: LOCK.get(name) for name in DIRECT} == DIRECT


def test_every_direct_requirement_has_a_reason():
    lines = (ROOT / "env/requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "==" in line and not re.search(r"  # \w.{9,}", line)] == []


def test_everything_installed_is_at_its_pinned_version():
    installed = {name: importlib.metadata.version(name) for name in DIRECT}
    assert installed == {name: version for name, (version, _) in DIRECT.items()}


def test_lock_serves_no_windows_only_package():
    linux = {"sys_platform": "linux", "os_name": "posix"}
    macos = linux | {"sys_platform": "darwin"}
    idle = [
        name
        for name, (_, marker) in LOCK.items()
        if marker
        and not any(
            marker.evaluate(system | {"python_full_version": version, "python_version": version[:4]})
            for system in (linux, macos)
            for version in ("3.11.7", "3.12.1")
        )
    ]
    assert idle == []


def _needed(name: str, extras: frozenset[str], system: dict[str, str]) -> Iterator[tuple[str, frozenset[str]]]:
    """What an installed package requires there; nothing where it is not installed here."""
    try:
        requirements = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for requirement in map(Requirement, requirements):
        marker = requirement.marker
        if marker is None or any(marker.evaluate(system | {"extra": extra}) for extra in (extras or {""})):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)


@pytest.mark.parametrize("python", ["3.11.2", "3.11.7", "3.12.1"])
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_lock_holds_every_dependency(platform, python):
    system = {
        "sys_platform": platform,
        "platform_system": platform.title(),
        "os_name": "posix",
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    queue = [(name, frozenset[str]()) for name in DIRECT]
    seen, missing = set(queue), set()
    while queue:
        name, extras = queue.pop()
        _, marker = LOCK.get(name, ("", None))
        if name not in LOCK or (marker and not marker.evaluate(system)):
            missing.add(name)
        new = set(_needed(name, extras, system)) - seen
        seen |= new
        queue += new
    assert missing == set()
    assert len(seen) > len(DIRECT) * 3


def _imported(path: Path) -> Iterator[str]:
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    else:
        source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_every_import_is_a_direct_requirement():
    files = [*ROOT.glob("analysis/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("notebooks/*.ipynb")]
    imports = {name for path in files if STUDIED not in path.parents for name in _imported(path)}
    imports -= sys.stdlib_module_names | {"analysis", "tests"}
    distributions = importlib.metadata.packages_distributions()
    unknown = {
        name
        for name in imports
        if not {canonicalize_name(distribution) for distribution in distributions.get(name, [])} & DIRECT.keys()
    }
    assert "pandas" in imports
    assert unknown == set()


def test_conda_environment_takes_its_packages_from_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    plain = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-r env/requirements.lock"]
    names = {re.split(r"[=<>]", entry)[0]: entry for entry in plain}
    assert names.keys() & LOCK.keys() == set()
    assert names["python"] in ("python=3.11", "python=3.12")
    assert names["quarto"] == "quarto>=1.9"


def test_project_metadata_agrees():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert f'version = "{citation["version"]}"' in project
    assert 'requires-python = ">=3.11"' in project
    assert citation["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
