"""Load a table and check it against its schema; report every violation at once, by file line.

The index of a loaded table is the line number in its file (the header is line 1) and
``frame.attrs["source"]`` its path, so that any selection of rows still says where it came from.
"""

from __future__ import annotations

import csv
import io
from functools import lru_cache
from pathlib import Path

import pandas as pd
import pandera.errors
import pandera.pandas as pa

from analysis.base.errors import InputError, Problem
from analysis.base.paths import DATA, relative, write_atomic
from analysis.base.provenance import note_read
from analysis.base.schemas import TABLES, TableSpec


def load_table(file: str, folder: Path = DATA) -> pd.DataFrame:
    """Load ``data/<file>`` and check it against its `TableSpec`.

    Parameters
    ----------
    file : str
        Path under ``folder``, for example ``"survey/published_counts.csv"``.
    folder : Path
        Where the tables lie; the project's ``data/`` unless told otherwise.

    Returns
    -------
    pandas.DataFrame
        Columns as in the schema, index ``line`` (line in the file), ``attrs["source"]`` the path.

    Raises
    ------
    InputError
        Unknown table, missing file, unreadable text, wrong header, no rows, or any value that breaks the
        schema, the key or a reference. All violations are listed.
    """
    frame = _load(file, folder)
    note_read(folder / file)
    return frame


def _load(file: str, folder: Path) -> pd.DataFrame:
    if file not in TABLES:
        raise InputError(
            f"No table is known as '{file}'.",
            [
                Problem(
                    "", f"known tables: {', '.join(sorted(TABLES)) or 'none'}", "declare it in analysis/base/schemas"
                )
            ],
        )
    spec = TABLES[file]
    path = folder / file
    frame = _read_csv(path, list(spec.columns))
    frame = check_table(frame, spec, relative(path))
    for name, (other_file, other_column) in spec.references.items():
        known = _known_values(other_file, other_column, folder, _stamps(other_file, folder))
        orphans = frame[frame[name].notna() & ~frame[name].isin(known)]
        if len(orphans):
            raise InputError(
                f"{relative(path)} refers to rows that do not exist.",
                [
                    Problem(
                        f"{relative(path)}:{line}, column '{name}'",
                        f"'{value}' is not in column '{other_column}' of {other_file}",
                        "correct the value, or add the row there",
                    )
                    for line, value in orphans[name].items()
                ],
            )
    return frame


@lru_cache(maxsize=256)
def _known_values(file: str, column: str, folder: Path, stamps: tuple[object, ...]) -> frozenset[object]:
    """The values of a column that others refer to. Remembered as long as no file behind it changes (``stamps``)."""
    return frozenset(_load(file, folder)[column])


def _stamps(file: str, folder: Path) -> tuple[object, ...]:
    """Time and size of a table's file and, in turn, of those to which it refers; None for one that is not there."""
    path = folder / file
    status = path.stat() if path.is_file() else None
    own = (file, status and (status.st_mtime_ns, status.st_size, status.st_ino))
    others = TABLES[file].references.values() if file in TABLES else ()
    return (own, *(_stamps(other, folder) for other, _ in others))


def save_table(frame: pd.DataFrame, path: Path) -> Path:
    """Write a table for people: CSV that spreadsheets open as Unicode, without the index; whole or not at all."""
    return write_atomic(path, "\ufeff" + frame.to_csv(index=False, lineterminator="\n"))


def cell_at(frame: pd.DataFrame, line: object, column: str) -> str:
    """Where a cell of a loaded table stands, as errors name it: ``data/survey/a.csv:7, column 'count'``."""
    return f"{frame.attrs.get('source', 'table')}:{line}, column '{column}'"


