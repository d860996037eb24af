"""A review in a folder: the tables that each step leaves for the next, such as a spreadsheet opens.

========================  ====================================================================================
``records.csv``           what the exports hold, one row a record; beside it ``records_report.csv`` (what was left
                          out or repaired, by file and line) and ``records_files.csv`` (counts a file)
``works.csv``             the same without duplicates; ``merges.csv`` is the log, ``members.csv`` says which work a
                          record went into, ``winners.csv`` which record gave each field, ``to_decide.csv`` lists
                          the pairs that the rule leaves to a person, ``dedupe.json`` how it was done
``sources.csv``           kind of each place searched, ``reasons.csv`` the reasons to exclude, ``stages.csv`` the
                          stages of each arm: drafted once, then the reviewers' own
``assignments.csv``       who is to read what
``sheets/``               one sheet a reviewer and stage, and the adjudications: together they are the ledger
========================  ====================================================================================

Nothing derived is trusted when it is read back: works are made anew from records and log, and have to be the same.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative, write_atomic
from analysis.base.schemas import (
    RECORDS,
    SCREENING_ASSIGNMENTS,
    SCREENING_REASONS,
    SCREENING_SOURCES,
    TableSpec,
    column,
)
from analysis.base.tables import read_table, save_table
from analysis.literature.assignment import collect_sheets
from analysis.literature.bibliographic import Import
from analysis.literature.dedupe import Deduplicated, dedupe_records, merge_pair, undo_merge
from analysis.literature.duplicate_rule import RULES
from analysis.literature.importers.drafts import LEFT_OUT, NOT_STATED, REPAIRED
from analysis.literature.ledger import ARMS, DEFAULT_STAGES, STAGES, Screening, check_ledger, load_ledger

WORKS = "works.csv"
_SETTINGS = "dedupe.json"

_REPORT = TableSpec(
    "import report",
    "A record that was left out, or read with a repair",
    (),
    {
        "file": column("string", "File"),
        "line": column("Int64", "Line", low=1),
        "outcome": column("string", "What became of the record", allowed=(LEFT_OUT, REPAIRED)),
        "what": column("string", "What is wrong"),
        "remedy": column("string", "What to do", nullable=True),
    },
)
_FILES = TableSpec(
    "imported files",
    "A file",
    ("file",),
    {
        "file": column("string", "File"),
        "source": column("string", "Form of export"),
        "encoding": column("string", "Encoding"),
        **{name: column("Int64", f"Records {name}", low=0) for name in ("found", "imported", "left_out")},
    },
)
_MERGES = TableSpec(
    "merge log",
    "A merge",
    ("merge",),
    {
        "merge": column("string", "Merge", pattern=r"M[0-9a-f]{12}"),
        "first": column("string", "Record"),
        "second": column("string", "Record"),
        "rule": column("string", "Rule", allowed=RULES),
        "similarity": column("Float64", "Similarity of titles", unit="per cent", nullable=True),
        "evidence": column("string", "What agrees, or why they were merged by hand"),
        "for_decision": column("string", "Whether a person should look", allowed=("True", "False")),
        "state": column("string", "State", allowed=("merged", "undone")),
    },
)
_STAGES = TableSpec(
    "screening stages",
    "A stage of an arm",
    ("arm", "stage"),
    {
        "arm": column("string", "Arm", allowed=tuple(ARMS)),
        "stage": column("string", "Stage", allowed=tuple(STAGES)),
    },
)

_REASONS = [
    ("off_topic", "title_abstract", "criterion", "Not about the question of the review"),
    ("no_language", "title_abstract", "criterion", "Written in a language that nobody of the review reads"),
    ("not_available", "full_text", "not_retrieved", "Full text not to be had"),
    ("off_topic", "full_text", "criterion", "Not about the question of the review"),
    ("no_evidence", "full_text", "criterion", "Opinion without evidence"),
    ("low_quality", "quality", "criterion", "Does not meet the quality criteria"),
]


# ---- records ------------------------------------------------------------------------------------


def save_import(result: Import, path: Path) -> list[Path]:
    """Write an import: ``path`` for the records, the report and the counts of files beside it."""
    report, files = _beside(path)
    return [save_table(result.records, path), save_table(result.report, report), save_table(result.files, files)]


def load_import(path: Path) -> Import:
    """Read an import as `save_import` wrote it.

    Raises
    ------
    InputError
        A table is missing, or breaks its schema.
    """
    report, files = _beside(path)
    return Import(load_records(path), read_table(report, _REPORT, empty=True), read_table(files, _FILES))


def load_records(path: Path) -> pd.DataFrame:
    """A table of records (columns of `RECORDS`); raises `InputError` where it breaks its schema."""
    table = read_table(path, RECORDS)
    source = table.attrs["source"]
    table = table.reset_index(drop=True)
    table.attrs["source"] = source
    return table


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.stem}_report.csv"), path.with_name(f"{path.stem}_files.csv")


# ---- duplicates ---------------------------------------------------------------------------------


def dedupe_review(
    records: Path, works: Path, *, prefer: list[str] | None = None, merge_preprints: bool | None = None
) -> tuple[Deduplicated, list[str]]:
    """Remove duplicates by the rule, and make the decisions again that the folder's log holds.

    Parameters
    ----------
    records, works : Path
        Table of records, and where the works are to be written (`save_dedupe`) or were before.
    prefer : list of str, optional
    merge_preprints : bool, optional
        As of `dedupe_records`; by default as the last time in this folder.

    Returns
    -------
    (Deduplicated, list of str)
        The result, and what was decided before and can no longer be, because its records are gone.

    Raises
    ------
    InputError
        As of `dedupe_records`, or a log that breaks its schema.
    """
    settings = _read_settings(works.parent)
    prefer = settings.get("prefer", []) if prefer is None else prefer
    merge_preprints = settings.get("merge_preprints", True) if merge_preprints is None else merge_preprints
    result = dedupe_records(load_records(records), prefer=prefer, merge_preprints=merge_preprints)
    log = works.parent / "merges.csv"
    lost = []
    if log.is_file():
        before = read_table(log, _MERGES, empty=True)
        standing = set(result.merges["merge"])
        for row in before[(before["state"] == "undone") & (before["rule"] != "by_hand")].itertuples():
            if row.merge in standing:
                result = undo_merge(result, row.merge)
            else:
                lost.append(f"{row.merge} was undone; the rule does not merge {row.first} and {row.second} any more")
        for row in before[(before["state"] == "merged") & (before["rule"] == "by_hand")].itertuples():
            work = result.members.set_index("record")["work"]
            if row.first not in work or row.second not in work:
                lost.append(f"{row.merge} by hand: {row.first} or {row.second} is no longer there")
                continue
            if row.merge in set(result.merges.loc[result.merges["state"] == "merged", "merge"]):
                result = undo_merge(result, row.merge)  # by the rule as well: what the person said stays in the log
                work = result.members.set_index("record")["work"]
            if work[row.first] != work[row.second]:
                result = merge_pair(result, row.first, row.second, row.evidence)
    return replace(result, prefer=tuple(prefer)), lost


def save_dedupe(result: Deduplicated, records: Path, works: Path, *, merge_preprints: bool | None = None) -> list[Path]:
    """Write works, log, members, winners, pairs for decision, and how it was done, into the folder of ``works``."""
    folder = works.parent
    before = _read_settings(folder).get("merge_preprints", True)
    settings = {
        "records": Path(os.path.relpath(records.resolve(), folder.resolve())).as_posix(),
        "works": works.name,
        "prefer": list(result.prefer),
        "merge_preprints": before if merge_preprints is None else merge_preprints,
    }
    tables = {works.name: result.records, "merges.csv": result.merges, "members.csv": result.members,
              "winners.csv": result.winners, "to_decide.csv": _readable(result)}  # fmt: skip
    written = [save_table(table, folder / name) for name, table in tables.items()]
    return [*written, write_atomic(folder / _SETTINGS, json.dumps(settings, indent=2) + "\n")]


def load_dedupe(folder: Path) -> tuple[Deduplicated, Import]:
    """The duplicates of a review, made anew from records and log, and the import before that.

    Raises
    ------
    InputError
        Duplicates were not removed yet, or ``works.csv`` is not what records and log give.
    """
    settings = _read_settings(folder)
    if not settings:
        problem = Problem(relative(folder), f"there is no {_SETTINGS}", "remove duplicates first: dedupe records.csv")
        raise InputError("The review has no works yet.", [problem])
    works, records = folder / settings["works"], folder / settings["records"]
    result, _ = dedupe_review(records, works)
    there = load_records(works)
    if not there.equals(result.records.reset_index(drop=True)):
        what = "is not what its records and merges give"
        raise InputError(
            "The works are out of date.", [Problem(relative(works), what, f"again: dedupe {relative(records)}")]
        )
    return result, load_import(records)


def _readable(result: Deduplicated) -> pd.DataFrame:
    """The listed pairs with both titles, since they are for a person to read."""
    shown = result.originals.set_index("record")[["title", "authors", "year", "venue"]]
    table = result.listed
    for name in ("first", "second"):
        table = table.join(shown.add_prefix(f"{name}_"), on=name)
    return table


def _read_settings(folder: Path) -> dict:
    path = folder / _SETTINGS
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        problem = Problem(relative(path), f"not valid JSON: {error}", "remove it, and remove duplicates again")
        raise InputError(f"{relative(path)} cannot be read.", [problem]) from None


# ---- screening ----------------------------------------------------------------------------------


def draft_settings(folder: Path, databases: list[str]) -> list[Path]:
    """Write ``sources.csv``, ``reasons.csv`` and ``stages.csv`` where they are missing; what is there stays.

    Of a source that does not say where it is from the kind is left empty, for the user to fill in.
    """
    kinds = [(name, pd.NA if name == NOT_STATED else "database") for name in sorted(databases)]
    stages = [(arm, stage) for arm, its in DEFAULT_STAGES.items() for stage in its]
    drafts = {
        "sources.csv": pd.DataFrame(kinds, columns=["database", "kind"]),
        "reasons.csv": pd.DataFrame(_REASONS, columns=["reason", "stage", "kind", "statement"]),
        "stages.csv": pd.DataFrame(stages, columns=["arm", "stage"]),
    }
    return [save_table(table, folder / name) for name, table in drafts.items() if not (folder / name).exists()]


def load_works(folder: Path) -> pd.DataFrame:
    """The works of a review; raises `InputError` where there are none yet."""
    settings = _read_settings(folder)
    if not settings:
        load_dedupe(folder)  # says what is missing
    return load_records(folder / settings["works"])


def load_assignments(folder: Path) -> pd.DataFrame:
    """The assignments of a review; an empty table where nothing is assigned yet."""
    path = folder / "assignments.csv"
    if path.is_file():
        return read_table(path, SCREENING_ASSIGNMENTS, empty=True)
    return pd.DataFrame({name: pd.Series(dtype="string") for name in SCREENING_ASSIGNMENTS.columns})


def save_assignments(assignments: pd.DataFrame, folder: Path) -> Path:
    """Write the assignments of a review."""
    return save_table(assignments.sort_values(["stage", "record", "reviewer"]), folder / "assignments.csv")


def load_screening(folder: Path, *, complete: bool) -> Screening:
    """The screening of a review, checked.

    Parameters
    ----------
    folder : Path
    complete : bool
        Whether missing decisions are faults.

    Raises
    ------
    InputError
        A table is missing or breaks its schema, or as of `check_ledger`.
    """
    works = load_works(folder)
    stages: dict[str, list[str]] = {}
    for row in read_table(folder / "stages.csv", _STAGES).itertuples():
        stages.setdefault(row.arm, []).append(row.stage)
    return check_ledger(
        load_decisions(folder),
        load_assignments(folder),
        works,
        read_table(folder / "sources.csv", SCREENING_SOURCES),
        read_table(folder / "reasons.csv", SCREENING_REASONS),
        stages=stages,
        complete=complete,
    )


def load_decisions(folder: Path) -> pd.DataFrame:
    """The ledger of a review: all sheets, and plain ledgers that lie beside them.

    Raises
    ------
    InputError
        No sheet, or what `collect_sheets` and `load_ledger` refuse; listed for all files.
    """
    paths = sorted((folder / "sheets").glob("*.csv"))
    if not paths:
        problem = Problem(relative(folder / "sheets"), "there is no sheet", "hand out records: assign-screening")
        raise InputError("The review has no decisions.", [problem])
    tables, problems = [], []
    for path in paths:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            shown = "title" in file.readline()
        try:
            tables.append(collect_sheets(path) if shown else load_ledger(path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError("The sheets cannot be read.", problems)
    ledger = pd.concat(tables)
    ledger.attrs["source"] = relative(folder / "sheets")
    return ledger
