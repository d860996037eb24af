"""What a notebook depends on, and what the world looked like when it ran. Standard library only.

The same dependency list feeds make (what to re-run) and the results store (what has gone stale).
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from analysis.base.paths import BUILD, DATA, NOTEBOOKS, ROOT, relative


def file_digest(path: Path) -> str:
    """SHA-256 of a file, first 16 hex digits; ``"missing"`` for a file that is not there."""
    if not path.is_file():
        return "missing"
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def notebook_code(path: Path) -> list[str]:
    """Source of every code cell of a notebook, in order."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def notebook_digest(path: Path) -> str:
    """Digest of the code alone: prose, outputs and ids of a notebook do not make results stale."""
    return hashlib.sha256("\0".join(notebook_code(path)).encode()).hexdigest()[:16]


def imported_modules(sources: Iterable[str], root: Path = ROOT) -> set[Path]:
    """Files of the ``analysis`` modules that ``sources`` import, directly or through each other."""
    found: set[Path] = set()
    queue = [name for source in sources for name in _imported_names(ast.parse(source))]
    while queue:
        for path in _module_files(queue.pop(), root):
            if path not in found:
                found.add(path)
                queue += _imports_of(path)
    return found


@cache
def _imports_of(path: Path) -> tuple[str, ...]:
    return tuple(_imported_names(ast.parse(path.read_text(encoding="utf-8"))))


def _imported_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module_files(dotted: str, root: Path) -> Iterator[Path]:
    """Files behind a dotted name, packages' ``__init__`` included; nothing for foreign modules."""
    parts = dotted.split(".")
    if parts[0] != "analysis":
        return
    for end in range(1, len(parts) + 1):
        base = root.joinpath(*parts[:end])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                yield path


def named_data(sources: Iterable[str], data: Path = DATA) -> set[Path]:
    """Files under ``data/`` that a notebook names in a string, such as ``"survey/counts.csv"``."""
    strings = {
        node.value
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {data / text for text in strings if "/" in text and "\n" not in text and (data / text).is_file()}


def dependencies(notebook: Path) -> dict[str, str]:
    """Digest of everything that decides a notebook's results: its code, modules, data.

    Returns
    -------
    dict
        Path relative to the project → digest, sorted by path.
    """
    code = notebook_code(notebook)
    files = imported_modules(code) | named_data(code)
    digests = {relative(path): file_digest(path) for path in files}
    digests[relative(notebook)] = notebook_digest(notebook)
    return dict(sorted(digests.items()))


def write_makefile_rules(target: Path) -> None:
    """Write one ``results.json: dependencies`` line a notebook, for make to include."""
    lines = []
    for notebook in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        result = f"{relative(BUILD)}/results/{notebook.stem}/results.json"
        lines.append(f"{result}: {' '.join(dependencies(notebook))}")
        lines += [f"{path}:" for path in dependencies(notebook)]
    target.parent.mkdir(parents=True, exist_ok=True)
    from analysis.base.paths import write_atomic

    write_atomic(target, "\n".join(dict.fromkeys(lines)) + "\n")


def commit() -> str:
    """Short git commit, with ``+`` when tracked files differ from it; ``"unknown"`` outside git."""
    try:
        head = _git("rev-parse", "--short=10", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def machine() -> dict[str, str | int]:
    """What a measured number needs beside it: system, processor, cores, Python; no host name."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count() or 0,
        "python": ".".join(map(str, sys.version_info[:3])),
    }
