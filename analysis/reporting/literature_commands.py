"""Commands of a literature search: exports of databases in, duplicates out.

They leave their tables in the folder of a review (`analysis.literature.review`), where screening goes on
(`analysis.reporting.screening_commands`).
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative

if TYPE_CHECKING:
    import pandas as pd

    from analysis.literature.bibliographic import Import

_SHOWN = 20
"""Lines of a report that are printed; all of them stand in its file."""
_WIDEST = 64


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Declare the commands of this module."""
    bring = commands.add_parser("import-records", help="read exports of bibliographic databases into one table")
    bring.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="RIS, BibTeX, nbib, EndNote or CSV, or a folder"
    )
    bring.add_argument("--out", required=True, type=Path, help="table to write, for example review/records.csv")
    bring.add_argument("--format", default="auto", help="form of the files, where it is not recognised (auto)")
    bring.add_argument("--database", action="append", default=[], metavar="[FILE=]NAME",
                       help="where the search was done, of all files or of one; else what the records say")  # fmt: skip
    bring.add_argument("--encoding", default="auto", help="for example cp1252 or gb18030 (recognised)")
    bring.add_argument("--strict", action="store_true", help="write nothing where a record cannot be read")
    bring.set_defaults(command=_import)

    dedupe = commands.add_parser("dedupe", help="merge the records of one work, by a stated rule, reversibly")
    dedupe.add_argument("records", nargs="?", type=Path, help="table of records, or the folder that holds records.csv")
    dedupe.add_argument("--out", type=Path, help="table to write (works.csv beside the records)")
    dedupe.add_argument("--prefer", action="append", metavar="DATABASE", help="whose records lead; repeat for the next")
    dedupe.add_argument("--preprints", choices=("merge", "keep"), help="what to do with the preprint of an article")
    dedupe.add_argument("--undo", action="append", default=[], metavar="MERGE", help="part what a merge joined")
    dedupe.add_argument("--merge", nargs=2, metavar="RECORD", help="join two records by hand, with --because")
    dedupe.add_argument("--because", default="", metavar="TEXT", help="why the two are one work")
    dedupe.add_argument("--rule", action="store_true", help="print the rule, and nothing else")
    dedupe.set_defaults(command=_dedupe)


def print_table(table: pd.DataFrame) -> None:
    """A table as aligned columns, words to the left and numbers to the right; empty cells stay empty."""
    from pandas.api.types import is_numeric_dtype

    if table.empty:
        return
    columns = []
    for name in table.columns:
        number = is_numeric_dtype(table[name])
        cells = [
            str(name),
            *("" if missing else str(value) for value, missing in zip(table[name], table[name].isna(), strict=True)),
        ]
        cells = [cell if len(cell) <= _WIDEST else f"{cell[: _WIDEST - 1]}…" for cell in cells]
        width = max(map(len, cells))
        columns.append([cell.rjust(width) if number else cell.ljust(width) for cell in cells])
    print("\n".join(f"  {'  '.join(cells)}".rstrip() for cells in zip(*columns, strict=True)))


def print_written(paths: Iterable[Path]) -> None:
    """The files that a command has written, by folder."""
    folders: dict[Path, list[str]] = {}
    for path in paths:
        folders.setdefault(path.parent, []).append(path.name)
    for folder, names in folders.items():
        print(f"written to {relative(folder)}/: {', '.join(names)}")


