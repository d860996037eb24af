"""Bibliographic records: exports of any database into one checked table, with an account of every record.

A record of a file ends in the table or in the report, never nowhere: `Import.found` is always the number of rows plus
the number of reported records that were left out. What was read only after a repair is reported too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.schemas import RECORDS
from analysis.base.tables import check_table
from analysis.literature.importers.drafts import FIELDS, LEFT_OUT, Notice, finish_draft
from analysis.literature.importers.recognise import read_source
from analysis.literature.importers.source_text import read_lines

REPORT_COLUMNS = ("file", "line", "outcome", "what", "remedy")


@dataclass(frozen=True)
class Import:
    """What came out of one or more files.

    Attributes
    ----------
    records : DataFrame
        One row a record; columns of `analysis.base.schemas.RECORDS`, ordered by file and line.
    report : DataFrame
        One row a notice: ``file``, ``line``, ``outcome`` (``left_out``: a record that is not in the table;
        ``repaired``: read, and to be looked at), ``what``, ``remedy``.
    files : DataFrame
        One row a file: ``file``, ``source`` (format), ``encoding``, ``found``, ``imported``, ``left_out`` (records).
    """

    records: pd.DataFrame
    report: pd.DataFrame
    files: pd.DataFrame

    @property
    def found(self) -> int:
        """Records that the files hold, as far as they can be told apart."""
        return int(self.files["found"].sum())

    @property
    def left_out(self) -> pd.DataFrame:
        """The part of the report on records that are not in the table."""
        return self.report[self.report["outcome"] == LEFT_OUT]

    def require_complete(self) -> Import:
        """This import, if no record was left out.

        Raises
        ------
        InputError
            Lists every record that was left out, with file, line, reason and remedy.
        """
        if len(self.left_out):
            raise InputError(
                f"{len(self.left_out)} of {self.found} records could not be read.",
                [Problem(f"{row.file}:{row.line}", row.what, row.remedy) for row in self.left_out.itertuples()],
            )
        return self


def import_records(
    path: Path | str, source: str = "auto", *, database: str | None = None, encoding: str = "auto"
) -> Import:
    """Read one export.

    Parameters
    ----------
    path : Path or str
    source : str
        ``auto`` recognises the format by what stands in the file; otherwise one of `SOURCES`, or ``acm``, ``pubmed``,
        ``web_of_science`` for all forms of those.
    database : str, optional
        Where the search was done. By default what the records themselves say, or ``not stated``: RIS and BibTeX
        files often do not.
    encoding : str
        By default recognised; see `analysis.literature.importers.source_text.read_lines`.

    Returns
    -------
    Import

    Raises
    ------
    InputError
        The file is missing, empty, no text, of no known format, or holds no record that can be read.
    """
    text = read_lines(Path(path), encoding)
    name, reading = read_source(text, source)
    rows: list[dict[str, object]] = []
    notices: list[Notice] = list(reading.notices)
    for draft in reading.drafts:
        row, told = finish_draft(draft)
        notices += told
        if row is not None:
            rows.append({"database": database or draft.database, "file": text.name, "line": draft.line, **row})
    left_out = sum(notice.outcome == LEFT_OUT for notice in notices)
    if not rows:
        problems = [Problem(f"{text.name}:{n.line}", n.what, n.remedy) for n in notices if n.outcome == LEFT_OUT]
        raise InputError(
            f"{text.name} holds no record that can be read.",
            problems or [Problem(text.name, f"nothing stands in it but the frame of {name}", "export it again")],
        )
    report = pd.DataFrame(
        sorted(((text.name, n.line, n.outcome, n.what, n.remedy) for n in notices), key=lambda n: n[:2]),
        columns=list(REPORT_COLUMNS),
    )
    files = pd.DataFrame(
        [(text.name, name, text.encoding, len(rows) + left_out, len(rows), left_out)],
        columns=["file", "source", "encoding", "found", "imported", "left_out"],
    )
    return Import(build_records(pd.DataFrame(rows)), report, files)


def combine_imports(imports: Iterable[Import]) -> Import:
    """Several imports as one; how records are spread over files and in which order these come changes no id.

    Raises
    ------
    InputError
        Nothing to combine, or a file that is there twice.
    """
    parts = list(imports)
    files = [name for part in parts for name in part.files["file"]]
    repeated = sorted({name for name in files if files.count(name) > 1})
    if not parts or repeated:
        raise InputError(
            "The imports cannot be combined.",
            [Problem(name, "was imported twice", "import each file once; rename it if it is another one")
             for name in repeated] or [Problem("", "there are none", "import at least one file")],
        )  # fmt: skip
    records = pd.concat([part.records for part in parts], ignore_index=True).drop(columns="record")
    report = pd.concat([part.report for part in parts], ignore_index=True)
    report = report.sort_values(["file", "line"], kind="stable", ignore_index=True)
    table = pd.concat([part.files for part in parts], ignore_index=True).sort_values("file", ignore_index=True)
    return Import(build_records(records), report, table)


def compute_import_counts(result: Import) -> pd.DataFrame:
    """Records by database: the numbers that PRISMA 2020 calls identified.

    Returns
    -------
    DataFrame
        ``database``, ``files``, ``records``; in alphabetical order.
    """
    grouped = result.records.groupby("database", sort=True)
    return grouped.agg(files=("file", "nunique"), records=("record", "size")).reset_index()


def build_records(rows: pd.DataFrame) -> pd.DataFrame:
    """The checked table of rows that have every column but ``record``, ordered by file and line, with an id for each.

    The id is a digest of the database and of every field, so that neither file nor line changes it. Records that say
    exactly the same get -2, -3, … and are interchangeable.
    """
    rows = rows.sort_values(["file", "line"], kind="stable", ignore_index=True)
    rows["year"] = pd.array(rows["year"], dtype="Int64")  # 2021 is 2021 whether or not another row lacks a year
    texts = rows[["database", *FIELDS]].astype("object").where(rows[["database", *FIELDS]].notna(), "")
    digests = pd.Series([_digest(row) for row in texts.itertuples(index=False)], dtype="string")
    copies = digests.groupby(digests).cumcount() + 1
    suffix = ("-" + copies.astype("string")).where(copies > 1, "")
    rows.insert(0, "record", "R" + digests + suffix)
    return check_table(rows[list(RECORDS.columns)], RECORDS, "the imported records")


def _digest(fields: Sequence[object]) -> str:
    return hashlib.blake2b("\x1f".join(map(str, fields)).encode(), digest_size=6).hexdigest()
