"""What a notebook depends on, and what the world looked like when it ran. Standard library only.

The same dependency list feeds make (what to re-run) and the results store (what has gone stale).
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from analysis.base.errors import NotebookError, Problem
from analysis.base.paths import BUILD, DATA, NOTEBOOKS, ROOT, relative, write_atomic


def file_digest(path: Path) -> str:
    """SHA-256 of a file, first 16 hex digits; ``"missing"`` for a file that is not there."""
    if not path.is_file():
        return "missing"
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def notebook_code(path: Path) -> list[str]:
    """Source of every code cell of a notebook, in order.

    Raises
    ------
    NotebookError
        Not a notebook file (an unresolved merge, for example), or a cell that is not plain Python.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        remedy = f"restore it: git checkout -- {relative(path)}"
        where = f"{relative(path)}:{error.lineno}" if isinstance(error, json.JSONDecodeError) else relative(path)
        raise NotebookError(f"{relative(path)} is not a notebook.", [Problem(where, str(error), remedy)]) from None
    for number, source in enumerate(sources, start=1):
        _parse(source, f"{relative(path)}, code cell {number}")
    return sources


def _parse(source: str, where: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        what = f"line {error.lineno} is not plain Python: {error.msg}"
        remedy = "correct it (lines starting with % or ! are not allowed)"
        raise NotebookError(
            "The dependencies of the notebooks cannot be read.", [Problem(where, what, remedy)]
        ) from None


def report_notebooks(folder: Path = NOTEBOOKS) -> list[Path]:
    """The notebooks whose results the thesis uses: numbered, and storing results; in order.

    Raises
    ------
    NotebookError
        One of them cannot be read.
    """
    return [
        path
        for path in sorted(folder.glob("[0-9]*.ipynb"))
        if any("analysis.base.results.Results" in _imported_names(ast.parse(cell)) for cell in notebook_code(path))
    ]


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
                queue += _module_facts(path)[0]
    return found


@cache
def _module_facts(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a module imports, and what its constant ``READS`` names; parsed once for both, at every make."""
    tree = _parse(path.read_text(encoding="utf-8"), relative(path))
    constants = (node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name))
    reads = next((ast.literal_eval(node.value) for node in constants if node.targets[0].id == "READS"), ())
    return tuple(_imported_names(tree)), tuple(reads)


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
    """Files under ``data/`` that a notebook names in a string, such as ``"survey/counts.csv"``.

    A folder such as ``"experiment/recorded"`` stands for all files in it.
    """
    strings = {
        node.value
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {data / text for text in strings if re.fullmatch(r"[\w-]+(/[\w.-]*\w)+", text)}
    inside = {path for folder in named if folder.is_dir() for path in folder.rglob("*") if path.is_file()}
    return {path for path in named if path.is_file()} | inside


def declared_data(modules: Iterable[Path], data: Path = DATA) -> set[Path]:
    """Files under ``data/`` that modules name in their constant ``READS``, such as ``("cases/cases.csv",)``.

    A module whose functions load tables without being handed them declares these there. `Results.save` refuses what
    was read and is neither named by the notebook nor declared.
    """
    return {data / name for module in modules for name in _module_facts(module)[1]}


_reads: list[Path] = []


def note_read(path: Path) -> None:
    """Remember that this process has read a file under ``data/`` as material (not only to look up a reference)."""
    if path.is_relative_to(DATA):
        _reads.append(path)


def count_reads() -> int:
    """How many reads have been noted so far; for `unforeseen_reads`."""
    return len(_reads)


def unforeseen_reads(digests: dict[str, str], since: int = 0) -> list[str]:
    """Files under ``data/`` read after the first ``since`` reads, which ``digests`` (`dependencies`) does not hold."""
    return sorted({relative(path) for path in _reads[since:]} - set(digests))


def dependencies(notebook: Path) -> dict[str, str]:
    """Digest of everything that decides a notebook's results: its code, modules, data.

    Returns
    -------
    dict
        Path relative to the project → digest, sorted by path.
    """
    code = notebook_code(notebook)
    modules = imported_modules(code)
    files = modules | named_data(code) | declared_data(modules)
    digests = {relative(path): file_digest(path) for path in files}
    digests[relative(notebook)] = notebook_digest(notebook)
    return dict(sorted(digests.items()))


def write_makefile_rules(target: Path) -> None:
    """Write ``RESULTS`` and one ``results.json: dependencies`` line a notebook, for make to include.

    Beside it, ``depends/<notebook>.json`` holds the digests; results depend on that file too. So they
    are made again when a file is newer, and also when one was deleted or came back with an old date.
    Files that would not change are left alone, with their times.

    Raises
    ------
    NotebookError
        A notebook that cannot be read, or with a name that make cannot hold.
    """
    notebooks = report_notebooks()
    unfit = [path for path in notebooks if not re.fullmatch(r"[\w.-]+", path.name)]
    if unfit:
        problems = [
            Problem(relative(path), "its name has a space or a sign of make's own", "use letters, digits, '_' and '-'")
            for path in unfit
        ]
        raise NotebookError("A notebook has a name that make cannot work with.", problems)
    # Paths as the Makefile writes them: report/build may be a link to another disk.
    build = BUILD.relative_to(ROOT).as_posix()
    rules = {}
    for path in notebooks:
        digests = dependencies(path)
        listing = target.parent / "depends" / f"{path.stem}.json"
        _write_if_changed(listing, json.dumps(digests, indent=1) + "\n")
        rules[f"{build}/results/{path.stem}/results.json"] = [listing.as_posix(), *digests]
    lines = [f"RESULTS := {' '.join(rules)}", *(f"{result}: {' '.join(paths)}" for result, paths in rules.items())]
    _write_if_changed(target, "\n".join(lines) + "\n")


def _write_if_changed(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_atomic(path, text)


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