def _import(options: argparse.Namespace) -> None:
    from analysis.literature.bibliographic import combine_imports, compute_import_counts, import_records
    from analysis.literature.importers.drafts import NOT_STATED, REPAIRED
    from analysis.literature.review import save_import

    if options.out.suffix.lower() != ".csv":
        problem = Problem("--out", f"got '{options.out.name}'", "a table ends in .csv, such as review/records.csv")
        raise InputError("The records cannot be written.", [problem])
    files = _files(options.files)
    names = _databases(options.database, files)
    alike = Counter(path.name for path in files)
    imports, problems = [], []
    for path in files:
        try:
            database = names.get(path, names.get(None))
            one = import_records(path, options.format, database=database, encoding=options.encoding)
            imports.append(_told_apart(one, path) if alike[path.name] > 1 else one)
        except InputError as error:
            problems += error.problems or [Problem(str(path), error.title)]
    if problems:
        raise InputError("Nothing was written, since a file cannot be read.", problems)
    result = combine_imports(imports)
    if options.strict:
        result.require_complete()
    repaired = result.report[result.report["outcome"] == REPAIRED]
    table = result.files.assign(
        repaired=result.files["file"].map(repaired.groupby("file").size()).fillna(0).astype(int)
    )
    print_table(table.rename(columns={"source": "format", "found": "read", "imported": "kept", "left_out": "left out"}))
    print()
    print_table(compute_import_counts(result))
    if len(result.report):
        print(f"\n{len(result.left_out)} records left out, {len(repaired)} notices on records read with a repair:")
        shown = result.report.sort_values("outcome", kind="stable").head(_SHOWN)
        for row in shown.itertuples():
            print(f"  {row.file}:{row.line}: {row.outcome.replace('_', ' ')}: {row.what}\n    → {row.remedy}")
        if len(result.report) > _SHOWN:
            print(f"  … and {len(result.report) - _SHOWN} more in the report")
    unsaid = int((result.records["database"] == NOT_STATED).sum())
    if unsaid:
        print(f"\n{unsaid} records do not say where they were found: --database FILE=NAME says so")
    print()
    print_written(save_import(result, options.out))


def _files(given: list[Path]) -> list[Path]:
    """The files named, and those in folders that are named; each once."""
    found = [inner for path in given for inner in (sorted(path.iterdir()) if path.is_dir() else [path])]
    plain = [path for path in found if not path.name.startswith(".") and not path.is_dir()]
    return list(dict.fromkeys(plain))


def _told_apart(one: Import, path: Path) -> Import:
    """The import with its file called by folder and name, since databases call every export the same."""
    name = f"{path.resolve().parent.name}/{path.name}"
    return replace(one, **{key: getattr(one, key).assign(file=name) for key in ("records", "report", "files")})


def _databases(given: list[str], files: list[Path]) -> dict[Path | None, str]:
    """Database of each file named; None stands for all others."""
    names: dict[Path | None, str] = {}
    problems = []
    for text in given:
        file, equals, name = text.partition("=")
        found = [path for path in files if file in (str(path), path.name)] if equals else [None]
        if not found or not (name if equals else file).strip():
            known = ", ".join(str(path) for path in files)
            problems.append(Problem("--database", f"got '{text}'", f"NAME, or FILE=NAME with one of: {known}"))
        for path in found:
            names[path] = (name if equals else file).strip()
    if problems:
        raise InputError("The databases cannot be told.", problems)
    return names


def _dedupe(options: argparse.Namespace) -> None:
    from analysis.literature import duplicate_rule
    from analysis.literature.dedupe import compute_database_counts, compute_rule_counts, merge_pair, undo_merge
    from analysis.literature.review import WORKS, dedupe_review, draft_settings, save_dedupe

    if options.rule:
        print(duplicate_rule.__doc__)
        return
    if options.records is None:
        raise InputError("There is nothing to do.", [Problem("records", "is missing", "name a table of records")])
    records = options.records / "records.csv" if options.records.is_dir() else options.records
    works = options.out or records.with_name(WORKS)
    if works.suffix.lower() != ".csv" or works.resolve() == records.resolve():
        problem = Problem("--out", f"got '{works}'", "a table ends in .csv, and is another one than the records")
        raise InputError("The works cannot be written.", [problem])
    merge_preprints = None if options.preprints is None else options.preprints == "merge"
    result, lost = dedupe_review(records, works, prefer=options.prefer, merge_preprints=merge_preprints)
    for merge in options.undo:
        result = undo_merge(result, merge)
    if options.merge:
        result = merge_pair(result, *options.merge, options.because)
    elif options.because:
        raise InputError("There is nothing to merge.", [Problem("--because", "without --merge", "name two records")])
    print(f"{len(result.originals)} records, {len(result.records)} works, {len(result.listed)} pairs for decision\n")
    print_table(compute_database_counts(result))
    print()
    print_table(compute_rule_counts(result))
    undone = int((result.merges["state"] == "undone").sum())
    print(f"\nthe rule is stated by `dedupe --rule`; {undone} merges undone, each can be: --undo MERGE (merges.csv)")
    for text in lost:
        print(f"an earlier decision no longer applies: {text}")
    written = save_dedupe(result, records, works, merge_preprints=merge_preprints)
    print_written([*written, *draft_settings(works.parent, list(result.originals["database"].unique()))])
