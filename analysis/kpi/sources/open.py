"""One door to all sources: what lies at a path is recognised by what it holds, and read."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.kpi.events import EventLog
from analysis.kpi.sources.cdevents import SUFFIXES, is_cdevents, read_cdevents
from analysis.kpi.sources.csv_mapping import read_table
from analysis.kpi.sources.json_lines import read_objects

SOURCES: dict[str, tuple[str, str]] = {
    "git": ("analysis.kpi.sources.git", "read_repository"),
    "github": ("analysis.kpi.sources.github", "read_github"),
    "gitlab": ("analysis.kpi.sources.gitlab", "read_gitlab"),
    "devlake": ("analysis.kpi.sources.devlake", "read_devlake"),
    "cdevents": ("analysis.kpi.sources.cdevents", "read_cdevents"),
    "table": ("analysis.kpi.sources.csv_mapping", "read_table"),
}
"""Kind of source → module and function that reads it."""

EXPORTS = ("devlake", "gitlab", "github")
"""Kinds that are folders of a tool's files, each with a function ``looks_like_<kind>``, in the order of asking."""

_KNOWN = (
    "a folder with .git, a CDEvents log (.jsonl, .jsonl.gz, or a folder of them), an event table (.parquet, .csv), "
    "any CSV or Parquet with a mapping beside it (<name>.mapping.yaml), or a folder of exports of GitHub, GitLab or "
    "DevLake"
)


def open_log(path: Path | str, *, kind: str = "", **options: Any) -> EventLog:
    """Read an event log, whatever it is.

    Parameters
    ----------
    path : Path or str
        A repository, a log, a table, or a folder of exports.
    kind : str, optional
        Kind of source, of `SOURCES`, where it is not to be recognised.
    **options
        Passed on to the reader: ``mapping`` and ``zone`` of tables, ``tag_pattern`` of repositories, and so on.

    Returns
    -------
    EventLog
        As its source says it; `analysis.kpi.checks.check_log` is the next step.

    Raises
    ------
    InputError
        Nothing there, nothing that is recognised, an option that this kind of source does not have, or what the
        reader refuses.
    """
    path = Path(path)
    if kind:
        get_reader(kind)
    if not path.exists():
        raise InputError(
            f"{relative(path)} does not exist.", [Problem(relative(path), "nothing is there", "check the path")]
        )
    kind = kind or recognise(path)
    if kind == "table" and options.get("mapping") is None and (beside := find_mapping(path)):
        options["mapping"] = beside
    reader = get_reader(kind)
    known = list(inspect.signature(reader).parameters)[1:]
    unknown = [name for name in options if name not in known]
    if unknown:
        remedy = f"it has: {', '.join(known) or 'none'}"
        raise InputError(
            f"{relative(path)} is read as {kind}, which does not have every option given.",
            [Problem(f"option '{name}'", "it is not known", remedy) for name in unknown],
        )
    return reader(path, **options)


def recognise(path: Path) -> str:
    """Kind of source at a path, a key of `SOURCES`, by what is there and not by its name where that can be told.

    Raises
    ------
    InputError
        It is none of them; what was found is said.
    """
    found = _recognise_folder(path) if path.is_dir() else _recognise_file(path)
    if found in SOURCES:
        return found
    raise InputError(
        f"{relative(path)} is no event log that is known.", [Problem(relative(path), found, f"give {_KNOWN}")]
    )


def find_mapping(path: Path) -> Path | None:
    """The mapping beside a table: ``deployments.mapping.yaml`` for ``deployments.csv``."""
    candidates = (path.with_name(f"{path.stem}.mapping{suffix}") for suffix in (".yaml", ".yml"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _recognise_folder(path: Path) -> str:
    if (path / ".git").exists() or ((path / "HEAD").is_file() and (path / "objects").is_dir()):
        return "git"
    for kind in EXPORTS:
        module = SOURCES[kind][0]
        if getattr(import_module(module), f"looks_like_{kind}")(path):
            return kind
    files = sorted(file for file in path.iterdir() if file.is_file())
    logs = [file for file in files if file.name.endswith(SUFFIXES)]
    if any(_first_is_cdevent(file) for file in logs):
        return "cdevents"
    deeper = sorted(file for suffix in SUFFIXES for file in path.rglob(f"*{suffix}"))
    if deeper and not logs:
        return f"it holds no log itself; logs below it, such as {relative(deeper[0])}, are read one by one"
    return "an empty folder" if not files else f"a folder of {len(files)} files, none of which says what it is"


def _recognise_file(path: Path) -> str:
    name = path.name.lower()
    with path.open("rb") as file:
        if file.read(16).startswith(b"SQLite format 3"):
            found = import_module(SOURCES["devlake"][0]).looks_like_devlake(path)
            return "devlake" if found else "a SQLite file without tables of DevLake"
    if name.endswith((".csv", ".tsv", ".parquet")):
        return "table"
    if name.endswith(SUFFIXES):
        objects, findings = read_objects(path)
        if any(is_cdevents(item) for _, item in objects) or not objects or not name.endswith((".json", ".json.gz")):
            return "cdevents"  # a broken log as well: its reader says what is broken in it
        if findings:
            return findings[0].what
        keys = ", ".join(list(objects[0][1])[:5])
        return f"JSON, but no CDEvents: its first object has {keys}; exports of a forge are read as a folder"
    return f"a file ending in '{path.suffix}'" if path.suffix else "a file without a suffix"


def _first_is_cdevent(path: Path) -> bool:
    try:
        objects, _ = read_objects(path)
    except InputError:
        return False
    return any(is_cdevents(item) for _, item in objects[:1])


def get_reader(kind: str) -> Callable[..., EventLog]:
    """The function that reads a kind of source.

    Raises
    ------
    InputError
        No key of `SOURCES`.
    """
    if kind not in SOURCES:
        raise InputError(
            "There is no such kind of source.", [Problem("kind", f"got {kind!r}", f"one of: {', '.join(SOURCES)}")]
        )
    if kind == "cdevents":
        return read_cdevents
    if kind == "table":
        return read_table
    module, function = SOURCES[kind]
    return getattr(import_module(module), function)