def read_table(path: Path | str, spec: TableSpec, *, empty: bool = False) -> pd.DataFrame:
    """Load a table of the user's own, from anywhere, and check it against ``spec``.

    Parameters
    ----------
    path : Path or str
    spec : TableSpec
        One that is not looked up under ``data/``, such as a screening ledger.
    empty : bool
        Whether a header without rows will do.

    Returns
    -------
    pandas.DataFrame
        As of `load_table`.

    Raises
    ------
    InputError
        As in `load_table`; references are not checked.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{relative(path)} does not exist.", [Problem("", "no such file", "check name and folder")])
    return check_table(_read_csv(path, list(spec.columns), empty=empty), spec, relative(path))


def check_table(frame: pd.DataFrame, spec: TableSpec, source: str) -> pd.DataFrame:
    """Validate ``frame`` against ``spec`` and return it with the schema's dtypes.

    Raises
    ------
    InputError
        Lists every violation with line, column, expected and got.
    """
    try:
        checked = spec.schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        raise InputError(
            f"{source} does not hold what its schema says.", _violations(error.failure_cases, spec, source)
        ) from None
    checked.attrs["source"] = source
    return checked


def _read_csv(path: Path, expected: list[str], *, empty: bool = False) -> pd.DataFrame:
    """All cells as text with their line numbers; header and row lengths are checked here."""
    name = relative(path)
    if not path.is_file():
        raise InputError(
            f"{name} does not exist.", [Problem("", "the table is missing", f"restore it: git checkout -- {name}")]
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise InputError(
            f"{name} is not UTF-8 text.",
            [
                Problem(
                    f"{name}:{line}",
                    f"byte {error.object[error.start]:#04x} is not UTF-8",
                    "save the file as 'CSV UTF-8'",
                )
            ],
        ) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, lines, problems = [], [], []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        missing, extra = [c for c in expected if c not in header], [c for c in header if c not in expected]
        if missing or extra or len(set(header)) != len(header):
            raise InputError(
                f"{name} has the wrong columns.",
                [
                    Problem(
                        f"{name}:1",
                        f"expected {expected}, got {header}"
                        + (f"; missing {missing}" if missing else "")
                        + (f"; unknown {extra}" if extra else ""),
                        "rename the columns (is the separator a comma?)",
                    )
                ],
            )
        start = reader.line_num + 1
        for row in reader:
            line, start = start, reader.line_num + 1
            if not row:
                continue  # a blank line; a row of nothing but commas is an empty record, and said
            if len(row) != len(header):
                problems.append(
                    Problem(
                        f"{name}:{line}",
                        f"{len(row)} cells, expected {len(header)}",
                        "quote cells that contain a comma",
                    )
                )
            else:
                rows.append([cell.strip() or None for cell in row])
                lines.append(line)
    except csv.Error as error:
        problems.append(Problem(f"{name}:{reader.line_num}", f"not valid CSV: {error}", "check the quotation marks"))
    if not rows and not problems and not empty:
        problems.append(Problem(name, "it has a header and no rows", f"restore it: git checkout -- {name}"))
    if problems:
        raise InputError(f"{name} cannot be read.", problems)
    index = pd.Index(lines, name="line", dtype="int64")
    return pd.DataFrame(rows, columns=header, index=index, dtype="string")[expected]


def _violations(cases: pd.DataFrame, spec: TableSpec, source: str) -> list[Problem]:
    """pandera's failure cases in the words of the file: line, column, expected, got."""
    problems = []
    uncoerced = set(cases.loc[cases["check"].astype(str).str.startswith("coerce_dtype"), "column"])
    for case in cases.drop_duplicates(["column", "check", "index", "failure_case"]).itertuples():
        if case.check == "multiple_fields_uniqueness" or "unique" in str(case.check):
            continue
        # A column that is not of its type fails its dtype and its bounds too, in words that help nobody.
        if case.column in uncoerced and (str(case.check).startswith("dtype") or pd.isna(case.index)):
            continue
        line = f":{int(case.index)}" if pd.notna(case.index) else ""
        expected = str(case.check)
        if expected == "not_nullable":
            expected = "a value (the cell is empty)"
        elif expected.startswith(("coerce_dtype", "dtype")):
            expected = f"a value of type {_column_of(spec, case.column).dtype}"
        got = "" if expected.startswith("a value (") else f", got '{case.failure_case}'"
        problems.append(
            Problem(f"{source}{line}, column '{case.column}'", f"expected {expected}{got}", "correct this cell")
        )
    problems += _duplicate_keys(cases, spec, source)
    return problems


def _column_of(spec: TableSpec, name: str) -> pa.Column:
    return spec.columns[name]


def _duplicate_keys(cases: pd.DataFrame, spec: TableSpec, source: str) -> list[Problem]:
    """One problem per file line whose key is taken more than once."""
    unique = cases[cases["check"].astype(str).str.contains("unique")]
    lines = sorted({int(line) for line in unique["index"].dropna()})
    if not lines:
        return []
    return [
        Problem(
            f"{source}, lines {', '.join(map(str, lines))}",
            f"the key ({', '.join(spec.key)}) must be unique",
            "remove or renumber the repeated rows",
        )
    ]
