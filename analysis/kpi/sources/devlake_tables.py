"""Tables of Apache DevLake's domain layer, from a folder of CSV or Parquet files or from a SQLite file.

Only the columns that are used are read. What a table may lack, and has lacked in one version of DevLake or another, is
optional and then null; a table without one of its required columns is an error.

References
----------
Apache DevLake documentation, "Domain Layer Schema"; the models under ``backend/core/models/domainlayer`` and the
tables of the DORA plugin's end-to-end tests, ``backend/plugins/dora/e2e``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.kpi.sources.records import Record

TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "cicd_deployment_commits": (
        ("id", "result", "commit_sha"),
        (
            "cicd_deployment_id", "cicd_pipeline_id", "cicd_scope_id", "environment", "created_date", "started_date",
            "finished_date", "duration_sec", "repo_id", "repo_url", "ref_name", "prev_success_deployment_commit_id",
        ),
    ),
    "cicd_deployments": (
        ("id", "result"),
        ("cicd_scope_id", "environment", "created_date", "started_date", "finished_date", "duration_sec"),
    ),
    "cicd_pipelines": (("id", "result"), ("status", "cicd_scope_id", "environment", "created_date", "finished_date")),
    "commits_diffs": (("new_commit_sha", "old_commit_sha", "commit_sha"), ()),
    "commits": (("sha", "authored_date"), ()),
    "project_pr_metrics": (
        ("id", "project_name"),
        ("deployment_commit_id", "deployment_id", "first_commit_sha", "first_commit_authored_date", "pr_coding_time"),
    ),
    "pull_requests": (
        ("id", "created_date"),
        ("base_repo_id", "status", "merged_date", "closed_date", "merge_commit_sha", "base_ref"),
    ),
    "pull_request_issues": (("pull_request_id", "issue_id"), ()),
    "pull_request_commits": (("commit_sha", "pull_request_id"), ("commit_authored_date",)),
    "incidents": (("id", "created_date"), ("resolution_date", "status", "scope_id", "table")),
    "issues": (("id", "type", "created_date"), ("resolution_date", "status")),
    "board_issues": (("board_id", "issue_id"), ()),
    "project_incident_deployment_relationships": (("id", "deployment_id"), ("project_name",)),
    "project_issue_metrics": (("id", "deployment_id"), ("project_name",)),
    "project_mapping": (("project_name", "table", "row_id"), ()),
    "repos": (("id", "url"), ()),
}  # fmt: skip
"""Table → its required and its optional columns."""

SIGNS = ("cicd_deployment_commits", "cicd_deployments", "cicd_pipelines", "project_pr_metrics")
"""Tables that nothing but DevLake has."""

_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_NULLS = ["", "NULL", "\\N"]
_SQLITE = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class Tables:
    """Where the tables of an export lie.

    Attributes
    ----------
    path : Path
        Folder, or SQLite file.
    files : dict
        Table → its file.
    """

    path: Path
    files: dict[str, Path]

    def __contains__(self, table: str) -> bool:
        return table in self.files

    def name(self, table: str) -> str:
        """File of a table, or the table itself in a database, as findings print it."""
        file = self.files.get(table, self.path)
        return file.name if file != self.path else f"{file.name}, table {table}"

    def scan(self, table: str) -> pl.LazyFrame:
        """The used columns of a table, and ``row`` from 1; without rows if there is no such table."""
        required, optional = TABLES[table]
        columns = [*required, *optional]
        if table not in self.files:
            return pl.LazyFrame(schema=dict.fromkeys(["row"], pl.UInt32) | dict.fromkeys(columns, pl.String))
        file = self.files[table]
        try:
            if file == self.path:
                frame = _read_sqlite(file, table, columns)
            elif file.suffix == ".parquet":
                frame = pl.scan_parquet(file)
            else:
                frame = pl.scan_csv(file, infer_schema=False, null_values=_NULLS, encoding="utf8")
            there = frame.collect_schema().names()
        except (pl.exceptions.PolarsError, OSError, sqlite3.Error) as error:
            problem = Problem(self.name(table), str(error).splitlines()[0], "export this table again")
            raise InputError("A DevLake table cannot be read.", [problem]) from None
        missing = [name for name in required if name not in there]
        if missing:
            what = f"missing {', '.join(missing)}; it has {', '.join(there)}"
            problem = Problem(self.name(table), what, "export the table with all its columns")
            raise InputError("A DevLake table lacks columns.", [problem])
        filled = [pl.col(name) if name in there else pl.lit(None, pl.String).alias(name) for name in columns]
        return frame.with_row_index("row", 1).select("row", *filled)

    def records(self, table: str) -> Iterator[Record]:
        """Rows of a table with their numbers."""
        name = self.name(table)
        try:
            frame = self.scan(table).collect()
        except pl.exceptions.PolarsError as error:
            problem = Problem(name, str(error).splitlines()[0], "export this table again")
            raise InputError("A DevLake table cannot be read.", [problem]) from None
        for row in frame.iter_rows(named=True):
            yield Record(name, row.pop("row"), row)


def find_tables(path: Path) -> Tables:
    """The tables under a folder, or in a SQLite file; none of them if it is neither.

    A file is a table's if its name is, apart from what stands before the last dot, such as ``lake.issues.csv``.
    """
    if path.is_file():
        return Tables(path, dict.fromkeys(_list_sqlite(path), path))
    files: dict[str, Path] = {}
    for file in sorted(path.rglob("*")) if path.is_dir() else ():
        suffix = next((suffix for suffix in _SUFFIXES if file.name.lower().endswith(suffix)), None)
        if suffix and file.is_file():
            table = file.name.lower().removesuffix(suffix).rsplit(".", 1)[-1]
            if table in TABLES:
                files.setdefault(table, file)
    return Tables(path, files)


def _list_sqlite(path: Path) -> list[str]:
    with path.open("rb") as file:
        if file.read(len(_SQLITE)) != _SQLITE:
            return []
    try:
        with closing(_connect(path)) as database:
            names = database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    except sqlite3.Error:
        return []
    return [name for (name,) in names if name in TABLES]


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _read_sqlite(path: Path, table: str, columns: list[str]) -> pl.LazyFrame:
    with closing(_connect(path)) as database:
        there = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
        used = [name for name in columns if name in there]
        if not used:
            return pl.LazyFrame({name: [] for name in there}, schema=dict.fromkeys(there, pl.String))
        selected = ", ".join(f"""CAST("{name}" AS TEXT) AS "{name}" """ for name in used)
        rows = database.execute(f'SELECT {selected} FROM "{table}"').fetchall()
    frame = pl.LazyFrame(rows, schema=dict.fromkeys(used, pl.String), orient="row")
    return frame.with_columns(pl.all().replace("", None))
